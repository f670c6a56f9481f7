#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/alioth/closes.h"
#include "adapters/alioth/change.h"
#include "adapters/alioth/git_commit.h"
#include "adapters/alioth/git_input.h"
#include "check.h"
#include "json.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B40 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define Z40 "0000000000000000000000000000000000000000"
#define A64 A40 "aaaaaaaaaaaaaaaaaaaaaaaa"
#define Z64 Z40 "000000000000000000000000"

static bool parses(const char *text)
{
	struct git_line line;
	const char *why;

	return git_line_parse(&line, slice_of(text), &why);
}

static void reads_lines_as_git_writes_them(void)
{
	struct git_line line;
	const char *why;

	CHECK_NEED(git_line_parse(&line, slice_of(A40 " " B40 " refs/heads/f\xc3\xa4hre"), &why));
	CHECK_TEXT(line.old_id, A40);
	CHECK_TEXT(line.new_id, B40);
	CHECK(line.ref.len == 17 && !memcmp(line.ref.p, "refs/heads/f\xc3\xa4hre", 17));
	CHECK(parses(Z64 " " A64 " refs/heads/main"));
	CHECK(parses(A40 " " Z40 " refs/tags/$(id)`x`'\"%00"));
	CHECK(parses(A40 " " B40 " refs/heads/\xff\xfe"));
}

static void refuses_lines_git_would_not_write(void)
{
	static const char *const bad[] = {
		"",
		" ",
		"refs/heads/main",
		A40,
		A40 " " B40,
		A40 " " B40 " ",
		A40 " " B40 "  refs/heads/x",
		A40 " " A64 " refs/heads/x",
		A40 "a " B40 " refs/heads/x",
		"A" A40 " " B40 " refs/heads/x",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA " B40 " refs/heads/x",
		Z40 " " Z40 " refs/heads/x",
		A40 " " B40 " HEAD",
		A40 " " B40 " --all",
		A40 " " B40 " refs/heads/a b",
		A40 " " B40 " refs/heads/a\tb",
		A40 " " B40 " refs/heads/a..b",
		A40 " " B40 " refs/heads//b",
		A40 " " B40 " refs/heads/",
		A40 " " B40 " refs/heads/x.",
		A40 " " B40 " refs/a@{1}",
		A40 " " B40 " refs/heads/a\\b",
		A40 " " B40 " refs/heads/^b",
		A40 " " B40 " refs/",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(!parses(bad[i]), "'%s'", bad[i]);
}

static void an_input_comes_back_as_it_was(void)
{
	static const char lines[] = A40 " " B40 " refs/heads/x\n", others[] = A40 "\n" B40 "\n";
	const struct git_input input = {
		.time_us = 1234567890123456,
		.repository = "/srv/a\nb.git",
		.pusher = "",
		.done = 7,
		.has_others = true,
		.lines = { lines, sizeof(lines) - 1 },
		.others = { others, sizeof(others) - 1 },
	};
	struct bus_buf buf = BUS_BUF_INIT(4096);
	struct git_input back;
	size_t len;

	git_input_write(&buf, &input);
	CHECK_NEED(git_input_read(&back, buf.p, buf.len));
	CHECK(back.time_us == input.time_us && back.done == 7 && back.has_others);
	CHECK_TEXT(back.repository, input.repository);
	CHECK_TEXT(back.pusher, "");
	CHECK(back.lines.len == input.lines.len && !memcmp(back.lines.p, lines, back.lines.len));
	CHECK(back.others.len == input.others.len);
	for (len = 0; len < buf.len; len++)
		CHECK_ROW(!git_input_read(&back, buf.p, len), "cut to %zu bytes", len);
	bus_buf_add(&buf, "x", 1);
	CHECK(!git_input_read(&back, buf.p, buf.len));
	bus_buf_finish(&buf);
}

static void tells_what_a_push_did_to_a_ref(void)
{
	static const struct {
		const char *line;
		const char *type;
	} row[] = {
		{ Z40 " " A40 " refs/heads/x", "branch.create" },
		{ A40 " " B40 " refs/heads/x", "branch.push" },
		{ A40 " " Z40 " refs/heads/x", "branch.delete" },
		{ Z64 " " A64 " refs/tags/x", "tag.create" },
		{ A40 " " B40 " refs/tags/x", "tag.move" },
		{ A40 " " Z40 " refs/tags/x", "tag.delete" },
		{ Z40 " " A40 " refs/notes/commits", "ref.push" },
		{ A40 " " Z40 " refs/merge-requests/1/head", "ref.push" },
		{ Z40 " " A40 " refs/headsman", "ref.push" },
	};
	struct git_line line;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
		CHECK_NEED(git_line_parse(&line, slice_of(row[i].line), &why));
		CHECK_TEXT(change_type[git_kind_of(&line)], row[i].type);
	}
}

