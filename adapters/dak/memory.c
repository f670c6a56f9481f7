#include "config.h"

#include "adapters/dak/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "adapters/common/say.h"
#include "merkle.h"

static const char version_line[] = "debmsg-dak 1\n";

void dak_note_set(char *field, size_t size, struct dak_slice value)
{
	size_t i, len = value.len < size ? value.len : size - 1;

	for (i = 0; i < len; i++)
		field[i] = value.p[i] == '\t' || value.p[i] == '\n' || !value.p[i] ? ' '
										   : value.p[i];
	field[len] = '\0';
}

static bool read_number(int64_t *ret, struct dak_slice text)
{
	char copy[24];
	char *end;

	if (!text.len || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	*ret = strtoll(copy, &end, 10);
	return !*end;
}

static bool read_note(struct dak_note *ret, struct dak_slice line)
{
	const struct {
		char *field;
		size_t size;
	} text[] = {
		{ ret->log, sizeof(ret->log) },	      { ret->name, sizeof(ret->name) },
		{ ret->detail, sizeof(ret->detail) }, { ret->by, sizeof(ret->by) },
		{ ret->more, sizeof(ret->more) },     { ret->to, sizeof(ret->to) },
	};
	struct dak_slice part = { NULL, 0 };
	int64_t kind, act;
	size_t i;

	if (!dak_next_part(&line, '\t', &part) || !read_number(&kind, part) || kind < 0 ||
	    kind >= DAK_NOTE_COUNT || !dak_next_part(&line, '\t', &part) ||
	    !read_number(&act, part) || act < 0 || act >= DAK_ACT_COUNT ||
	    !dak_next_part(&line, '\t', &part) || !read_number(&ret->time_us, part) ||
	    !dak_next_part(&line, '\t', &part) || !read_number(&ret->since_us, part))
		return false;
	ret->kind = (enum dak_note_kind)kind;
	ret->act = (enum dak_act)act;
	for (i = 0; i < sizeof(text) / sizeof(*text); i++) {
		/* every field but the last is ended by a tab, also an empty one */
		if (!dak_next_part(&line, '\t', &part))
			part.len = 0;
		if (part.len >= text[i].size)
			return false;
		dak_note_set(text[i].field, text[i].size, part);
	}
	return !line.len;
}

/* Of these only whether it is the same name matters, and it may be one nobody is to see. */
static bool is_hidden(enum dak_note_kind kind)
{
	return kind == DAK_NOTE_PRIVATE || kind == DAK_NOTE_TOLD || kind == DAK_NOTE_VOID;
}

static void hide(char hidden[DAK_NAME_MAX + 1], const char *name)
{
	struct bus_hash hash;
	size_t i;

	bus_sha256(&hash, name, strlen(name));
	for (i = 0; i < sizeof(hash.b); i++)
		snprintf(hidden + 2 * i, 3, "%02x", hash.b[i]);
}

void dak_memory_write(struct bus_buf *out, const struct dak_memory *memory)
{
	size_t i;

	bus_buf_puts(out, version_line);
	for (i = 0; i < memory->count; i++) {
		const struct dak_note *note = &memory->note[i];

		bus_buf_printf(out, "%d\t%d\t%" PRId64 "\t%" PRId64 "\t%s\t%s\t%s\t%s\t%s\t%s\n",
			       (int)note->kind, (int)note->act, note->time_us, note->since_us,
			       note->log, note->name, note->detail, note->by, note->more, note->to);
	}
}

void dak_memory_finish(struct dak_memory *memory)
{
	free(memory->note);
	memset(memory, 0, sizeof(*memory));
}

static void make_room(struct dak_memory *memory)
{
	static const enum dak_note_kind precaution[] = { DAK_NOTE_REMOVAL, DAK_NOTE_TOLD,
							 DAK_NOTE_VOID,	   DAK_NOTE_COMMAND,
							 DAK_NOTE_DM,	   DAK_NOTE_OPEN,
							 DAK_NOTE_WAIT,	   DAK_NOTE_PRIVATE };
	size_t i, found;

	for (i = 0; i < sizeof(precaution) / sizeof(*precaution); i++) {
		found = dak_memory_find(memory, 0, precaution[i], NULL, NULL);
		if (found < memory->count) {
			if (precaution[i] == DAK_NOTE_OPEN || precaution[i] == DAK_NOTE_WAIT)
				say(LOG_ERR,
				    "log: more than %d uploads are not finished; the oldest one, "
				    "by %s, is not announced",
				    DAK_NOTES_MAX, memory->note[found].log);
			dak_memory_remove(memory, found);
			return;
		}
	}
}

enum bus_code dak_memory_insert(struct dak_memory *memory, size_t index,
				const struct dak_note *note, struct bus_err *err)
{
	struct dak_note *grown;
	size_t cap = memory->cap ? memory->cap * 2 : 16;

	if (memory->count == memory->cap) {
		grown = reallocarray(memory->note, cap, sizeof(*grown));
		if (!grown)
			return bus_fail(err, BUS_E_NOMEM, "dak: out of memory");
		memory->note = grown;
		memory->cap = cap;
	}
	memmove(&memory->note[index + 1], &memory->note[index],
		(memory->count++ - index) * sizeof(*note));
	memory->note[index] = *note;
	memory->is_changed = true;
	return BUS_OK;
}

static enum bus_code append(struct dak_memory *memory, const struct dak_note *note,
			    struct bus_err *err)
{
	if (memory->count >= DAK_NOTES_MAX)
		make_room(memory);
	return dak_memory_insert(memory, memory->count, note, err);
}

enum bus_code dak_memory_read(struct dak_memory *ret, const char *text, size_t len,
			      struct bus_err *err)
{
	struct dak_slice rest = { text, len }, line;
	struct dak_memory memory = { NULL, 0, 0, false };
	struct dak_note note;
	enum bus_code rc = BUS_OK;

	if (len && !dak_starts(rest, version_line))
		return bus_fail(err, BUS_E_DATA, "what was remembered is not of this version");
	if (len)
		dak_next_part(&rest, '\n', &line);
	while (!rc && dak_next_part(&rest, '\n', &line)) {
		memset(&note, 0, sizeof(note));
		rc = read_note(&note, line)
			     ? append(&memory, &note, err)
			     : bus_fail(err, BUS_E_DATA, "what was remembered cannot be read");
	}
	memory.is_changed = false;
	if (rc)
		dak_memory_finish(&memory);
	else
		*ret = memory;
	return rc;
}

enum bus_code dak_memory_add(struct dak_memory *memory, const struct dak_note *note,
			     struct bus_err *err)
{
	struct dak_note copy = *note;

	if (is_hidden(note->kind))
		hide(copy.name, note->name);
	return append(memory, &copy, err);
}

void dak_memory_remove(struct dak_memory *memory, size_t index)
{
	memory->count--;
	memmove(&memory->note[index], &memory->note[index + 1],
		(memory->count - index) * sizeof(*memory->note));
	memory->is_changed = true;
}

size_t dak_memory_find(const struct dak_memory *memory, size_t from, enum dak_note_kind kind,
		       const char *log, const char *name)
{
	char hidden[DAK_NAME_MAX + 1];
	size_t i;

	if (name && is_hidden(kind)) {
		hide(hidden, name);
		name = hidden;
	}
	for (i = from; i < memory->count; i++)
		if (memory->note[i].kind == kind &&
		    (!log || strcmp(memory->note[i].log, log) == 0) &&
		    (!name || strcmp(memory->note[i].name, name) == 0))
			return i;
	return memory->count;
}

size_t dak_memory_count(const struct dak_memory *memory, enum dak_note_kind kind)
{
	size_t i, count = 0;

	for (i = 0; i < memory->count; i++)
		count += memory->note[i].kind == kind;
	return count;
}

void dak_memory_forget(struct dak_memory *memory, enum dak_note_kind kind, int64_t before_us)
{
	size_t i = 0;

	while ((i = dak_memory_find(memory, i, kind, NULL, NULL)) < memory->count)
		if (memory->note[i].since_us < before_us)
			dak_memory_remove(memory, i);
		else
			i++;
}
