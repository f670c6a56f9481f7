#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "check.h"
#include "merkle.h"
#include "topic.h"

static void type_has_four_words_after_org_debian(void)
{
	struct bus_type t;

	CHECK_NEED(bus_type_parse(&t, "org.debian.dev.dak.upload.accept"));
	CHECK(t.environment_len == 3 && !memcmp(t.environment, "dev", 3));
	CHECK(t.service_len == 3 && !memcmp(t.service, "dak", 3));
	CHECK(t.object_len == 6 && !memcmp(t.object, "upload", 6));
	CHECK(t.event_len == 6 && !strcmp(t.event, "accept"));
}

static void refuses_other_types(void)
{
	static const char *const bad[] = {
		"",
		"org",
		"org.debian.",
		"org.debian.dev.dak.upload",
		"org.debian.dev.dak.upload.accept.",
		"org.debian.dev.dak.upload.accept.more",
		"org.debian.dev.dak..accept",
		"org.debian.dev..upload.accept",
		"org.debian.test.dak.upload.accept",
		"org.debian.dev .dak.upload.accept",
		"org.debian.dev.Dak.upload.accept",
		"org.debian.dev.dak.upload.acc*pt",
		"org.debian.dev.dak.#.accept",
		"org.debian.dev._dak.upload.accept",
		"org.debian.dev.-dak.upload.accept",
		"org.debian.dev.dak.up load.accept",
		"com.debian.dev.dak.upload.accept",
		" org.debian.dev.dak.upload.accept",
		"org.debian.dev.dak.upload.accept\n",
		"org.debian.devel.dak.upload.accept",
		"org.debian.de.dak.upload.accept",
		"org.debian.dev.dak.upload.\xc3\xa9",
	};
	struct bus_type t;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ROW(!bus_type_parse(&t, bad[i]), "'%s' is taken", bad[i]);
	CHECK(bus_type_parse(&t, "org.debian.production.0_x-1.a.b"));
	CHECK(bus_type_parse(&t, "org.debian.stg.wiki.page.edit"));
}

static void a_type_leaves_room_for_a_subject(void)
{
	char type[BUS_TYPE_MAX + 2];
	struct bus_type t;

	memset(type, 'a', sizeof(type) - 1);
	memcpy(type, "org.debian.dev.dak.upload.", 26);
	type[BUS_TYPE_MAX] = '\0';
	CHECK(bus_type_parse(&t, type));
	type[BUS_TYPE_MAX] = 'a';
	type[BUS_TYPE_MAX + 1] = '\0';
	CHECK(!bus_type_parse(&t, type));
}

static void knows_environments_and_services(void)
{
	CHECK(bus_environment_valid("production") && bus_environment_valid("stg") &&
	      bus_environment_valid("dev"));
	CHECK(!bus_environment_valid("") && !bus_environment_valid("prod") &&
	      !bus_environment_valid("Dev"));
	CHECK(bus_service_valid("dak") && bus_service_valid("a-b_9"));
	CHECK(!bus_service_valid("") && !bus_service_valid("a.b") && !bus_service_valid("-a") &&
	      !bus_service_valid("a/b") && !bus_service_valid(".."));
}

static void keys_are_those_of_the_vectors(void)
{
	char *path = check_source("tests/vectors/routing-keys.json"), key[BUS_KEY_MAX + 1];
	json_t *rows = json_load_file(path, 0, NULL), *row;
	size_t i;

	CHECK_NEED(json_array_size(rows) > 0);
	json_array_foreach(rows, i, row)
	{
		bus_topic_key(key, json_string_value(json_object_get(row, "type")),
			      json_string_value(json_object_get(row, "subject")));
		CHECK_TEXT(key, json_string_value(json_object_get(row, "routing_key")));
	}
	json_decref(rows);
	free(path);
}

static void no_subject_adds_no_word(void)
{
	char key[BUS_KEY_MAX + 1];

	bus_topic_key(key, "org.debian.dev.dak.bus.checkpoint", NULL);
	CHECK_TEXT(key, "org.debian.dev.dak.bus.checkpoint");
	bus_topic_key(key, "org.debian.dev.dak.bus.checkpoint", "");
	CHECK_TEXT(key, "org.debian.dev.dak.bus.checkpoint");
}