/* "12,34" for the bugs that text closes */
static const char *closed(const char *text)
{
	static char list[1200];
	struct closes closes = { .count = 0 };
	size_t i, n = 0;

	closes_find(&closes, text, strlen(text));
	list[0] = '\0';
	for (i = 0; i < closes.count; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%u", i ? "," : "",
				      closes.bug[i]);
	return list;
}

/* Expected values are those of dpkg's own expression. */
static void finds_closed_bugs_as_dpkg_does(void)
{
	static const struct {
		const char *text, *bugs;
	} row[] = {
		{ "Closes: #123", "123" },
		{ "closes:123", "123" },
		{ "CLOSES: bug#1, Bug 2", "1,2" },
		{ "Closes: #1,#2 , #3", "1,2" },
		{ "Closes: #1, #2,\n #3", "1,2,3" },
		{ "Closes:\n\n  # 77", "77" },
		{ "Closes: bug  5", "" },
		{ "Closes: ##5", "" },
		{ "(Closes: #5) Closes: #6, and #7", "5,6" },
		{ "Closes #5", "" },
		{ "discloses: 8", "8" },
		{ "Closes: #9 Closes: #9", "9" },
		{ "Closes: ", "" },
		{ "Closes: closes: 3", "3" },
		{ "Closes: #5,", "5" },
		{ "Closes: 1,closes: 2", "1,2" },
		{ "Closes: 12345678901, 4", "4" },
		{ "Closes: 0", "" },
		{ "closes", "" },
		{ "Closes: bug#12, bug # 3", "12" },
		{ "Closes: #12bug", "12" },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++)
		CHECK_ROW(!strcmp(closed(row[i].text), row[i].bugs), "'%s' closes '%s', not '%s'",
			  row[i].text, closed(row[i].text), row[i].bugs);
}

static void lists_no_more_bugs_than_it_has_room_for(void)
{
	struct bus_buf text = BUS_BUF_INIT(1 << 20);
	struct closes closes = { .count = 0 };
	int i;

	bus_buf_puts(&text, "Closes: 1");
	for (i = 2; i < 5000; i++)
		bus_buf_printf(&text, ", %d", i);
	closes_find(&closes, text.p, text.len);
	CHECK(closes.count == CLOSES_MAX && closes.bug[CLOSES_MAX - 1] == CLOSES_MAX);
	bus_buf_finish(&text);
}

static struct commit commit;

static const struct commit *read_raw(const char *raw, size_t len)
{
	commit_finish(&commit);
	CHECK_NEED(git_commit_read(&commit, A40, (struct slice){ raw, len }, NULL) == BUS_OK);
	return &commit;
}

#define READ(text) read_raw(text, sizeof(text) - 1)
#define HEAD "tree " A40 "\nparent " B40 "\n"

static void reads_a_commit(void)
{
	READ(HEAD
	     "author Anna \xc3\x96 <a@x> 1712345678 +0200\ncommitter B <b@x> 1 +0000\n"
	     "gpgsig -----BEGIN PGP SIGNATURE-----\n author Evil <e@x> 1 +0000\n \n encoding x\n"
	     " -----END\n\n\nFix it\n\nCloses: #5\n");
	CHECK_TEXT(commit.id, A40);
	CHECK_TEXT(commit.person, "Anna \xc3\x96 <a@x>");
	CHECK_TEXT(commit.subject, "Fix it");
	CHECK(commit.has_date && commit.date_us == 1712345678000000);
	CHECK(commit.closes.count == 1 && commit.closes.bug[0] == 5);
	READ("object " A40 "\ntype commit\ntag v1\ntagger T <t@x> 5 +0000\n\nVersion 1\n");
	CHECK_TEXT(commit.person, "T <t@x>");
	CHECK_TEXT(commit.subject, "Version 1");
}

