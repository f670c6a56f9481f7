#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/alioth/bzr.h"
#include "adapters/alioth/cvs_loginfo.h"
#include "adapters/alioth/darcs_patches.h"
#include "adapters/alioth/hg_repo.h"
#include "adapters/alioth/svn_changed.h"
#include "adapters/alioth/vcs.h"
#include "check.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B40 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct bus_err err;

/* -- fields -- */

static void fields_come_back_as_they_were(void)
{
	struct bus_buf buf = BUS_BUF_INIT(4096);
	const struct vcs_input input = {
		.time_us = 1234567890123456,
		.repository = (char *)(uintptr_t) "/srv/a\nb 7 c",
		.pusher = (char *)(uintptr_t) "",
		.done = 7,
	};
	struct vcs_input back;
	struct slice fields, field;
	size_t len;

	vcs_input_write(&buf, "x 1", &input);
	slice_field_add(&buf, "a\0b\n", 4);
	fields = slice_of_buf(&buf);
	CHECK_NEED(vcs_input_read(&back, "x 1", &fields));
	CHECK(back.time_us == input.time_us && back.done == 7);
	CHECK_TEXT(back.repository, input.repository);
	CHECK_TEXT(back.pusher, "");
	CHECK(slice_field(&fields, &field) && field.len == 4 && !memcmp(field.p, "a\0b\n", 4));
	CHECK(!fields.len && !slice_field(&fields, &field));
	vcs_input_finish(&back);
	fields = slice_of_buf(&buf);
	CHECK(!vcs_input_read(&back, "x 2", &fields));
	for (len = 0; len < buf.len; len++) {
		fields = (struct slice){ buf.p, len };
		back = (struct vcs_input){ 0 };
		CHECK_ROW(!vcs_input_read(&back, "x 1", &fields) || !slice_field(&fields, &field),
			  "cut to %zu bytes", len);
		vcs_input_finish(&back);
	}
	bus_buf_finish(&buf);
}

static void refuses_fields_that_lie_about_their_length(void)
{
	static const char *const bad[] = {
		"",
		"3",
		"3 ab\n",
		"3 abcd\n",
		"-1 a\n",
		"18446744073709551615 a\n",
		"99999999999999999999999 a\n",
		" a\n",
		"a b\n",
		"1 a",
	};
	struct slice fields, field;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fields = slice_of(bad[i]);
		CHECK_ROW(!slice_field(&fields, &field), "'%s'", bad[i]);
	}
}

/* -- svn -- */

/* "A trunk@x, U tags/1" and so on for lines that are ended by LF */
static const char *touched(const char *lines)
{
	static char list[4096];
	struct svn_refs refs;
	struct slice text = slice_of(lines), line;
	enum bus_code rc = BUS_OK;
	size_t i, n = 0;

	list[0] = '\0';
	svn_refs_init(&refs);
	while (!rc && slice_line(&text, &line))
		rc = svn_refs_line(&refs, line, &err);
	if (!rc)
		rc = svn_refs_end(&refs, &err);
	if (rc)
		snprintf(list, sizeof(list), "%s", err.text);
	for (i = 0; i < refs.count && !rc; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%c%s%s%s%s", i ? ", " : "",
				      refs.ref[i].state, refs.ref[i].is_tag ? "t " : " ",
				      refs.ref[i].path, refs.ref[i].copied_from ? " < " : "",
				      refs.ref[i].copied_from ? refs.ref[i].copied_from : "");
	svn_refs_finish(&refs);
	return list;
}

