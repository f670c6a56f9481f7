#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/dak/changes.h"
#include "adapters/dak/clearsign.h"
#include "adapters/dak/date.h"
#include "adapters/dak/deb822.h"
#include "adapters/dak/dinstall.h"
#include "adapters/dak/heidi.h"
#include "adapters/dak/logline.h"
#include "adapters/dak/mail.h"
#include "adapters/dak/memory.h"
#include "adapters/dak/release.h"
#include "adapters/dak/removal.h"
#include "check.h"

static struct dak_slice slice(const char *text)
{
	return dak_slice(text);
}

static bool same(struct dak_slice got, const char *want)
{
	return check_that(dak_is(got, want), __FILE__, __LINE__, "'%.*s' is not '%s'", (int)got.len,
			  got.p ? got.p : "", want);
}

static void knows_names_as_dak_does(void)
{
	static const char *const good[] = { "hello", "libsigc++-2.0", "0ad", "a+" };
	static const char *const bad[] = { "",	     "a",	  "Hello",  "-hello",
					   "he llo", "hello_",	  "h/ello", "+foo",
					   ".foo",   "h\xc3\xa9", "a\n" };
	struct dak_slice nul = { "a\0b", 3 };
	unsigned int bug;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK_ROW(dak_is_package(slice(good[i])), "%s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(!dak_is_package(slice(bad[i])), "%s", bad[i]);
	CHECK(!dak_is_package(nul));
	CHECK(dak_is_version(slice("1:2.0~rc1+ds-1")) && !dak_is_version(slice("1/2")) &&
	      !dak_is_version(slice("")));
	CHECK(dak_is_file(slice("a_1~b+c.dsc")) && !dak_is_file(slice(".a")) &&
	      !dak_is_file(slice("a/b")) && !dak_is_file(slice("../a")));
	CHECK(dak_is_fingerprint(slice("0123456789ABCDEF0123456789ABCDEF01234567")) &&
	      !dak_is_fingerprint(slice("0123456789abcdef0123456789ABCDEF01234567")));
	CHECK(dak_bug_parse(&bug, slice("123456")) && bug == 123456);
	CHECK(!dak_bug_parse(&bug, slice("0")) && !dak_bug_parse(&bug, slice("1234567890")) &&
	      !dak_bug_parse(&bug, slice("-1")) && !dak_bug_parse(&bug, slice("")));
}

static void takes_the_name_of_a_changes_file_apart(void)
{
	struct dak_changes_name name;
	static const char *const bad[] = { "hello_1.0.changes",
					   "hello_1.0_.changes",
					   "hello_1:1.0_amd64.changes",
					   "hello_1.0_a_b.changes",
					   "hello_1.0_amd64.change",
					   "Hello_1.0_amd64.changes",
					   "_1_2.changes",
					   ".changes" };
	size_t i;

	CHECK_NEED(dak_changes_name_parse(&name,
					  slice("lib+x_2.0~rc1+ds-1+b2_kfreebsd-amd64.changes")));
	same(name.source, "lib+x");
	same(name.version, "2.0~rc1+ds-1+b2");
	same(name.suffix, "kfreebsd-amd64");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(!dak_changes_name_parse(&name, slice(bad[i])), "%s", bad[i]);
}

static void reads_stanzas(void)
{
	struct deb822 in = { slice("\n\nA: 1\nLong:\n x\n\ty\n .\nE: \n  \nB:2\n\nbad line\n"), 0 };
	struct deb822_field field;
	struct bus_err err;

	CHECK(deb822_begin(&in));
	CHECK_NEED(deb822_next(&in, &field, &err) == BUS_OK);
	CHECK(deb822_is(&field, "a") && !deb822_is(&field, "ab") && field.line == 3);
	CHECK_NEED(deb822_next(&in, &field, &err) == BUS_OK);
	same(field.value, "x\n\ty\n .");
	CHECK_NEED(deb822_next(&in, &field, &err) == BUS_OK);
	same(field.value, "");
	CHECK(deb822_next(&in, &field, &err) == BUS_E_NO);
	CHECK(deb822_begin(&in) && deb822_next(&in, &field, &err) == BUS_OK);
	same(field.value, "2");
	CHECK(deb822_next(&in, &field, &err) == BUS_E_NO && deb822_begin(&in));
	CHECK_CODE(deb822_next(&in, &field, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, "line 12");
	in = (struct deb822){ { "A: x\0y\n", 7 }, 0 };
	CHECK(deb822_next(&in, &field, &err) == BUS_E_DATA);
	in = (struct deb822){ slice(" x\n"), 0 };
	CHECK(deb822_next(&in, &field, &err) == BUS_E_DATA);
}

#define BEGIN "-----BEGIN PGP SIGNED MESSAGE-----\n"
#define SIGNATURE                                                                                  \
	"-----BEGIN PGP SIGNATURE-----\n\n"                                                        \
	"iHUEARYIAB0WIQT8l/vy3FVoKey41tYJiP4gbTOnnwUCawK79AAKCRAJiP4gbTOn\n"                       \
	"n5bhAP9+5JKPDuOj5wUN+5ku4l3KjVhBuENWMNaZ6QisKuagXQEAnnLzj+O/FhVy\n"                       \
	"iBqJXTFGvShSCovOgb6BROxNaUahygg=\n=JOS9\n"                                                \
	"-----END PGP SIGNATURE-----\n"

/* "" where it is refused */
static const char *signed_text(const char *text, const char *before)
{
	static struct clearsign found;

	clearsign_finish(&found);
	found = (struct clearsign)CLEARSIGN_INIT(100000);
	if (clearsign_read(&found, slice(text), before, NULL))
		return "";
	return found.text.p ? found.text.p : "";
}

static void takes_only_the_signed_text(void)
{
	static const struct {
		const char *text, *before, *signed_text;
	} row[] = {
		{ BEGIN "Hash: SHA256\n\nA: 1\n" SIGNATURE, NULL, "A: 1\n" },
		{ "\n \n" BEGIN "\nA: 1\n" SIGNATURE "\n\n", NULL, "A: 1\n" },
		{ "x\nAccepted:\n\n" BEGIN "\nA: 1\n" SIGNATURE, "Accepted:", "A: 1\n" },
		{ BEGIN "\n- -x\n- -----BEGIN PGP SIGNED MESSAGE-----\n" SIGNATURE, NULL,
		  "-x\n-----BEGIN PGP SIGNED MESSAGE-----\n" },
		{ BEGIN "\nA: 1 \t\r\n" SIGNATURE, NULL, "A: 1\n" },
		{ "-----BEGIN PGP SIGNED MESSAGE----- \t\n\t \nA\n" SIGNATURE, NULL, "A\n" },
		{ BEGIN "\nA\r\nB\n" SIGNATURE "x", NULL, "" },
		{ "x\n" BEGIN "\nA\n" SIGNATURE, NULL, "" },
		{ BEGIN "\nA\n" SIGNATURE, "Accepted:", "" },
		{ "Accepted:\nx\n" BEGIN "\nA\n" SIGNATURE, "Accepted:", "" },
		{ "Accepted:\nx\nAccepted:\n" BEGIN "\nA\n" SIGNATURE, "Accepted:", "" },
		{ "Accepted:\n" BEGIN "\nA\n" SIGNATURE BEGIN "\nB\n" SIGNATURE, "Accepted:", "" },
		{ BEGIN "\n" BEGIN "\nA\n" SIGNATURE, NULL, "" },
		{ BEGIN "\nx\nAccepted:\n" BEGIN "\nA\n" SIGNATURE, "Accepted:", "" },
		{ BEGIN "Comment: x\n\nA\n" SIGNATURE, NULL, "" },
		{ BEGIN "Hash: SHA256\nA\n" SIGNATURE, NULL, "" },
		{ BEGIN "\n-A\n" SIGNATURE, NULL, "" },
		{ BEGIN "\n-----END PGP SIGNATURE-----\nA\n" SIGNATURE, NULL, "" },
		{ BEGIN "\nA\n", NULL, "" },
		{ BEGIN "\nA\n-----BEGIN PGP SIGNATURE-----\n\naaa\n-----END PGP SIGNATURE-----\n",
		  NULL, "" },
		{ BEGIN "\nA\n-----BEGIN PGP SIGNATURE-----\n\naaaa\n\nbbbb\n"
			"-----END PGP SIGNATURE-----\n",
		  NULL, "" },
		{ BEGIN "\nA\n-----BEGIN PGP SIGNATURE-----\n\naaaa\n", NULL, "" },
		{ "-----BEGIN PGP SIGNED MESSAGE-----\f\n\nA\n" SIGNATURE, NULL, "" },
		{ "-----BEGIN PGP SIGNED MESSAGE-----\n\nA\n-----BEGIN PGP SIGNATURE-----\f\n",
		  NULL, "" },
		{ "", NULL, "" },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
		const char *got = signed_text(row[i].text, row[i].before);

		CHECK_ROW(!strcmp(got, row[i].signed_text), "row %zu: '%s'", i, got);
	}
	signed_text("", NULL);
}

static void finds_the_fingerprint_of_the_key(void)
{
	struct clearsign text = CLEARSIGN_INIT(1000);
	struct bus_buf found = BUS_BUF_INIT(128);
	size_t i, len;

	CHECK_NEED(clearsign_read(&text, slice(BEGIN "\nA\n" SIGNATURE), NULL, NULL) == BUS_OK);
	CHECK(clearsign_fingerprint(&text, &found) == BUS_OK);
	CHECK_TEXT(found.p, "FC97FBF2DC556829ECB8D6D60988FE206D33A79F");
	/* a part of it, and one with a byte behind it, are no signature */
	len = text.packet.len;
	for (i = 0; i < len; i++) {
		text.packet.len = i;
		CHECK_ROW(clearsign_fingerprint(&text, &found) == BUS_E_NO, "%zu bytes", i);
	}
	text.packet.len = len;
	bus_buf_add(&text.packet, "", 1);
	CHECK(clearsign_fingerprint(&text, &found) == BUS_E_NO);
	bus_buf_finish(&found);
	clearsign_finish(&text);
}

#define MD5 "d41d8cd98f00b204e9800998ecf8427e"
#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define REQUIRED                                                                                   \
	"Version: 1:2-1\nArchitecture: source amd64\nDistribution: unstable experimental\n"        \
	"Maintainer: \"O'Brien, J.\" <x@y>\n"
#define FILES "Files:\n " MD5 " 5 non-free/misc optional hello_2-1.dsc\n"

static void reads_a_changes_file(void)
{
	struct changes changes;
	struct bus_err err = { BUS_OK, "" };

	CHECK_NEED(changes_read(&changes,
				slice("Source: hello (1:2-0)\nBinary: hello\n hello-doc\n" REQUIRED
				      "Urgency: Low (because)\nCloses: 5 6 x 5 99999999999\n"
				      "Checksums-Sha256:\n " SHA256 " 5 hello_2-1.dsc\n" FILES),
				&err) == BUS_OK);
	same(changes.source, "hello");
	same(changes.source_version, "1:2-0");
	same(changes.urgency, "Low");
	same(changes.binaries, "hello\n hello-doc");
	CHECK(changes.sourceful && changes.bug_count == 2 && changes.bug[1] == 6);
	CHECK(changes.file_count == 1 && changes.file[0].size == 5);
	same(changes.file[0].section, "non-free/misc");
	same(changes.file[0].sha256, SHA256);
	changes_finish(&changes);
}

static void refuses_a_changes_file_that_could_be_read_in_two_ways(void)
{
	static const struct {
		const char *text, *says;
	} row[] = {
		{ "", "Source is missing" },
		{ "Source: hello\n" REQUIRED, "Files is missing" },
		{ "Source: hello\n" REQUIRED FILES "source: x\n", "Source stands twice" },
		{ "Source: hello\n" REQUIRED FILES "\nA: b\n", "second stanza" },
		{ "Source: hello world\n" REQUIRED FILES, "Source is not" },
		{ "Source: hello (\n" REQUIRED FILES, "Source is not" },
		{ "Source: hello\n" REQUIRED "Urgency: <b>\n" FILES, "Urgency" },
		{ "Source: hello\n" REQUIRED "Binary: ../x\n" FILES, "Binary" },
		{ "Source: hello\n" REQUIRED FILES " " MD5 " 6 misc optional hello_2-1.dsc\n",
		  "Files is not" },
		{ "Source: hello\n" REQUIRED FILES " " MD5 " 6 misc optional ../x\n",
		  "Files is not" },
		{ "Source: hello\n" REQUIRED FILES " " MD5 " -6 misc optional x\n",
		  "Files is not" },
		{ "Source: hello\n" REQUIRED FILES "Checksums-Sha256:\n " SHA256 " 5 other\n",
		  "does not fit" },
		{ "Source: hello\n" REQUIRED FILES "Checksums-Sha256:\n " SHA256
		  " 6 hello_2-1.dsc\n",
		  "does not fit" },
		{ "Source: hello\n" REQUIRED FILES "Checksums-Sha256:\n x 5 hello_2-1.dsc\n",
		  "is not a list" },
		{ "Source: hello\n" REQUIRED FILES "garbage\n", "line" },
	};
	struct changes changes;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
		CHECK_ROW(changes_read(&changes, slice(row[i].text), &err) == BUS_E_DATA, "row %zu",
			  i);
		CHECK_SAYS(&err, row[i].says);
	}
}

static void reads_lines_of_the_log(void)
{
	struct dak_line line;
	struct bus_err err;
	static const char *const bad[] = { "20231318155201|p|u|a", "20230230155201|p|u|a",
					   "20230318255201|p|u|a", "20230318155201|p|u",
					   "20230318155201|p",	   "20230318155201||u|a" };
	static const char *const goes_on[] = { "", "Traceback", "2023031815520|x",
					       " at 20230318155201|", "20230318155201 x" };
	size_t i;

	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	CHECK_NEED(dak_line_read(&line, slice("20230718155201|process-upload|dak|a b|c|d|"),
				 &err) == BUS_OK);
	CHECK(line.time_us == 1689688321000000);
	same(line.program, "process-upload");
	same(line.user, "dak");
	same(line.action, "a b");
	same(line.details, "c|d|");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(dak_line_read(&line, slice(bad[i]), &err) == BUS_E_DATA, "%s", bad[i]);
	for (i = 0; i < sizeof(goes_on) / sizeof(*goes_on); i++)
		CHECK_ROW(dak_line_read(&line, slice(goes_on[i]), &err) == BUS_E_NO, "%s",
			  goes_on[i]);
	CHECK(dak_line_read(&line, (struct dak_slice){ "20230718155201|p|u|a\0", 21 }, &err) ==
	      BUS_E_DATA);
	setenv("TZ", "UTC", 1);
	tzset();
}

static void reads_dates(void)
{
	int64_t us;

	CHECK(dak_date_parse(&us, slice("Sat, 18 Mar 2023 13:52:01 +0000")) &&
	      us == 1679147521000000);
	CHECK(dak_date_parse(&us, slice("18 Mar 2023 13:52:01 -0130")) && us == 1679152921000000);
	CHECK(dak_date_parse(&us, slice("Sat, 18 Mar 2023 13:52:01 UTC")) &&
	      us == 1679147521000000);
	CHECK(!dak_date_parse(&us, slice("Sat, 18 Mar 2023")) && !dak_date_parse(&us, slice("")) &&
	      !dak_date_parse(&us, slice("Sat, 18 Mar 2023 13:52:01 CEST")));
}

static void what_is_remembered_comes_back(void)
{
	struct dak_memory memory = { NULL, 0, 0, false }, back;
	struct bus_buf text = BUS_BUF_INIT(1 << 20);
	struct dak_note note = { .kind = DAK_NOTE_WAIT,
				 .act = DAK_POLICY_REJECT,
				 .time_us = 1,
				 .since_us = -5,
				 .name = "a_1_b.changes",
				 .to = "x y" };
	struct bus_err err;
	size_t i;

	DAK_NOTE_SET(note.by, slice("tab\tline\nend"));
	for (i = 0; i < 3; i++) {
		note.time_us++;
		CHECK_NEED(dak_memory_add(&memory, &note, &err) == BUS_OK);
	}
	dak_memory_write(&text, &memory);
	CHECK_NEED(dak_memory_read(&back, text.p, text.len, &err) == BUS_OK);
	CHECK(back.count == 3 && back.note[2].time_us == 4 && back.note[0].since_us == -5 &&
	      back.note[1].act == DAK_POLICY_REJECT && back.note[1].kind == DAK_NOTE_WAIT);
	CHECK_TEXT(back.note[1].name, "a_1_b.changes");
	CHECK_TEXT(back.note[1].by, "tab line end");
	CHECK_TEXT(back.note[1].to, "x y");
	CHECK_TEXT(back.note[1].detail, "");
	dak_memory_finish(&back);
	CHECK(dak_memory_read(&back, "other\n", 6, &err) == BUS_E_DATA);
	CHECK(dak_memory_read(&back, "", 0, &err) == BUS_OK && back.count == 0);
	/* it is bounded, and private things go last */
	note.kind = DAK_NOTE_HOST;
	CHECK_NEED(dak_memory_add(&memory, &note, &err) == BUS_OK);
	note.kind = DAK_NOTE_TOLD;
	for (i = 0; i < DAK_NOTES_MAX + 10; i++)
		CHECK_NEED(dak_memory_add(&memory, &note, &err) == BUS_OK);
	CHECK(memory.count == DAK_NOTES_MAX);
	CHECK(dak_memory_find(&memory, 0, DAK_NOTE_TOLD, NULL, note.name) < memory.count);
	CHECK(!strstr(memory.note[memory.count - 1].name, "changes"));
	CHECK(dak_memory_find(&memory, 0, DAK_NOTE_HOST, NULL, NULL) < memory.count);
	dak_memory_finish(&memory);
	bus_buf_finish(&text);
}

static void reads_what_its_neighbours_write(void)
{
	struct dinstall_trace trace;
	struct dak_removal removal;
	struct heidi_line heidi;
	struct release release;
	struct bus_err err;
	int64_t us;
	static const char whole[] =
		"Sat Mar 18 13:52:01 UTC 2023\nCreator: dak g1\nRunning on host: f\n"
		"Archive serial: 2023031801\nDate: Sat, 18 Mar 2023 13:52:01 +0000\n"
		"Architectures: all amd64 source\n";
	size_t len;

	CHECK(dinstall_trace_read(&trace, slice(whole)) == BUS_OK && trace.date_us > 0);
	same(trace.serial, "2023031801");
	for (len = 0; len < strlen(whole); len++)
		CHECK_ROW(dinstall_trace_read(&trace, (struct dak_slice){ whole, len }) == BUS_E_NO,
			  "%zu bytes", len);
	CHECK(dinstall_status_read(&us, slice("Dinstall start: Sat Mar 18 13:52:01 UTC 2023 "
					      "(1679147521)\nC: x\n")) == BUS_OK &&
	      us == 1679147521000000);
	CHECK(dinstall_status_read(&us, slice("Dinstall start: x (167914")) == BUS_E_NO);
	CHECK(heidi_line_read(&heidi, slice("-foo 1:1-1 amd64"), &err) == BUS_OK &&
	      heidi.is_removal);
	same(heidi.architecture, "amd64");
	CHECK(heidi_line_read(&heidi, slice("foo"), &err) == BUS_E_DATA &&
	      heidi_line_read(&heidi, slice("foo 1 a b"), &err) == BUS_E_DATA);
	CHECK(release_read(&release,
			   slice("Codename: sid\nDate: Sat, 18 Mar 2023 13:52:01 UTC\nMD5Sum:\n "
				 "x\n"),
			   &err) == BUS_OK &&
	      !release.valid_until_us);
	same(release.suite, "sid");
	CHECK(release_read(&release, slice("Suite: sid\n"), &err) == BUS_E_DATA);
	CHECK(dak_removal_read(&removal,
			       slice("Date: Sat, 18 Mar 2023 13:52:01 +0000\nSuite: unstable\n"
				     "Sources:\n foo_1\n"),
			       &err) == BUS_OK);
	CHECK(dak_removal_read(&removal, slice("Suite: unstable\nSources:\n foo_1\n"), &err) ==
	      BUS_E_DATA);
}

static void splits_suites_and_queues(void)
{
	struct dak_slice rest = slice("unstable, proposed-updates->stable-new,,x"), suite, queue;

	CHECK(dak_next_suite(&rest, &suite, &queue) && !queue.len);
	same(suite, "unstable");
	CHECK(dak_next_suite(&rest, &suite, &queue));
	same(suite, "proposed-updates");
	same(queue, "stable-new");
	CHECK(dak_next_suite(&rest, &suite, &queue));
	same(suite, "x");
	CHECK(!dak_next_suite(&rest, &suite, &queue));
}

static const struct check_test tests[] = {
	{ "knows names as dak does", knows_names_as_dak_does },
	{ "takes the name of a .changes file apart", takes_the_name_of_a_changes_file_apart },
	{ "reads stanzas", reads_stanzas },
	{ "takes only the signed text", takes_only_the_signed_text },
	{ "finds the fingerprint of the key", finds_the_fingerprint_of_the_key },
	{ "reads a .changes file", reads_a_changes_file },
	{ "refuses a .changes file that could be read in two ways",
	  refuses_a_changes_file_that_could_be_read_in_two_ways },
	{ "reads lines of the log", reads_lines_of_the_log },
	{ "reads dates", reads_dates },
	{ "what is remembered comes back", what_is_remembered_comes_back },
	{ "reads what its neighbours write", reads_what_its_neighbours_write },
	{ "splits suites and queues", splits_suites_and_queues },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("dak", tests);
}
