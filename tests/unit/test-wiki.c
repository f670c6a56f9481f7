#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/common/batch.h"
#include "adapters/common/text.h"
#include "adapters/wiki/moin_line.h"
#include "adapters/wiki/moin_page.h"
#include "adapters/wiki/page_name.h"
#include "adapters/wiki/wiki_event.h"
#include "check.h"

#define ADDRESS "198.51.100.9\thost-4.example.net\t"
#define USER "1405902296.85.43837"

static struct bus_buf memory = BUS_BUF_INIT(64 * 1024);

static const char *read_bytes(struct moin_line *ret, const char *line, size_t len)
{
	const char *why;

	return moin_line_read(ret, &memory, line, len, &why) ? NULL : why ? why : "memory";
}

static const char *read_text(struct moin_line *ret, const char *line)
{
	return read_bytes(ret, line, strlen(line));
}

static bool is(struct moin_field field, const char *text)
{
	return field.len == strlen(text) && (!field.len || !memcmp(field.p, text, field.len));
}

static void reads_lines_as_moin_writes_them(void)
{
	struct moin_line line;

	CHECK_NEED(!read_text(&line, "1620714570852552\t00000007\tSAVE/RENAME\ttest2\t" ADDRESS USER
				     "\tEin wiki\tnew name"));
	CHECK(line.time_us == 1620714570852552 && line.revision == 7);
	CHECK(line.action == MOIN_SAVE_RENAME && !line.torn);
	CHECK(is(line.page, "test2") && is(line.user_id, USER));
	CHECK(is(line.extra, "Ein wiki") && is(line.comment, "new name"));

	CHECK_NEED(!read_text(&line, "1\t99999999\tATTDRW\tA\t\t\t\ta.tdraw\t"));
	CHECK(line.action == MOIN_ATTDRW && line.revision == MOIN_ATTACHMENT);
	CHECK(is(line.user_id, "") && is(line.extra, "a.tdraw") && is(line.comment, ""));

	/* a record that was cut off, and the next one right behind it: nobody's address is a
	 * comment */
	CHECK(read_text(&line, "1\t00000001\tSAVE\tA\t198.51"
			       "20\t00000002\tSAVE\tB\t" ADDRESS USER "\t\tsaid") != NULL);
	CHECK(read_text(&line, "1\t00000001\tSAVE\tPa"
			       "20\t00000002\tATTNEW\tB\t" ADDRESS USER "\tfile\t") != NULL);

	/* what other hosts and versions left of the end */
	CHECK_NEED(!read_text(&line, "1\t1\tSAVE\tA"));
	CHECK(is(line.page, "A") && is(line.extra, "") && is(line.comment, ""));
	CHECK_NEED(!read_text(&line, "1\t1\tSAVE\tA\t" ADDRESS USER "\r"));
	CHECK(is(line.user_id, USER));
	CHECK(read_text(&line, "1\t1\tSAVE\tA\t" ADDRESS "\t\tsaid\tmore\tthan it may") != NULL);
	CHECK_NEED(!read_text(&line, "1\t1\tSAVE\tA\t" ADDRESS "\t\t\xff\xc2\x85"));
	CHECK(is(line.comment, "\xff\xc2\x85"));
}

static void refuses_what_is_no_record(void)
{
	static const struct {
		const char *line, *why;
	} row[] = {
		{ "", "fields" },
		{ "\t\t\t\t\t\t\t\t", "time" },
		{ "1\t1\tSAVE", "fields" },
		{ "1.5\t1\tSAVE\tA", "time" },
		{ "-1\t1\tSAVE\tA", "time" },
		{ "253402300800000000\t1\tSAVE\tA", "time" },
		{ "1000000000000000000000\t1\tSAVE\tA", "time" },
		{ "1\tx\tSAVE\tA", "revision" },
		{ "1\t\tSAVE\tA", "revision" },
		{ "1\t12345678901\tSAVE\tA", "revision" },
		{ "1\t1\tLOCK\tA", "action" },
		{ "1\t1\tsave\tA", "action" },
		{ "1\t1\tSAVEN\tA", "action" },
		{ "1\t1\t\tA", "action" },
	};
	struct moin_line line;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
		why = read_text(&line, row[i].line);
		CHECK_ROW(why && strstr(why, row[i].why), "'%s': %s", row[i].line, why ? why : "");
	}
}