static void finds_branches_and_tags_in_what_svnlook_prints(void)
{
	static const struct {
		const char *lines, *refs;
	} row[] = {
		{ "", "U /" },
		{ "A   branches/\nA   tags/\nA   trunk/\n", "A trunk" },
		{ "A   branches/\nA   tags/\n", "U /" },
		{ "A   trunk/a.txt\nA   trunk/dir \xc3\xa9/\nA   trunk/dir \xc3\xa9/b c\n",
		  "U trunk" },
		{ "_U  trunk/\nUU  trunk/a\nA + trunk/c\n    (from trunk/a:r2)\nD   trunk/d\n",
		  "U trunk" },
		{ "A + tags/1.0/\n    (from trunk/:r4)\n", "At tags/1.0 < trunk@4" },
		{ "A + branches/x/\n    (from trunk/:r4)\nU   branches/x/f\n"
		  "A + branches/x/g\n    (from y:r1)\n",
		  "A branches/x < trunk@4" },
		{ "D   tags/1.0/\nD   branches/b/\nD   trunk/\n",
		  "Dt tags/1.0, D branches/b, D trunk" },
		{ "U   README\n", "U /" },
		{ "U   README\nU   trunk/x\n", "U trunk, U /" },
		{ "A   p/\nA   p/trunk/\nA   p/branches/\n", "A p/trunk" },
		{ "A   p/\nA   q/\nA   p/trunk/\n", "A p/trunk, U /" },
		{ "A   p/\nA   p/x\nA   p/trunk/\n", "A p/trunk, U /" },
		{ "D   branches/\n", "U /" },
		{ "A + p/\n    (from q/:r1)\nU   p/trunk/f\n", "U p/trunk, U /" },
		{ "_U  /\n", "U /" },
		{ "A   branches/README\n", "U /" },
		{ "A   trunk\n", "U /" },
		{ "U   a/b/c/tags/x/trunk/f\n", "Ut a/b/c/tags/x" },
		{ "U   trunk/tags/x/f\n", "U trunk" },
		{ "U   branches/trunk/f\n", "U branches/trunk" },
		{ "U   mytrunk/f\n", "U /" },
		{ "A + tags/x:r9/\n    (from a (from b:r1):r2/:r3)\n",
		  "At tags/x:r9 < a (from b:r1):r2@3" },
		{ "X   trunk/\n", "svnlook changed: a line that is not its own" },
		{ "A  trunk/\n", "svnlook changed: a line that is not its own" },
		{ "A", "svnlook changed: a line that is not its own" },
		{ "A + trunk/\n    (from x)\n", "svnlook changed: a copy from nowhere" },
		{ "A + trunk/\n    (from x:r)\n", "svnlook changed: a copy from nowhere" },
		{ "    (from x:r1)\n", "U /" },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(*row); i++)
		CHECK_ROW(!strcmp(touched(row[i].lines), row[i].refs),
			  "'%s' touches '%s', not '%s'", row[i].lines, touched(row[i].lines),
			  row[i].refs);
}

static void has_room_for_so_many_branches_and_no_more(void)
{
	struct bus_buf line = BUS_BUF_INIT(100);
	struct svn_refs refs;
	int i;

	svn_refs_init(&refs);
	for (i = 0; i < SVN_REFS_MAX + 10; i++) {
		bus_buf_clear(&line);
		bus_buf_printf(&line, "U   branches/%d/f", i);
		CHECK_NEED(svn_refs_line(&refs, slice_of_buf(&line), &err) == BUS_OK);
	}
	CHECK_NEED(svn_refs_end(&refs, &err) == BUS_OK);
	CHECK(refs.count == SVN_REFS_MAX + 1);
	CHECK_TEXT(refs.ref[SVN_REFS_MAX].path, "/");
	svn_refs_finish(&refs);
	bus_buf_finish(&line);
}

/* -- hg -- */

static void groups_changesets_by_branch(void)
{
	struct hg_branches branches = { 0 };
	char line[200];
	int i;

	CHECK_CODE(hg_branches_line(&branches, slice_of(A40 "  default"), &err), BUS_OK, &err);
	CHECK_CODE(hg_branches_line(&branches, slice_of(B40 " 1 a%20%22b%25"), &err), BUS_OK, &err);
	for (i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "%040x  default", i);
		CHECK_CODE(hg_branches_line(&branches, slice_of(line), &err), BUS_OK, &err);
	}
	CHECK_NEED(branches.count == 2);
	CHECK_TEXT(branches.branch[0].name, "default");
	CHECK(branches.branch[0].total == 51 && !branches.branch[0].is_closed);
	snprintf(line, sizeof(line), "%040x", 49);
	CHECK_TEXT(branches.branch[0].newest[50 % CHANGE_NEWEST], line);
	CHECK_TEXT(branches.branch[1].name, "a \"b%");
	CHECK(branches.branch[1].is_closed);
	CHECK(hg_branches_line(&branches, slice_of("rubbish"), &err) == BUS_E_DATA);
	CHECK(hg_branches_line(&branches, slice_of(A40), &err) == BUS_E_DATA);
	CHECK(hg_branches_line(&branches, slice_of(A40 "a  x"), &err) == BUS_E_DATA);
	CHECK(hg_branches_line(&branches, slice_of(A40 "  100%"), &err) == BUS_OK);
	CHECK_TEXT(branches.branch[2].name, "100%");
	hg_branches_finish(&branches);
}