static void reads_commits_nobody_should_write(void)
{
	CHECK_TEXT(READ("")->person, "");
	CHECK_TEXT(READ("\n\n\n")->subject, "");
	CHECK_TEXT(READ(HEAD "\nno author")->subject, "no author");
	CHECK(!READ(HEAD "author <> \n\n")->has_date);
	CHECK_TEXT(READ(HEAD "author <> 1 +0000\n\n")->person, "");
	CHECK_TEXT(READ(HEAD "author  <m@x> 1 +0000\n\n")->person, "<m@x>");
	CHECK_TEXT(READ(HEAD "author X <> 1 +0000\n\n")->person, "X");
	CHECK_TEXT(READ(HEAD "author X 1 +0000\n\n")->person, "X 1 +0000");
	CHECK_TEXT(READ(HEAD "author A <a <b@x>> 7 +0000\n\n")->person, "A <a <b@x>");
	CHECK(commit.has_date && commit.date_us == 7000000);
	CHECK_TEXT(READ(HEAD "author A <a@x> 1\n\n\r\n  Line\r\nmore")->subject, "Line");
	CHECK_TEXT(READ(HEAD "\na\tb\0c\x1b[31m")->subject, "a b c [31m");
	CHECK_TEXT(READ(HEAD "author A")->person, "A");
	CHECK(!READ(HEAD "author A <a@x> -5 +0000\n\n")->has_date);
	CHECK(!READ(HEAD "author A <a@x> 253402300800 +0000\n\n")->has_date);
	CHECK(READ(HEAD "author A <a@x> 253402300799 +0000\n\n")->has_date);
	CHECK(!READ(HEAD "author A <a@x> 99999999999999999999999999 +0000\n\n")->has_date);
	CHECK(!READ(HEAD "author A <a@x> 12x\n\n")->has_date);
}