static void an_address_is_no_user_id(void)
{
	static const char *const not_an_id[] = {
		"198.51.100.9", "2001:db8::1", "host-4.example.net",
		"127.1",	"2130706433",  ".1.2",
		"1..2",		"1.2.",	       "Anna",
	};
	struct moin_line line;
	char text[200];
	size_t i;

	for (i = 0; i < sizeof(not_an_id) / sizeof(*not_an_id); i++) {
		snprintf(text, sizeof(text), "1\t1\tSAVE\tA\t" ADDRESS "%s\t\t", not_an_id[i]);
		CHECK_ROW(!read_text(&line, text) && !line.user_id.len, "%s", not_an_id[i]);
	}
}

static void finds_the_record_behind_nul_bytes(void)
{
	static const char whole[] = "\0\0\0\0001\t00000002\tSAVE\tA\t" ADDRESS "\t\tsaid";
	static const char torn[] = "1620714570852552\t00000007\tSA\0\0\0"
				   "2\t00000002\tSAVE\tA\t" ADDRESS "\t\tsaid";
	static const char inside[] = "162\0\0\0\0"
				     "0714\t00000007\tSAVE\tA\0\t" ADDRESS "\t\tsaid";
	static const char joined[] = "1620714570852552\t00000007\tSAVE\tA\0\t" ADDRESS;
	struct moin_line line;
	const char *why;

	CHECK_NEED(!read_bytes(&line, whole, sizeof(whole) - 1));
	CHECK(line.time_us == 1 && !line.torn && is(line.comment, "said"));
	CHECK_NEED(!read_bytes(&line, torn, sizeof(torn) - 1));
	CHECK(line.time_us == 2 && line.torn == 28);
	CHECK_NEED(!read_bytes(&line, inside, sizeof(inside) - 1));
	CHECK(line.time_us == 1620714 && !line.torn && is(line.page, "A"));
	why = read_bytes(&line, joined, sizeof(joined) - 1);
	CHECK(why && strstr(why, "fields"));
	why = read_bytes(&line, "\0\0\0", 3);
	CHECK(why && strstr(why, "NUL"));
}

static void check_mask(const char *line, const char *want)
{
	struct bus_buf masked = BUS_BUF_INIT(4096);

	moin_line_mask(&masked, line, strlen(line));
	CHECK_TEXT(masked.p ? masked.p : "", want);
	bus_buf_finish(&masked);
}

static void keeps_no_address_of_what_it_refuses(void)
{
	check_mask("1\t00000001\tLOCK\tA(2f)B\t" ADDRESS USER "\textra\tcomment",
		   "1\t00000001\tLOCK\tA(2f)B\t*\t*\t*\t*\t*");
	check_mask("1\t1\tSAVE\tA\t\t\t\t\t", "1\t1\tSAVE\tA\t\t\t\t\t");
	/* shifted by one, two records in a line, no record at all */
	check_mask("1\tSAVE\tlocalhost\tA\t" ADDRESS, "1\t*\t*\t*\t*\t*\t");
	check_mask("1\t1\tSAVE\tA1\t1\tSAVE\tA\t" ADDRESS "\t\t", "1\t1\tSAVE\tA1\t*\t*\t*\t*\t*");
	check_mask("host-4.example.net", "*");
	check_mask("2001:db8::1 - - [22/Nov/2026]", "*");
	check_mask("", "");
}

