#include "config.h"

#include <string.h>

#include "adapters/dak/changes.h"
#include "adapters/dak/clearsign.h"
#include "adapters/dak/release.h"
#include "adapters/dak/removal.h"
#include "fuzz.h"

static void check_changes(struct dak_slice text)
{
	struct changes changes;
	size_t i;

	if (changes_read(&changes, text, NULL))
		return;
	MUST(dak_is_package(changes.source) && dak_is_version(changes.version));
	for (i = 0; i < changes.file_count; i++)
		MUST(dak_is_file(changes.file[i].name) && dak_is_section(changes.file[i].section));
	changes_finish(&changes);
}

/* Every line that comes out stands in what went in, and not outside of the armour. */
static void check_text(struct dak_slice bytes, struct dak_slice text)
{
	static const char begin[] = "-----BEGIN PGP SIGNED MESSAGE-----";
	const char *from = memmem(bytes.p, bytes.len, begin, strlen(begin));
	const size_t left = from ? bytes.len - (size_t)(from - bytes.p) : 0;
	struct dak_slice line;

	MUST(from != NULL);
	while (dak_next_line(&text, &line))
		MUST(!line.len || memmem(from, left, line.p, line.len));
}

/* The input: a clear-signed .changes, or its text; also as InRelease and a removal. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct dak_slice input = { (const char *)bytes, len };
	struct clearsign text = CLEARSIGN_INIT(CHANGES_TEXT_MAX);
	struct bus_buf fingerprint = BUS_BUF_INIT(128);
	struct dak_removal removal;
	struct release release;

	check_changes(input);
	if (clearsign_read(&text, input, NULL, NULL) == BUS_OK) {
		const struct dak_slice inner = { text.text.p ? text.text.p : "", text.text.len };

		check_text(input, inner);
		check_changes(inner);
		if (clearsign_fingerprint(&text, &fingerprint) == BUS_OK)
			MUST(dak_is_fingerprint(
				(struct dak_slice){ fingerprint.p, fingerprint.len }));
	}
	if (release_read(&release, input, NULL) == BUS_OK)
		MUST(dak_is_section(release.suite));
	(void)dak_removal_read(&removal, input, NULL);
	bus_buf_finish(&fingerprint);
	clearsign_finish(&text);
	return 0;
}
