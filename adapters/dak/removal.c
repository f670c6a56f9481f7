#include "config.h"

#include "adapters/dak/removal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/common/batch.h"
#include "adapters/common/text.h"
#include "adapters/dak/announce.h"
#include "adapters/dak/date.h"
#include "adapters/dak/deb822.h"
#include "adapters/dak/decide.h"
#include "event.h"
#include "json.h"

enum { REASON_CHARACTERS = 4000 };

enum bus_code dak_removal_read(struct dak_removal *ret, struct dak_slice stanza,
			       struct bus_err *err)
{
	struct deb822 in = { stanza, 0 };
	struct dak_slice date = { NULL, 0 };
	const struct {
		const char *name;
		struct dak_slice *value;
	} known[] = {
		{ "Date", &date },
		{ "Suite", &ret->suites },
		{ "Sources", &ret->sources },
		{ "Binaries", &ret->binaries },
		{ "Reason", &ret->reason },
		{ "Ftpmaster", &ret->ftpmaster },
		{ "Bug", &ret->bugs },
		{ "Also-Bugs", &ret->also_bugs },
		{ "Also-WNPP", &ret->also_wnpp },
	};
	struct deb822_field field;
	enum bus_code rc;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		*known[i].value = (struct dak_slice){ "", 0 };
	deb822_begin(&in);
	while ((rc = deb822_next(&in, &field, err)) == BUS_OK)
		for (i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (deb822_is(&field, known[i].name))
				*known[i].value = field.value;
	if (rc != BUS_E_NO)
		return rc;
	if (!ret->suites.len || (!ret->sources.len && !ret->binaries.len))
		return bus_fail(err, BUS_E_DATA, "a removal without Suite, or without packages");
	if (!dak_date_parse(&ret->time_us, date))
		return bus_fail(err, BUS_E_DATA, "a removal without a Date that can be read");
	return BUS_OK;
}

/* "a, b and c": join_with_commas_and() of daklib/utils.py; a suite is not called "and". */
static enum bus_code find_suites(struct bus_buf *ret, const struct adapter_context *ctx,
				 struct dak_slice suites, struct bus_err *err)
{
	struct dak_slice word;

	while (dak_next_word(&suites, ",", &word)) {
		if (dak_is(word, "and"))
			continue;
		if (!dak_is_section(word))
			return bus_fail(err, BUS_E_DATA, "a removal from what is no suite");
		if (!dak_is_private(ctx, word))
			bus_buf_printf(ret, "%s%.*s", ret->len ? " " : "", (int)word.len, word.p);
	}
	return bus_buf_check(ret, "suites", err);
}

/* "<name>_<version>"; of a mail only the name.  Others give false. */
static bool split_item(struct dak_slice word, struct dak_slice *ret_name,
		       struct dak_slice *ret_version)
{
	dak_next_part(&word, '_', ret_name);
	*ret_version = word;
	return dak_is_package(*ret_name) && (!word.len || dak_is_version(word));
}

static void write_words(struct bus_json *js, const char *name, struct dak_slice words)
{
	struct dak_slice word;

	bus_json_open(js, name, '[');
	while (dak_next_word(&words, ",[]", &word))
		bus_json_bytes(js, NULL, word.p, word.len);
	bus_json_close(js, ']');
}

/* One line each; in a mail, one word each. */
static size_t write_items(struct bus_json *js, const char *name, struct dak_slice items,
			  const char *separators, size_t max)
{
	struct dak_slice line, word, package, version;
	size_t total = 0;

	bus_json_open(js, name, '[');
	while (dak_next_line(&items, &line))
		while (dak_next_word(&line, separators, &word)) {
			if (!split_item(word, &package, &version))
				continue;
			if (total++ < max) {
				bus_json_open(js, NULL, '{');
				bus_json_bytes(js, "name", package.p, package.len);
				if (version.len)
					bus_json_bytes(js, "version", version.p, version.len);
				if (dak_starts(dak_trim(line), "["))
					write_words(js, "architectures", line);
				bus_json_close(js, '}');
			}
			if (dak_starts(dak_trim(line), "["))
				break;
		}
	bus_json_close(js, ']');
	return total;
}

static void write_bugs(struct bus_json *js, const char *name, struct dak_slice words)
{
	struct dak_slice word;
	unsigned int bug;

	if (!words.len)
		return;
	bus_json_open(js, name, '[');
	while (dak_next_word(&words, ",#", &word))
		if (dak_bug_parse(&bug, word))
			bus_json_uint(js, NULL, bug);
	bus_json_close(js, ']');
}

static void write_text(struct bus_json *js, const char *name, struct dak_slice text, size_t max)
{
	struct bus_buf line = BUS_BUF_INIT(32 * 1024);

	if (text.len) {
		text_line(&line, text.p, text.len, max);
		bus_json_bytes(js, name, line.p ? line.p : "", line.len);
	}
	bus_buf_inherit(js->out, &line);
	bus_buf_finish(&line);
}

/* "foo 1.0-1 and 2 more removed from unstable: RoM; obsolete" */
static void write_summary(struct bus_json *js, const struct dak_removal *removal,
			  struct dak_slice name, struct dak_slice version, size_t others,
			  struct dak_slice suites)
{
	struct bus_buf text = BUS_BUF_INIT(64 * 1024);
	struct dak_slice word;
	const char *comma = " removed from ";