static void reads_what_hg_says_of_a_changeset(void)
{
	static const char text[] = A40 "\0Anna <a@x>\0"
				       "1234567890 -7200\0Fix\n\nCloses: #5\0" B40
				       "\0\xff\0-5 0\0\0" A40 "\0cut";
	struct commit commit[3];
	size_t count = 0, i;

	CHECK(hg_commits_read((struct slice){ text, sizeof(text) - 1 }, commit, 3, &count, &err) ==
	      BUS_E_DATA);
	CHECK_NEED(count == 2);
	CHECK_TEXT(commit[0].id, A40);
	CHECK_TEXT(commit[0].subject, "Fix");
	CHECK(commit[0].has_date && commit[0].date_us == 1234567890000000);
	CHECK(commit[0].closes.count == 1 && commit[0].closes.bug[0] == 5);
	CHECK_TEXT(commit[1].person, "\xef\xbf\xbd");
	CHECK_TEXT(commit[1].subject, "");
	CHECK(!commit[1].has_date);
	for (i = 0; i < count; i++)
		commit_finish(&commit[i]);
}

/* -- cvs -- */

#define UPDATE "Update of /srv/cvs/mod/d x\nIn directory host:/home/a\n\n"

static struct cvs_loginfo info;

static enum bus_code loginfo(const char *text, size_t count, const char *const *operand)
{
	static struct slice slice[20];
	size_t i;

	cvs_loginfo_finish(&info);
	for (i = 0; i < count; i++)
		slice[i] = slice_of(operand[i]);
	return cvs_loginfo_parse(&info, slice, count, slice_of(text), slice_of("/srv/cvs"), &err);
}

#define LOGINFO(text, ...)                                                                         \
	loginfo(text, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *),               \
		(const char *const[]){ __VA_ARGS__ })

static void reads_loginfo_in_the_new_format(void)
{
	CHECK_CODE(LOGINFO(UPDATE
			   "Modified Files:\n\tf1 \nAdded Files:\n\tf 2 \nLog Message:\nWhy\n",
			   "mod/d x", "f1", "1.1", "1.2", "f 2", "NONE", "1.1", "anna"),
		   BUS_OK, &err);
	CHECK(info.kind == CVS_COMMIT && slice_is(info.directory, "mod/d x"));
	CHECK(slice_is(info.user, "anna") && slice_is(info.message, "Why\n"));
	CHECK_NEED(info.file_count == 2);
	CHECK(slice_is(info.file[1].name, "f 2") && !info.file[1].old_revision.len);
	CHECK(slice_is(info.file[1].new_revision, "1.1"));
	CHECK(info.ref_count == 1 && slice_is(info.ref[0], "HEAD"));
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n", "mod/d x", "f1", "1.1", "1.2"), BUS_OK, &err);
	CHECK(!info.user.len && info.file_count == 1 && !info.message.len);
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\nDirectory x\n--> Using per-directory sticky tag "
				  "`BR'\n",
			   "mod/d x", "- New directory", "NONE", "NONE", "anna"),
		   BUS_OK, &err);
	CHECK(info.kind == CVS_DIRECTORY && !info.file_count && slice_is(info.ref[0], "BR"));
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\nWhy\nStatus:\n\nVendor Tag:\tfake\n\nStatus:\n\n"
				  "Vendor Tag:\tvendor\nRelease Tags:\tstart\n\t\t\nN mod/f\n",
			   "mod", "- Imported sources", "NONE", "NONE", "anna"),
		   BUS_OK, &err);
	CHECK(info.kind == CVS_IMPORT && slice_is(info.ref[0], "vendor"));
	CHECK(slice_is(info.message, "Why\nStatus:\n\nVendor Tag:\tfake\n"));
}

