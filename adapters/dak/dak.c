#include "config.h"

#include <stdlib.h>

#include "adapters/dak/dinstall.h"
#include "adapters/dak/heidi.h"
#include "adapters/dak/release.h"
#include "adapters/dak/removal.h"
#include "adapters/dak/upload.h"

/* What dak and its neighbours write. */
static const struct adapter_input inputs[] = {
	{ "upload", NULL, "what becomes of uploads (mail-directory, log-directory)",
	  dak_upload_open, dak_upload_read, dak_upload_stored, dak_upload_close, NULL },
	{ "removals", "removals-file", "removals of packages, removals.822", dak_removals_open,
	  dak_removals_read, NULL, dak_removals_close, NULL },
	{ "heidi", "heidi-file", "migration to testing, HeidiResultDelta", dak_heidi_open,
	  dak_heidi_read, NULL, free, NULL },
	{ "dists", "dists-directory", "suites that are published, InRelease", dak_dists_open,
	  dak_dists_read, NULL, dak_dists_close, NULL },
	{ "trace", "trace-file", "what dinstall has published, project/trace", dak_trace_open,
	  dak_trace_read, NULL, free, NULL },
	{ "status", "dinstall-status-file", "dinstall begins, dinstall.status", dak_status_open,
	  dak_status_read, NULL, free, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct adapter adapter_dak = {
	.program = "debmsg-dak",
	.service = "dak",
	.input = inputs,
};