static void reads_names_of_pages(void)
{
	static const struct {
		const char *quoted, *name;
	} row[] = {
		{ "FFII(2f)(c39c)ber(20)uns", "FFII/\xc3\x9c"
					      "ber uns" },
		{ "FrontPage", "FrontPage" },
		{ "(c39C)", "\xc3\x9c" },
		{ "(28)x(29)", "(x)" },
		{ "(2e2e2f2e2e)", "../.." },
		{ "_(41)_", "_A_" },
	};
	static const char *const bad[] = {
		"",	"()",	    "(",	")",	   "(2",
		"(2)",	"(2f",	    "(2f2)",	"(2g)",	   "((2f))",
		"a)",	"(2f)(",    "..",	"a/b",	   "../../etc/passwd",
		"a b",	"a-b",	    "(00)",	"a(6100)", "(ff)",
		"(c3)", "(eda080)", "\xc3\x9c", "A.B",	   "%41",
		"a\\b", "(410a42)", "A(1b)",	"(20)",	   "(c285)",
	};
	struct bus_buf name = BUS_BUF_INIT(PAGE_NAME_MAX);
	char longest[PAGE_NAME_MAX + 2];
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
		bus_buf_clear(&name);
		CHECK_ROW(page_name_read(&name, row[i].quoted, strlen(row[i].quoted), &why) &&
				  strcmp(name.p, row[i].name) == 0,
			  "%s", row[i].quoted);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(!page_name_read(&name, bad[i], strlen(bad[i]), &why) && why, "%s",
			  bad[i]);
	memset(longest, 'x', sizeof(longest));
	bus_buf_clear(&name);
	CHECK(page_name_read(&name, longest, PAGE_NAME_MAX, &why));
	CHECK(!page_name_read(&name, longest, PAGE_NAME_MAX + 1, &why));
	bus_buf_finish(&name);
}

static void reads_names_of_files(void)
{
	static const struct {
		const char *line, *name;
	} row[] = {
		{ "1\t99999999\tATTNEW\tA\t\t\t\ta%20b%c3%9C.png\t", "a b\xc3\x9c.png" },
		{ "1\t99999999\tATTNEW\tA\t\t\t\t100%\t", "100%" },
		{ "1\t99999999\tATTNEW\tA\t\t\t\t%zz%4\t", "%zz%4" },
		{ "1\t99999999\tATTNEW\tA\t\t\t\ta+b\t", "a+b" },
		/* the package installer's */
		{ "1\t00000003\tATTNEW\tA\t::1\tScripting Subsystem\t\ta%20b\t", "a%20b" },
	};
	struct bus_buf name = BUS_BUF_INIT(1024);
	struct moin_line line;
	char text[400];
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
		bus_buf_clear(&name);
		CHECK_ROW(!read_text(&line, row[i].line) && moin_line_file(&name, &line) &&
				  strcmp(name.p, row[i].name) == 0,
			  "%s", row[i].line);
	}
	bus_buf_clear(&name);
	CHECK(!read_text(&line, "1\t99999999\tATTNEW\tA") && !moin_line_file(&name, &line));
	snprintf(text, sizeof(text), "1\t99999999\tATTNEW\tA\t\t\t\t%0256d", 0);
	CHECK(!read_text(&line, text) && !moin_line_file(&name, &line));
	bus_buf_finish(&name);
}

/* -- deletions -- */

/* A page with these files; text NULL: without. */
static void make_page(const char *name, const char *revision, const char *log, const char *current,
		      const char *current_locked)
{
	const struct {
		const char *name, *text;
	} file[] = {
		{ "edit-log", log },
		{ "current", current },
		{ "current-locked", current_locked },
	};
	char *path;
	size_t i;

	path = check_path("moin/pages/%s", name);
	check_remove(path);
	CHECK_NEED(mkdir(path, 0700) == 0);
	free(path);
	path = check_path("moin/pages/%s/revisions", name);
	CHECK_NEED(mkdir(path, 0700) == 0);
	free(path);
	if (revision) {
		path = check_path("moin/pages/%s/revisions/%s", name, revision);
		check_write(path, 0600, "text");
		free(path);
	}
	for (i = 0; i < 3; i++) {
		path = check_path("moin/pages/%s/%s", name, file[i].name);
		if (file[i].text)
			check_write(path, 0600, file[i].text);
		free(path);
	}
}