static void reads_loginfo_in_the_old_format(void)
{
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n",
			   "mod/d x f1,1.1,1.2 n,1.1,x w,NONE,1.1 gone,1.3,NONE", "anna"),
		   BUS_OK, &err);
	CHECK(slice_is(info.directory, "mod/d x") && slice_is(info.user, "anna"));
	CHECK_NEED(info.file_count == 3);
	CHECK(slice_is(info.file[0].name, "f1") && slice_is(info.file[1].name, "n,1.1,x w"));
	CHECK(slice_is(info.file[2].name, "gone") && !info.file[2].new_revision.len);
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n", "mod/d x - New directory"), BUS_OK, &err);
	CHECK(info.kind == CVS_DIRECTORY && !info.user.len);
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n", "mod/d x - New directory,NONE,NONE", "anna"),
		   BUS_OK, &err);
	CHECK(info.kind == CVS_DIRECTORY && !info.file_count);
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n", "other f1,1.1,1.2"), BUS_OK, &err);
	CHECK(slice_is(info.directory, "other") && info.file_count == 1);
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n", ""), BUS_OK, &err);
	CHECK(!info.file_count);
}

static void tells_branches_of_one_directory_apart(void)
{
	CHECK_CODE(LOGINFO(UPDATE
			   "Modified Files:\n\ta b \n      Tag: BR\n\tc d e \n      No tag\n\tf "
			   "\nRemoved Files:\n\tg \nLog Message:\n      Tag: FAKE\n\tx\n",
			   "mod", "a", "1.1", "1.2", "c d", "1.1", "1.2", "e", "1.1", "1.2", "f",
			   "1.1", "1.2", "g", "1.1", "NONE"),
		   BUS_OK, &err);
	CHECK_NEED(info.ref_count == 2 && info.file_count == 5);
	CHECK(slice_is(info.ref[0], "HEAD") && slice_is(info.ref[1], "BR"));
	CHECK(info.file[0].ref == 0 && info.file[1].ref == 1 && info.file[2].ref == 1);
	CHECK(info.file[3].ref == 0 && info.file[4].ref == 0);
	CHECK_CODE(LOGINFO(UPDATE "Modified Files:\n      Tag: BR\n\ta \nLog Message:\n", "mod",
			   "a", "1.1", "1.2"),
		   BUS_OK, &err);
	CHECK(info.ref_count == 1 && slice_is(info.ref[0], "BR"));
}

static void does_without_the_directory(void)
{
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n", "f1", "1.1", "1.2", "1.5", "NONE", "1.1"),
		   BUS_OK, &err);
	CHECK(slice_is(info.directory, "mod/d x") && info.file_count == 2 && !info.user.len);
	CHECK_CODE(LOGINFO(UPDATE "Log Message:\n", "f1", "1.1", "1.2", "anna"), BUS_OK, &err);
	CHECK(info.file_count == 1 && slice_is(info.user, "anna"));
}

static void refuses_what_loginfo_is_not_told(void)
{
	CHECK(LOGINFO("", "mod", "a", "1.1", "1.2") == BUS_E_DATA);
	CHECK(LOGINFO(UPDATE, "mod", "a", "1.1", "1.2") == BUS_E_DATA);
	CHECK_SAYS(&err, "Log Message:");
	CHECK(LOGINFO(UPDATE "Log Message:\n", "mod", "a", "x", "1.2") == BUS_E_DATA);
	CHECK(LOGINFO(UPDATE "Log Message:\n", "mod", "a", "1.", "1.2") == BUS_E_DATA);
	CHECK(LOGINFO(UPDATE "Log Message:\n", "mod", "a", "", "1.2") == BUS_E_DATA);
	CHECK(LOGINFO(UPDATE "Log Message:\n", "mod", "a", "1.1") == BUS_E_DATA);
	CHECK(LOGINFO(UPDATE "Log Message:\n", "m", "a", "1.1", "1.2", "b", "1.1") == BUS_E_DATA);
	CHECK(loginfo(UPDATE "Log Message:\n", 0, NULL) == BUS_E_DATA);
	cvs_loginfo_finish(&info);
}

