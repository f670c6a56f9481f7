#ifndef BUS_ADAPTER_DAK_CHANGES_H
#define BUS_ADAPTER_DAK_CHANGES_H

#include <stdbool.h>

#include "adapters/dak/names.h"
#include "buf.h"

/*
 * A .changes file (deb-changes(5)), read from its signed text.
 *
 * Required are the fields that dak requires of every upload (checks.py,
 * ChangesCheck) and that an event has room for: Source, Version, Architecture,
 * Distribution, Maintainer, Files.  A field that stands twice, a second stanza,
 * or a file that is described in two ways is refused: another reader might take
 * the other one.  Slices point into the text that was read.
 */
enum {
	CHANGES_TEXT_MAX = 4 * 1024 * 1024, /* bytes */
	CHANGES_FILES_MAX = 5000,
	CHANGES_BUGS_MAX = 500,
	CHANGES_BINARIES_MAX = 5000
};

struct changes_file {
	struct dak_slice name, section;
	unsigned long long size;
	struct dak_slice sha256; /* empty: it has none */
};

struct changes {
	struct dak_slice source;	 /* without the version that may stand behind it */
	struct dak_slice source_version; /* of a binary-only upload; else empty */
	struct dak_slice version;
	struct dak_slice architectures; /* words, as the next two */
	struct dak_slice distributions;
	struct dak_slice binaries; /* empty in uploads of source only */
	struct dak_slice urgency;  /* the first word */
	struct dak_slice maintainer, changed_by;
	bool sourceful;
	unsigned int bug[CHANGES_BUGS_MAX]; /* that it closes, each once */
	size_t bug_count;
	struct changes_file *file;
	size_t file_count;
};

/* BUS_E_DATA says what is wrong with it; then there is nothing to finish. */
enum bus_code changes_read(struct changes *ret, struct dak_slice text, struct bus_err *err);
void changes_finish(struct changes *changes);

#endif