static void decodes_what_the_encoding_header_says(void)
{
	CHECK_TEXT(READ(HEAD "author J\xf6rg <j@x> 1 +0000\nencoding ISO-8859-1\n\nGr\xfc\xdf"
			     "e")
			   ->person,
		   "J\xc3\xb6rg <j@x>");
	CHECK_TEXT(commit.subject, "Gr\xc3\xbc\xc3\x9f"
				   "e");
	CHECK_TEXT(READ("encoding EUC-JP\n\n\xc6\xfc\xcb\xdc")->subject,
		   "\xe6\x97\xa5\xe6\x9c\xac");
	/* no header, an unknown one, a wrong one, one that is not ours to run */
	CHECK_TEXT(READ("\nGr\xfc\xdf")->subject, "Gr\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_TEXT(READ("encoding klingon\n\nG\xfc")->subject, "G\xef\xbf\xbd");
	CHECK_TEXT(READ("encoding UTF-8\n\nG\xc3\xbc")->subject, "G\xc3\xbc");
	CHECK_TEXT(READ("encoding EUC-JP\n\nG\xc3\xbc\xff")->subject, "G\xc3\xbc\xef\xbf\xbd");
	CHECK_TEXT(READ("encoding ISO-8859-1//../x\n\nG\xfc")->subject, "G\xef\xbf\xbd");
}

static void cuts_long_lines_at_200_characters(void)
{
	struct bus_buf raw = BUS_BUF_INIT(1 << 20);
	size_t i, characters = 0;
	const char *p;

	bus_buf_puts(&raw, "\n");
	for (i = 0; i < 5000; i++)
		bus_buf_puts(&raw, "\xc3\xbc");
	read_raw(raw.p, raw.len);
	for (p = commit.subject; *p; p++)
		characters += ((unsigned char)*p & 0xc0) != 0x80;
	CHECK(characters == 200);
	CHECK_TEXT(commit.subject + strlen(commit.subject) - 3, "\xe2\x80\xa6");

	/* a character of two bytes across the end of what is decoded */
	bus_buf_clear(&raw);
	bus_buf_puts(&raw, "encoding EUC-JP\n\nx");
	for (i = 0; i < 5000; i++)
		bus_buf_puts(&raw, "\xc6\xfc");
	read_raw(raw.p, raw.len);
	CHECK(!strncmp(commit.subject, "x\xe6\x97\xa5\xe6\x97\xa5", 7));
	bus_buf_finish(&raw);
}

static char *written(struct change *change, size_t commits, const char *url)
{
	const struct change_detail detail = { commits, 60, true };
	struct bus_buf out = BUS_BUF_INIT(1 << 20);

	change_write(&out, change, &detail, url);
	return bus_buf_detach(&out);
}

static void writes_what_is_known(void)
{
	struct change change = {
		.kind = CHANGE_BRANCH_PUSH,
		.repository = "demo/h\xc3\xa4.git",
		.pusher = "anna",
		.vcs = "git",
		.ref = { "refs/heads/\xff%", 13 },
		.old_id = A40,
		.new_id = B40,
		.has_commits = true,
		.total = 3,
	};
	char *json;

	change.count = 1;
	READ("author A <a@x> 0 +0000\n\nFix the build");
	change.commit[0] = commit;
	json = written(&change, 20, "https://x/{repository}?r={ref}&o={old}&n={new}{x}");
	CHECK_TEXT(json,
		   "{\"summary\":\"demo/h\xc3\xa4.git: 3 new commits on \xef\xbf\xbd% by anna: "
		   "Fix the build\",\"url\":\"https://x/demo/h%C3%A4.git?r=refs/heads/%FF%25&o=" A40
		   "&n=" B40 "{x}\",\"vcs\":\"git\",\"repository\":\"demo/h\xc3\xa4.git\",\"ref\":"
		   "\"refs/heads/\xef\xbf\xbd%\",\"old\":\"" A40 "\",\"new\":\"" B40
		   "\",\"pusher\":"
		   "\"anna\",\"commits_total\":3,\"commits\":[{\"id\":\"" A40 "\",\"author\":"
		   "\"A <a@x>\",\"date\":\"1970-01-01T00:00:00.000000Z\",\"subject\":"
		   "\"Fix the build\",\"closes\":[]}],\"closes\":[]}");
	free(json);
	json = written(&change, 0, NULL);
	CHECK(strstr(json, "\"commits_total\":3,\"commits\":[],") != NULL);
	free(json);
}

/* Real commits, where they are at hand: none may crash it or come out as no text. */
static void reads_all_real_commits(void)
{
	char *directory = check_source("../shared/data/alioth/git-raw-commits");
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	size_t count = 0, len;
	char *path, *raw;

	if (!dir)
		printf("(left out: there is no %s) ", directory);
	while (dir && (entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".commit"))
			continue;
		CHECK_NEED(asprintf(&path, "%s/%s", directory, entry->d_name) > 0);
		raw = check_read(path, &len);
		read_raw(raw, len);
		count++;
		CHECK_ROW(commit.has_date && *commit.person, "%s", entry->d_name);
		CHECK_ROW(*commit.subject || !strncmp(entry->d_name, "empty-message", 13), "%s",
			  entry->d_name);
		CHECK_ROW(bus_utf8_valid(commit.subject, strlen(commit.subject)) &&
				  bus_utf8_valid(commit.person, strlen(commit.person)),
			  "%s", entry->d_name);
		CHECK_ROW(commit.closes.count > 1 || strncmp(entry->d_name, "closes-multi", 12),
			  "%s", entry->d_name);
		free(raw);
		free(path);
	}
	CHECK(!dir || count > 50);
	if (dir)
		closedir(dir);
	commit_finish(&commit);
	free(directory);
}

static const struct check_test tests[] = {
	{ "reads lines as git writes them", reads_lines_as_git_writes_them },
	{ "refuses lines git would not write", refuses_lines_git_would_not_write },
	{ "an input comes back as it was", an_input_comes_back_as_it_was },
	{ "tells what a push did to a ref", tells_what_a_push_did_to_a_ref },
	{ "finds closed bugs as dpkg does", finds_closed_bugs_as_dpkg_does },
	{ "lists no more bugs than it has room for", lists_no_more_bugs_than_it_has_room_for },
	{ "reads a commit", reads_a_commit },
	{ "reads commits nobody should write", reads_commits_nobody_should_write },
	{ "decodes what the encoding header says", decodes_what_the_encoding_header_says },
	{ "cuts long lines at 200 characters", cuts_long_lines_at_200_characters },
	{ "writes what is known", writes_what_is_known },
	{ "reads all real commits", reads_all_real_commits },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("git", tests);
}