static void finds_the_id_of_a_commit_in_an_rcs_file(void)
{
	static const char rcs[] = "head\t1.2;\naccess;\nsymbols\n\tx:1.2;\n\n\n1.2\n"
				  "date\t2026.11.22.17.07.59;\tauthor a;\tstate Exp;\nbranches;\n"
				  "next\t1.1;\ncommitid\t1006B03216F2E36C5C0;\n\n1.1\n"
				  "date\t2026.11.22.17.07.58;\tauthor a;\tstate Exp;\nbranches;\n"
				  "next\t;\n\n1.3\ndate\tx;\ncommitid\t../x;\n\ndesc\n@@\n\n1.4\n"
				  "date\tx;\ncommitid\tABC;\n";
	const struct slice text = { rcs, sizeof(rcs) - 1 };

	CHECK(slice_is(cvs_commit_id(text, slice_of("1.2")), "1006B03216F2E36C5C0"));
	CHECK(!cvs_commit_id(text, slice_of("1.1")).len);
	CHECK(!cvs_commit_id(text, slice_of("1.3")).len);
	CHECK(!cvs_commit_id(text, slice_of("1.4")).len);
	CHECK(!cvs_commit_id(text, slice_of("")).len);
}

/* -- darcs -- */

#define PATCH(name, comment)                                                                       \
	"<patch author='A &lt;a@x&gt;' date='20261122094917' local_date='x' inverted='False' "     \
	"hash='" A40 "'>\n<name>" name "</name>\n<comment>" comment "</comment>\n</patch>\n"

static struct darcs_patches patches;

static enum bus_code xml(const char *text)
{
	darcs_patches_finish(&patches);
	return darcs_patches_xml(&patches, slice_of(text), &err);
}

static void reads_the_xml_of_darcs(void)
{
	CHECK_CODE(xml("<patches>\n" PATCH("Fix &amp; &quot;go&quot;\xff\x01",
					   "Ignore-this: abc\nCloses: #7")
			       PATCH("TAG 1.0", "Ignore-this: Closes: #8") "</patches>"),
		   BUS_OK, &err);
	CHECK_NEED(patches.total == 1 && patches.tag_count == 1);
	CHECK_TEXT(patches.newest[0].id, A40);
	CHECK_TEXT(patches.newest[0].person, "A <a@x>");
	CHECK_TEXT(patches.newest[0].subject, "Fix & \"go\"\xef\xbf\xbd\xef\xbf\xbd");
	CHECK(patches.newest[0].has_date && patches.newest[0].date_us == 1795340957000000);
	CHECK(patches.newest[0].closes.count == 1 && patches.newest[0].closes.bug[0] == 7);
	CHECK_TEXT(patches.tag[0].name, "1.0");
	CHECK(!patches.tag[0].patch.closes.count);
	CHECK_CODE(xml("<patches>\n</patches>"), BUS_OK, &err);
	CHECK(!patches.total && !patches.tag_count);
}