static bool was_deleted(const char *text)
{
	char *data = check_path("moin");
	struct bus_err err;
	struct moin_line line;
	bool ret = false;

	CHECK_NEED(!read_text(&line, text));
	CHECK_CODE(moin_page_was_deleted(&ret, data, &line, &err), BUS_OK, &err);
	free(data);
	return ret;
}

static void make_data_directory(void)
{
	char *path = check_path("moin");

	check_remove(path);
	CHECK_NEED(mkdir(path, 0700) == 0);
	free(path);
	path = check_path("moin/pages");
	CHECK_NEED(mkdir(path, 0700) == 0);
	free(path);
}

static void tells_deletions_from_edits(void)
{
	static const char save[] = "20\t00000002\tSAVE\tP\t\t\t\t\t";
	static const char before[] = "10\t00000001\tSAVENEW\tP\t\t\t\t\t\n";
	static const struct {
		const char *what, *revision, *log, *current, *locked;
		bool deleted;
	} row[] = {
		{ "its file is there", "00000002", "20\t00000002\tSAVE\tP\n", "00000002\n", NULL,
		  false },
		{ "the last line", NULL, "20\t00000002\tSAVE\tP\n", "00000002\n", NULL, true },
		{ "then attached", NULL, "20\t00000002\tSAVE\tP\n25\t00000002\tATTNEW\tP\n",
		  "00000002\n", NULL, true },
		{ "then made again", NULL, "20\t00000002\tSAVE\tP\n30\t00000003\tSAVENEW\tP\n",
		  "00000003\n", NULL, true },
		{ "then reverted: who knows", NULL,
		  "20\t00000002\tSAVE\tP\n30\t00000003\tSAVE/REVERT\tP\n", "00000003\n", NULL,
		  false },
		{ "then edited: the file was removed", NULL,
		  "20\t00000002\tSAVE\tP\n30\t00000003\tSAVE\tP\n", "00000003\n", NULL, false },
		{ "then renamed: the file was removed", NULL,
		  "20\t00000002\tSAVE\tP\n30\t00000003\tSAVE/RENAME\tP\n", "00000003\n", NULL,
		  false },
		{ "another page of this name", NULL, "99\t00000002\tSAVE\tP\n", "00000002\n", NULL,
		  false },
		{ "moin is at it", NULL, before, NULL, "00000002\n", true },
		{ "moin was killed at it", NULL, before, "00000002\n", NULL, true },
		{ "moin is at the next", NULL, before, NULL, "00000003\n", false },
		{ "not in its log, and not the last", NULL, before, "00000003\n", NULL, false },
		{ "half of its line", NULL, "20\t00000002\tSA", "00000002\n", NULL, true },
		{ "a damaged log", NULL, "rubbish\n\n\t\t\n20\t00000002\tSAVE\tP\n", "00000002\n",
		  NULL, true },
		{ "somebody removed it", NULL, "20\t00000002\tSAVE\tP\n", "00000001\n", NULL,
		  false },
		{ "a damaged current", NULL, NULL, "x\n", NULL, false },
		{ "nothing", NULL, NULL, NULL, NULL, false },
	};
	char *path;
	size_t i;

	make_data_directory();
	for (i = 0; i < sizeof(row) / sizeof(*row); i++) {
		make_page("P", row[i].revision, row[i].log, row[i].current, row[i].locked);
		CHECK_ROW(was_deleted(save) == row[i].deleted, "%s", row[i].what);
	}
	make_page("P", NULL, "20\t00000002\tSAVE\tP\n", "00000002\n", NULL);
	CHECK(was_deleted(save));
	CHECK(!was_deleted("20\t00000000\tSAVE\tP"));
	CHECK(was_deleted("20\t00000002\tSAVENEW\tP"));
	make_page("P", NULL, "20\t00000001\tSAVENEW\tP\n", "00000001\n", NULL);
	CHECK(!was_deleted("20\t00000001\tSAVENEW\tP")); /* made, and its file removed */
	make_page("P", NULL, "20\t00000002\tSAVE\tP\n", "00000002\n", NULL);
	path = check_path("moin/pages/P/revisions");
	check_remove(path);
	free(path);
	CHECK(!was_deleted(save));
	make_data_directory(); /* it was renamed, and its directory is gone */
	CHECK(!was_deleted(save));
}