static void every_byte_is_escaped_or_kept(void)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_~+-";
	char key[BUS_KEY_MAX + 1], subject[2] = "", expected[40];
	int c;

	for (c = 1; c < 256; c++) {
		subject[0] = (char)c;
		bus_topic_key(key, "org.debian.dev.dak.a.b", subject);
		snprintf(expected, sizeof(expected), "org.debian.dev.dak.a.b.%s%02X", "%",
			 (unsigned int)c);
		if (strchr(kept, c))
			snprintf(expected, sizeof(expected), "org.debian.dev.dak.a.b.%c", c);
		CHECK_TEXT(key, expected);
	}
}

/* The same rule as in PROTOCOL section 2, written down a second time and slowly. */
static void naive_key(char *key, const char *type, const char *subject)
{
	char word[4 * 400] = "", piece[400][4];
	size_t n = strlen(subject), i, used = 0, room = BUS_KEY_MAX - strlen(type) - 1;
	struct bus_hash hash;

	for (i = 0; i < n; i++) {
		snprintf(piece[i], 4, "%%%02X", (unsigned int)(unsigned char)subject[i]);
		if (strspn(subject + i, "abcdefghijklmnopqrstuvwxyz~"))
			snprintf(piece[i], 4, "%c", subject[i]);
		strcat(word, piece[i]);
	}
	if (strlen(word) > room) {
		word[0] = '\0';
		for (i = 0; used + strlen(piece[i]) + 17 <= room; i++) {
			strcat(word, piece[i]);
			used += strlen(piece[i]);
		}
		strcat(word, "~");
		bus_sha256(&hash, subject, n);
		for (i = 0; i < 8; i++)
			snprintf(word + strlen(word), 3, "%02x", hash.b[i]);
	}
	sprintf(key, "%s.%s", type, word);
}

static void a_long_key_is_cut_at_255_bytes(void)
{
	static const char type[] = "org.debian.dev.alioth.branch.push";
	char subject[400], key[BUS_KEY_MAX + 1], expected[2000];
	size_t plain, escaped;

	/* `plain` letters and then `escaped` bytes of three: every way to meet the edge */
	for (plain = 0; plain < 240; plain += 1)
		for (escaped = 0; escaped < 80; escaped += 1 + (plain < 180) * 9) {
			memset(subject, 'a', plain);
			memset(subject + plain, '/', escaped);
			subject[plain + escaped] = '\0';
			if (!*subject)
				continue;
			bus_topic_key(key, type, subject);
			naive_key(expected, type, subject);
			CHECK_TEXT(key, expected);
			CHECK(strlen(key) <= BUS_KEY_MAX);
		}
}

static void different_long_subjects_have_different_keys(void)
{
	char a[300], b[300], key_a[BUS_KEY_MAX + 1], key_b[BUS_KEY_MAX + 1];

	memset(a, 'x', 299);
	memset(b, 'x', 299);
	a[298] = 'y';
	a[299] = b[299] = '\0';
	bus_topic_key(key_a, "org.debian.dev.dak.upload.accept", a);
	bus_topic_key(key_b, "org.debian.dev.dak.upload.accept", b);
	CHECK(strlen(key_a) == BUS_KEY_MAX && strlen(key_b) == BUS_KEY_MAX);
	CHECK(strcmp(key_a, key_b) != 0);
}

