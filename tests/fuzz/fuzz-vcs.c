#include "config.h"

#include <string.h>

#include "adapters/alioth/bzr.h"
#include "adapters/alioth/cvs_loginfo.h"
#include "adapters/alioth/darcs_patches.h"
#include "adapters/alioth/hg_repo.h"
#include "adapters/alioth/svn_changed.h"
#include "adapters/alioth/vcs.h"
#include "fuzz.h"

static void check_svn(struct slice text)
{
	struct svn_refs refs;
	struct slice line;
	enum bus_code rc = BUS_OK;

	svn_refs_init(&refs);
	while (!rc && slice_line(&text, &line))
		rc = svn_refs_line(&refs, line, NULL);
	if (!rc)
		MUST(svn_refs_end(&refs, NULL) == BUS_OK && refs.count > 0);
	MUST(!rc || rc == BUS_E_DATA);
	svn_refs_finish(&refs);
}

static void check_hg(struct slice text)
{
	struct commit commit[CHANGE_NEWEST];
	struct hg_branches branches = { 0 };
	struct slice rest = text, line;
	size_t count = 0, i;

	while (slice_line(&rest, &line) && !hg_branches_line(&branches, line, NULL))
		;
	hg_branches_finish(&branches);
	hg_commits_read(text, commit, CHANGE_NEWEST, &count, NULL);
	for (i = 0; i < count; i++) {
		MUST(bus_utf8_valid(commit[i].subject, strlen(commit[i].subject)));
		commit_finish(&commit[i]);
	}
}

/* The first lines, up to an empty one, are the arguments. */
static void check_cvs(struct slice text)
{
	struct slice operand[50];
	struct cvs_loginfo info;
	size_t count = 0, i;

	while (count < 50 && slice_line(&text, &operand[count]) && operand[count].len)
		count++;
	if (cvs_loginfo_parse(&info, operand, count, text, slice_of("/srv/cvs"), NULL) != BUS_OK)
		return;
	MUST(info.ref_count > 0 && info.ref_count <= CVS_REFS_MAX);
	for (i = 0; i < info.file_count; i++)
		MUST(info.file[i].ref < info.ref_count);
	cvs_commit_id(text, info.file_count ? info.file[0].new_revision : slice_of("1.1"));
	cvs_loginfo_finish(&info);
}

static void check_darcs(struct slice text)
{
	struct darcs_patches patches = { 0 };
	enum bus_code rc = darcs_patches_xml(&patches, text, NULL);

	MUST(rc == BUS_OK || rc == BUS_E_DATA);
	darcs_patches_finish(&patches);
	rc = darcs_patches_text(&patches, text, NULL);
	MUST(rc == BUS_OK || rc == BUS_E_DATA);
	darcs_patches_finish(&patches);
}

static void check_stored(struct slice text)
{
	struct vcs_input input = { 0 };
	struct slice fields = text, field;
	struct bzr_tip tip;

	if (vcs_input_read(&input, "svn 1", &fields))
		MUST(input.repository && input.repository[0] == '/');
	vcs_input_finish(&input);
	while (slice_field(&fields, &field))
		MUST(field.p >= text.p && field.p + field.len < text.p + text.len);
	bzr_tip_read(&tip, text);
}

/* The input: a letter that says for whom, and what that one reads. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const check[])(struct slice) = { check_svn, check_hg, check_cvs, check_darcs,
						       check_stored };
	char *text;

	if (!len)
		return 0;
	text = malloc(len);
	MUST(text != NULL);
	memcpy(text, bytes + 1, len - 1);
	text[len - 1] = '\0';
	check[bytes[0] % 5]((struct slice){ text, len - 1 });
	free(text);
	return 0;
}