/* -- events -- */

static struct wiki_text text(const char *p)
{
	return (struct wiki_text){ p, strlen(p) };
}

static void check_data(const struct wiki_change *change, const char *url, const char *want)
{
	struct bus_buf out = BUS_BUF_INIT(64 * 1024);

	wiki_event_write(&out, change, 500, url);
	CHECK_TEXT(out.p, want);
	bus_buf_finish(&out);
}

static void writes_what_the_schemas_say(void)
{
	struct wiki_change change = {
		.kind = WIKI_PAGE_REVERT,
		.engine = "moinmoin",
		.page = "A/b c?\n",
		.revision = 3,
		.reverted_to = 1,
		.user_id = text(USER),
		.comment = text("  so \xc2\x85 it\xe2\x80\xa8is \xff "),
	};

	check_data(&change, "https://x/{page}?action=diff#{other}",
		   "{\"summary\":\"A/b c? : reverted to revision 1: so   it is \xef\xbf\xbd\","
		   "\"url\":\"https://x/A/b%20c%3F%0A?action=diff#{other}\","
		   "\"engine\":\"moinmoin\",\"page\":\"A/b c?\\n\",\"revision\":3,"
		   "\"reverted_to\":1,\"user_id\":\"" USER "\",\"comment\":\"so   it is "
		   "\xef\xbf\xbd\"}");
	change = (struct wiki_change){
		.kind = WIKI_PAGE_RENAME,
		.engine = "mediawiki",
		.page = "New",
		.old_page = text("Old"),
		.user = text("Anna"),
		.url = "https://y/New",
		.minor = true,
		.bot = true,
	};
	check_data(&change, "https://x/{page}",
		   "{\"summary\":\"New: renamed from Old by Anna\",\"url\":\"https://y/New\","
		   "\"engine\":\"mediawiki\",\"page\":\"New\",\"old_page\":\"Old\","
		   "\"user\":\"Anna\",\"minor\":true,\"bot\":true}");
	change = (struct wiki_change){
		.kind = WIKI_ATTACHMENT_ADD, .engine = "moinmoin", .page = "A", .file = text("f")
	};
	check_data(&change, NULL,
		   "{\"summary\":\"A: attached f\",\"engine\":\"moinmoin\",\"page\":\"A\","
		   "\"file\":\"f\"}");
}

static void an_address_is_no_user(void)
{
	static const char *const address[] = { "192.0.2.7", "2001:DB8:0:0:0:0:0:1", "2001:db8::1",
					       "de>192.0.2.7", "192.0.2.7 (really)" };
	struct wiki_change change = { .kind = WIKI_PAGE_EDIT, .engine = "mediawiki", .page = "A" };
	size_t i;

	for (i = 0; i < sizeof(address) / sizeof(*address); i++) {
		change.user = text(address[i]);
		check_data(&change, NULL,
			   "{\"summary\":\"A: edited\",\"engine\":\"mediawiki\",\"page\":\"A\"}");
	}
}