static void matches_as_the_table_says(void)
{
	static const struct {
		const char *pattern, *key;
		bool match;
	} row[] = {
		{ "#", "a", true },
		{ "#", "a.b.c", true },
		{ "*", "a", true },
		{ "*", "a.b", false },
		{ "*.*", "a.b", true },
		{ "*.*", "a", false },
		{ "*.*", "a.b.c", false },
		{ "a.#", "a", true },
		{ "a.#", "a.b", true },
		{ "a.#", "a.b.c", true },
		{ "a.#", "ab", false },
		{ "a.#", "b.a", false },
		{ "#.b", "b", true },
		{ "#.b", "a.b", true },
		{ "#.b", "a.b.b", true },
		{ "#.b", "b.a", false },
		{ "#.b", "ab", false },
		{ "a.#.b.#", "a.b", true },
		{ "a.#.b.#", "a.x.b", true },
		{ "a.#.b.#", "a.x.y.b.z", true },
		{ "a.#.b.#", "a", false },
		{ "a.#.b.#", "a.x", false },
		{ "a.#.b.#", "a.b.b.x", true },
		{ "a.*.#", "a", false },
		{ "a.*.#", "a.b", true },
		{ "#.*", "a", true },
		{ "#.#", "a", true },
		{ "a.#.#", "a", true },
		{ "#.a.#.b", "a.b", true },
		{ "#.a.#.b", "x.a.a.y.b", true },
		{ "#.a.#.b", "x.b.a", false },
		{ "a", "a", true },
		{ "a", "A", false },
		{ "a.b", "a", false },
		{ "a", "a.b", false },
		{ "a.*", "a.%2A", true },
		{ "a.%2A", "a.x", false },
		{ "a*", "ab", false },
		{ "*.b", "a.b", true },
		{ "org.debian.*.*.upload.accept.*", "org.debian.dev.dak.upload.accept.x", true },
		{ "org.debian.*.*.upload.accept.*", "org.debian.dev.dak.upload.accept", false },
		{ "org.debian.production.dak.#", "org.debian.production.dakota.x.y", false },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		CHECK_ROW(bus_topic_match(row[i].pattern, row[i].key) == row[i].match,
			  "'%s' and '%s': expected %s", row[i].pattern, row[i].key,
			  row[i].match ? "a match" : "no match");
}

/* AMQP 0-9-1 section 3.1.3.3 word by word, letters for words. */
static bool naive_match(const char *pattern, const char *key)
{
	if (!*pattern)
		return !*key;
	if (*pattern == '#')
		return naive_match(pattern + 1, key) || (*key && naive_match(pattern, key + 1));
	return *key && (*pattern == '*' || *pattern == *key) && naive_match(pattern + 1, key + 1);
}

/* The n-th word list of `len` letters out of `letters`, plain and with dots. */
static void spell(char *plain, char *dotted, const char *letters, int len, int n)
{
	const int base = (int)strlen(letters);
	int i;

	for (i = 0; i < len; i++, n /= base) {
		plain[i] = letters[n % base];
		dotted[2 * i] = plain[i];
		dotted[2 * i + 1] = i + 1 < len ? '.' : '\0';
	}
	plain[len] = '\0';
}

static int power(int base, int exponent)
{
	return exponent ? base * power(base, exponent - 1) : 1;
}

static void matches_like_a_slow_matcher_for_all_short_words(void)
{
	char pattern[10], dotted_pattern[20], key[10], dotted_key[20];
	int plen, klen, p, k, wrong = 0;

	for (plen = 1; plen <= 5; plen++)
		for (p = 0; p < power(4, plen); p++) {
			spell(pattern, dotted_pattern, "ab*#", plen, p);
			if (strcmp(pattern, "#####") == 0)
				continue; /* bus_topic_expand() refuses five */
			for (klen = 1; klen <= 5; klen++)
				for (k = 0; k < power(2, klen); k++) {
					spell(key, dotted_key, "ab", klen, k);
					if (bus_topic_match(dotted_pattern, dotted_key) !=
						    naive_match(pattern, key) &&
					    wrong++ < 5)
						CHECK_ROW(false, "'%s' and '%s'", dotted_pattern,
							  dotted_key);
				}
		}
	CHECK(wrong == 0);
}

static void expands_what_people_type(void)
{
	static const struct {
		const char *text, *pattern;
	} row[] = {
		{ "dak.upload.accept", "org.debian.*.dak.upload.accept.#" },
		{ "dak.#", "org.debian.*.dak.#" },
		{ "wiki", "org.debian.*.wiki.#" },
		{ "*.page.edit", "org.debian.*.*.page.edit.#" },
		{ "#", "#" },
		{ "dak.*", "org.debian.*.dak.*.#" },
		{ "org.debian.dev.dak.#", "org.debian.dev.dak.#" },
		{ "org.debian.production.dak.*.*.libsigc++-2%2E0",
		  "org.debian.production.dak.*.*.libsigc++-2%2E0" },
		{ "#.accept", "org.debian.*.#.accept.#" },
	};
	char pattern[BUS_KEY_MAX + 1];
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		CHECK_CODE(bus_topic_expand(pattern, row[i].text, &err), BUS_OK, &err);
		CHECK_TEXT(pattern, row[i].pattern);
	}
}