static void refuses_xml_that_darcs_does_not_write(void)
{
	static const char *const bad[] = {
		"",
		"<patches>",
		"<patches></patch>",
		"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><patches>&b;</patches>",
		"<patches>&nonsense;</patches>",
		"<patches><patch><name>x</name></patch></patches>",
		"<patches><patch hash='" A40 "x'><name>x</name></patch></patches>",
		"<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(xml(bad[i]) == BUS_E_DATA, "'%s'", bad[i]);
}

static void reads_the_text_of_darcs(void)
{
	struct bus_buf text = BUS_BUF_INIT(1 << 20);
	int i;

	darcs_patches_finish(&patches);
	bus_buf_puts(&text, "patch " A40 "\nAuthor: A <a@x>\nDate:   Sun Nov 22 09:49:17 UTC 2026\n"
			    "  * Fix it\n  Closes: #7\n  patch x\n\n    A ./a\n\n"
			    "patch " B40 "\nAuthor: B\nDate:   x\n  tagged 1.0\n    D " A40 "\n");
	CHECK_CODE(darcs_patches_text(&patches, slice_of_buf(&text), &err), BUS_OK, &err);
	CHECK_NEED(patches.total == 1 && patches.tag_count == 1);
	CHECK_TEXT(patches.newest[0].subject, "Fix it");
	CHECK_TEXT(patches.newest[0].person, "A <a@x>");
	CHECK(patches.newest[0].closes.count == 1 && !patches.newest[0].has_date);
	CHECK_TEXT(patches.tag[0].name, "1.0");
	CHECK_TEXT(patches.tag[0].patch.id, B40);
	darcs_patches_finish(&patches);
	for (i = 0; i < 45; i++)
		bus_buf_printf(&text, "patch %040x\nAuthor: A\nDate: x\n  * Number %d\n", i, i);
	CHECK_CODE(darcs_patches_text(&patches, slice_of_buf(&text), &err), BUS_OK, &err);
	CHECK(patches.total == 46);
	CHECK_TEXT(patches.newest[(46 - 1) % CHANGE_NEWEST].subject, "Number 44");
	darcs_patches_finish(&patches);
	CHECK(darcs_patches_text(&patches, slice_of("rubbish"), &err) == BUS_E_DATA);
	bus_buf_finish(&text);
}

/* -- bzr -- */

static bool tip_reads(const char *text)
{
	struct bzr_tip tip;

	return bzr_tip_read(&tip, slice_of(text));
}

#define BZR "12 debmsg-bzr 1\n4 /srv\n"

static void reads_what_the_bzr_plugin_says(void)
{
	struct bzr_tip tip;

	CHECK_NEED(bzr_tip_read(&tip, slice_of(BZR "1 0\n5 null:\n1 2\n3 a@x\n1 1\n3 a@x\n")));
	CHECK(tip.old_number == 0 && tip.new_number == 2 && slice_is(tip.new_id, "a@x"));
	CHECK(slice_is(tip.revisions, "3 a@x\n"));
	CHECK(tip_reads(BZR "1 0\n5 null:\n1 2\n3 a@x\n0 \n"));
	CHECK(!tip_reads(""));
	CHECK(!tip_reads(BZR));
	CHECK(!tip_reads("12 debmsg-bzr 2\n4 /srv\n1 0\n5 null:\n1 2\n3 a@x\n1 1\n"));
	CHECK(!tip_reads("12 debmsg-bzr 1\n3 srv\n1 0\n5 null:\n1 2\n3 a@x\n1 1\n"));
	CHECK(!tip_reads(BZR "2 -1\n5 null:\n1 2\n3 a@x\n1 1\n"));
	CHECK(!tip_reads(BZR "1 0\n5 null:\n1 2\n0 \n1 1\n"));
}

static const struct check_test tests[] = {
	{ "fields come back as they were", fields_come_back_as_they_were },
	{ "refuses fields that lie about their length",
	  refuses_fields_that_lie_about_their_length },
	{ "svn: finds branches and tags in what svnlook prints",
	  finds_branches_and_tags_in_what_svnlook_prints },
	{ "svn: has room for so many branches and no more",
	  has_room_for_so_many_branches_and_no_more },
	{ "hg: groups changesets by branch", groups_changesets_by_branch },
	{ "hg: reads what hg says of a changeset", reads_what_hg_says_of_a_changeset },
	{ "cvs: reads loginfo in the new format", reads_loginfo_in_the_new_format },
	{ "cvs: reads loginfo in the old format", reads_loginfo_in_the_old_format },
	{ "cvs: tells branches of one directory apart", tells_branches_of_one_directory_apart },
	{ "cvs: does without the directory", does_without_the_directory },
	{ "cvs: refuses what loginfo is not told", refuses_what_loginfo_is_not_told },
	{ "cvs: finds the id of a commit in an RCS file", finds_the_id_of_a_commit_in_an_rcs_file },
	{ "darcs: reads its XML", reads_the_xml_of_darcs },
	{ "darcs: refuses XML that darcs does not write", refuses_xml_that_darcs_does_not_write },
	{ "darcs: reads its text", reads_the_text_of_darcs },
	{ "bzr: reads what the plugin says", reads_what_the_bzr_plugin_says },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("vcs", tests);
}
