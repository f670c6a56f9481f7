#include "config.h"

#include "adapters/dak/deb822.h"

#include <string.h>
#include <strings.h>

enum { FIELD_NAME_MAX = 64 };

static bool is_empty(struct dak_slice line)
{
	return dak_trim(line).len == 0;
}

/* RFC 5322 section 2.2 has the same for names of headers. */
static bool is_name(struct dak_slice name)
{
	size_t i;

	if (!name.len || name.len > FIELD_NAME_MAX || name.p[0] == '#' || name.p[0] == '-')
		return false;
	for (i = 0; i < name.len; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
			return false;
	return true;
}

bool deb822_begin(struct deb822 *in)
{
	struct dak_slice rest = in->rest, line;

	while (dak_next_part(&rest, '\n', &line)) {
		if (!is_empty(line))
			return true;
		in->rest = rest;
		in->line++;
	}
	return false;
}

/* The lines that go on with the value that ends at *end. */
static void take_continuation(struct deb822 *in, const char **end)
{
	struct dak_slice rest = in->rest, line;

	while (dak_next_part(&rest, '\n', &line) && line.len &&
	       (line.p[0] == ' ' || line.p[0] == '\t') && !is_empty(line)) {
		*end = line.p + line.len;
		in->rest = rest;
		in->line++;
	}
}

enum bus_code deb822_next(struct deb822 *in, struct deb822_field *ret, struct bus_err *err)
{
	struct dak_slice line;
	const char *colon, *end;

	if (!dak_next_part(&in->rest, '\n', &line))
		return BUS_E_NO;
	in->line++;
	if (is_empty(line))
		return BUS_E_NO;
	colon = memchr(line.p, ':', line.len);
	ret->name = (struct dak_slice){ line.p, colon ? (size_t)(colon - line.p) : 0 };
	ret->line = in->line;
	if (!is_name(ret->name))
		return bus_fail(err, BUS_E_DATA, "line %zu is not 'Field: value'", in->line);
	end = line.p + line.len;
	take_continuation(in, &end);
	ret->value = dak_trim((struct dak_slice){ colon + 1, (size_t)(end - colon - 1) });
	if (memchr(ret->value.p, '\0', ret->value.len))
		return bus_fail(err, BUS_E_DATA, "line %zu: NUL in field '%.*s'", ret->line,
				(int)ret->name.len, ret->name.p);
	return BUS_OK;
}

bool deb822_is(const struct deb822_field *field, const char *name)
{
	return field->name.len == strlen(name) &&
	       strncasecmp(field->name.p, name, field->name.len) == 0;
}