	bus_buf_add(&text, name.p, name.len);
	if (version.len)
		bus_buf_printf(&text, " %.*s", (int)version.len, version.p);
	if (others)
		bus_buf_printf(&text, " and %zu more", others);
	for (; dak_next_word(&suites, "", &word); comma = ", ")
		bus_buf_printf(&text, "%s%.*s", comma, (int)word.len, word.p);
	if (removal->reason.len)
		bus_buf_printf(&text, ": %.*s",
			       (int)(removal->reason.len < 1000 ? removal->reason.len : 1000),
			       removal->reason.p);
	write_text(js, "summary", (struct dak_slice){ text.p ? text.p : "", text.len },
		   BUS_SUMMARY_MAX);
	bus_buf_inherit(js->out, &text);
	bus_buf_finish(&text);
}

static size_t count_lines(struct dak_slice text, const char *separators)
{
	struct dak_slice line, word;
	size_t count = 0;

	while (dak_next_line(&text, &line))
		while (dak_next_word(&line, separators, &word)) {
			count++;
			if (dak_starts(dak_trim(line), "["))
				break;
		}
	return count;
}

static void write_removal(struct bus_buf *out, const struct dak_removal *removal,
			  struct dak_slice suites, struct dak_slice first, size_t max)
{
	struct bus_json js = { out, false };
	struct dak_slice name, version;
	const struct dak_slice main_list = removal->sources.len ? removal->sources
								: removal->binaries;

	split_item(first, &name, &version);
	bus_json_open(&js, NULL, '{');
	write_summary(&js, removal, name, version, count_lines(main_list, ",") - 1, suites);
	write_words(&js, "suites", suites);
	bus_json_uint(&js, "sources_total", count_lines(removal->sources, ","));
	write_items(&js, "sources", removal->sources, ",", max);
	bus_json_uint(&js, "binaries_total", count_lines(removal->binaries, ","));
	write_items(&js, "binaries", removal->binaries, ",", max);
	write_text(&js, "reason", removal->reason, max < 100 ? 200 : REASON_CHARACTERS);
	write_text(&js, "ftpmaster", removal->ftpmaster, DAK_PERSON_MAX);
	write_bugs(&js, "bugs", removal->bugs);
	write_bugs(&js, "also_bugs", removal->also_bugs);
	write_bugs(&js, "wnpp_bugs", removal->also_wnpp);
	bus_json_close(&js, '}');
}

enum bus_code dak_removal_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			      const struct dak_removal *removal, struct dak_slice raw,
			      struct bus_err *err)
{
	static const size_t limit[] = { SIZE_MAX, 300, 100, 20, 1 };
	struct bus_buf data = BUS_BUF_INIT(2 * REMOVAL_STANZA_MAX);
	struct bus_buf suites = BUS_BUF_INIT(64 * 1024);
	struct dak_slice list = removal->sources.len ? removal->sources : removal->binaries;
	struct dak_slice first = { "", 0 }, name = first, version;
	enum bus_code rc = find_suites(&suites, ctx, removal->suites, err);
	char *subject = NULL;
	size_t i;

	if (!rc && !suites.len)
		goto out;
	dak_next_word(&list, ",", &first);
	if (!rc && !split_item(first, &name, &version))
		rc = bus_fail(err, BUS_E_DATA, "a removal of what is no package");
	subject = rc ? NULL : strndup(name.p, name.len);
	if (!rc && !subject)
		rc = bus_fail(err, BUS_E_NOMEM, "removal: out of memory");
	if (rc)
		goto out;
	rc = BUS_E_DATA;
	for (i = 0; rc == BUS_E_DATA && i < sizeof(limit) / sizeof(*limit); i++) {
		bus_buf_clear(&data);
		write_removal(&data, removal, (struct dak_slice){ suites.p, suites.len }, first,
			      limit[i]);
		rc = bus_buf_check(&data, "removal", err);
		if (!rc)
			rc = batch_try(ctx, "package.remove", subject, &data, err);
	}
	if (!rc)
		rc = batch_add(batch, ctx, "package.remove", subject, removal->time_us, &data,
			       batch->count + 1, raw.p, raw.len, err);
out:
	bus_buf_finish(&data);
	bus_buf_finish(&suites);
	free(subject);
	return rc;
}