static void refuses_what_is_no_pattern(void)
{
	static const char *const bad[] = {
		"",
		".",
		"a.",
		".a",
		"a..b",
		"a*",
		"*a",
		"a#",
		"##",
		"**",
		"a.#b.c",
		"#.#.#.#.#",
		"a.#.b.#.c.#.d.#.e.#",
	};
	char pattern[BUS_KEY_MAX + 1], lots[400];
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ROW(bus_topic_expand(pattern, bad[i], &err) == BUS_E_USAGE, "'%s' is taken",
			  bad[i]);
	memset(lots, 'a', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	CHECK_CODE(bus_topic_expand(pattern, lots, &err), BUS_E_USAGE, &err);
	lots[BUS_KEY_MAX - strlen("org.debian.*..#")] = '\0';
	CHECK_CODE(bus_topic_expand(pattern, lots, &err), BUS_OK, &err);
	CHECK(strlen(pattern) == BUS_KEY_MAX);
}

static void checkpoint_pattern_covers_the_same_logs(void)
{
	static const struct {
		const char *pattern, *checkpoint;
	} row[] = {
		{ "#", "*.*.*.*.bus.checkpoint" },
		{ "org.#", "org.*.*.*.bus.checkpoint" },
		{ "org.debian.*.dak.upload.accept.#", "org.debian.*.dak.bus.checkpoint" },
		{ "org.debian.dev.dak.#", "org.debian.dev.dak.bus.checkpoint" },
		{ "org.debian.dev.#", "org.debian.dev.*.bus.checkpoint" },
		{ "org.debian.dev.#.accept", "org.debian.dev.*.bus.checkpoint" },
		{ "org.debian.dev.*.page.edit.X", "org.debian.dev.*.bus.checkpoint" },
		{ "#.accept", "*.*.*.*.bus.checkpoint" },
	};
	char checkpoint[BUS_KEY_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		bus_topic_checkpoint(checkpoint, row[i].pattern);
		CHECK_TEXT(checkpoint, row[i].checkpoint);
	}
}

/* Two words can fill a key: what is added to them must not run over its end. */
static void checkpoint_pattern_of_a_longest_pattern_fits(void)
{
	char text[BUS_KEY_MAX + 1];
	struct {
		char checkpoint[BUS_KEY_MAX + 1];
		char after[64];
	} room;
	size_t len, i;

	for (len = BUS_KEY_MAX - 30; len <= BUS_KEY_MAX; len++) {
		memset(text, 'a', len);
		memcpy(text, "org.", 4);
		text[len] = '\0';
		memset(&room, 0x55, sizeof(room));
		bus_topic_checkpoint(room.checkpoint, text);
		CHECK(memchr(room.checkpoint, '\0', sizeof(room.checkpoint)) != NULL);
		for (i = 0; i < sizeof(room.after); i++)
			CHECK_NEED(room.after[i] == 0x55);
	}
}

static void knows_checkpoints(void)
{
	CHECK(bus_type_is_checkpoint("org.debian.dev.dak.bus.checkpoint"));
	CHECK(!bus_type_is_checkpoint("org.debian.dev.dak.bus.checkpoints"));
	CHECK(!bus_type_is_checkpoint("org.debian.dev.dak.upload.checkpoint"));
	CHECK(!bus_type_is_checkpoint("org.debian.dev.dak.bus.checkpoint.x"));
	CHECK(bus_topic_names_checkpoint("org.debian.*.dak.bus.checkpoint"));
	CHECK(bus_topic_names_checkpoint("org.debian.*.*.bus.#"));
	CHECK(!bus_topic_names_checkpoint("org.debian.*.dak.#"));
	CHECK(!bus_topic_names_checkpoint("org.debian.*.dak.omnibus.x"));
	CHECK(!bus_topic_names_checkpoint("#"));
}

static const struct check_test tests[] = {
	{ "a type has four words after org.debian", type_has_four_words_after_org_debian },
	{ "refuses other types", refuses_other_types },
	{ "a type leaves room for a subject", a_type_leaves_room_for_a_subject },
	{ "knows environments and services", knows_environments_and_services },
	{ "keys are those of the vectors", keys_are_those_of_the_vectors },
	{ "no subject adds no word", no_subject_adds_no_word },
	{ "every byte is escaped or kept", every_byte_is_escaped_or_kept },
	{ "a long key is cut at 255 bytes", a_long_key_is_cut_at_255_bytes },
	{ "different long subjects have different keys",
	  different_long_subjects_have_different_keys },
	{ "matches as the table says", matches_as_the_table_says },
	{ "matches like a slow matcher, for all short words",
	  matches_like_a_slow_matcher_for_all_short_words },
	{ "expands what people type", expands_what_people_type },
	{ "refuses what is no pattern", refuses_what_is_no_pattern },
	{ "the checkpoint pattern covers the same logs", checkpoint_pattern_covers_the_same_logs },
	{ "the checkpoint pattern of a longest pattern fits",
	  checkpoint_pattern_of_a_longest_pattern_fits },
	{ "knows checkpoints", knows_checkpoints },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("topic", tests);
}