static void addresses_in_comments_are_masked(void)
{
	struct wiki_change change = { .kind = WIKI_PAGE_EDIT, .engine = "moinmoin", .page = "A" };
	struct bus_buf out = BUS_BUF_INIT(10000);
	char comment[600];

	change.comment = text("\xc2\xab"
			      "192.0.2.7\xc2\xbb\n198.51.100.9\t2001:db8::9");
	check_data(&change, NULL,
		   "{\"summary\":\"A: edited: \xc2\xab(address)\xc2\xbb (address) (address)\","
		   "\"engine\":\"moinmoin\",\"page\":\"A\","
		   "\"comment\":\"\xc2\xab(address)\xc2\xbb (address) (address)\"}");
	memset(comment, ' ', sizeof(comment));
	comment[0] = 'x';
	snprintf(comment + 493, sizeof(comment) - 493, "192.0.2.7"); /* cut within it */
	change.comment = text(comment);
	wiki_event_write(&out, &change, 500, NULL);
	CHECK(!memmem(out.p, out.len, "192", 3));
	bus_buf_finish(&out);
}

/* How long the comment is that an event of at most so many bytes has; -1: no event. */
static int comment_that_fits(size_t max_event_size, const char *page)
{
	struct adapter_context ctx = { "debmsg-wiki", NULL, NULL };
	struct wiki_change change = { .kind = WIKI_PAGE_EDIT, .engine = "moinmoin", .page = page };
	char *path = check_path("conf"), conf_text[300], comment[901];
	struct adapter_batch batch;
	struct bus_conf *conf;
	const char *found;
	struct bus_err err;
	int ret = -1;

	snprintf(conf_text, sizeof(conf_text),
		 "environment = \"dev\"\nstate-directory = \"/nowhere\"\ntrust-file = \"/x\"\n"
		 "max-event-size = %zu\nservice \"wiki\" { origin = \"example.org/wiki\" \n"
		 "url = \"https://wiki.example.org/wiki/{page}\" }\n",
		 max_event_size);
	check_write(path, 0600, conf_text);
	CHECK_NEED(bus_conf_load(&conf, path, &err) == BUS_OK);
	ctx.conf = conf;
	ctx.service = conf->service;
	memset(comment, 'x', 900);
	comment[900] = '\0';
	change.comment = text(comment);
	batch_init(&batch);
	CHECK_CODE(wiki_event_add(&batch, &ctx, &change, 1, "raw", 3, &err), BUS_OK, &err);
	CHECK_NEED(batch.count == 1);
	found = strstr(batch.event[0].data.p, "\"comment\":\"");
	if (batch_try(&ctx, "page.edit", page, &batch.event[0].data, &err) == BUS_OK)
		ret = found ? (int)strspn(found + 11, "x") : 0;
	batch_finish(&batch);
	bus_conf_free(conf);
	free(path);
	return ret;
}

static void what_is_too_large_goes_with_less(void)
{
	char page[PAGE_NAME_MAX + 1];

	memset(page, 'p', PAGE_NAME_MAX);
	page[PAGE_NAME_MAX] = '\0';
	CHECK(comment_that_fits(64 * 1024, page) == 499);
	CHECK(comment_that_fits(1024, "A") == 59);
	page[230] = '\0'; /* here the url does not fit either */
	CHECK(comment_that_fits(1024, page) == 0);
}

static const struct check_test tests[] = {
	{ "reads lines as moin writes them", reads_lines_as_moin_writes_them },
	{ "refuses what is no record", refuses_what_is_no_record },
	{ "an address is no user id", an_address_is_no_user_id },
	{ "finds the record behind NUL bytes", finds_the_record_behind_nul_bytes },
	{ "keeps no address of what it refuses", keeps_no_address_of_what_it_refuses },
	{ "reads names of pages", reads_names_of_pages },
	{ "reads names of files", reads_names_of_files },
	{ "tells deletions from edits", tells_deletions_from_edits },
	{ "writes what the schemas say", writes_what_the_schemas_say },
	{ "an address is no user", an_address_is_no_user },
	{ "addresses in comments are masked", addresses_in_comments_are_masked },
	{ "what is too large goes with less", what_is_too_large_goes_with_less },
	{ NULL, NULL },
};

int main(void)
{
	int status = check_main("wiki", tests);

	bus_buf_finish(&memory);
	return status;
}
