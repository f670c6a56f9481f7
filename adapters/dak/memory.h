#ifndef BUS_ADAPTER_DAK_MEMORY_H
#define BUS_ADAPTER_DAK_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/dak/names.h"
#include "buf.h"

/*
 * What must be known of the past to understand the next line of the log or the
 * next mail.  It is short, and kept in one cursor, so that it is on the disk
 * together with the events.
 *
 * The names of what is private, told or taken back are kept as their hashes
 * only.
 */
enum dak_act {
	DAK_ACCEPT, /* by process-upload, into suites or policy queues */
	DAK_NEW,
	DAK_REJECT,
	DAK_POLICY_ACCEPT, /* by process-policy */
	DAK_POLICY_REJECT,
	DAK_PROD,
	DAK_ACT_COUNT
};

enum dak_note_kind {
	DAK_NOTE_OPEN,	  /* the log tells it, but it can still be taken back */
	DAK_NOTE_WAIT,	  /* the log tells it for good, the mail has not been seen */
	DAK_NOTE_TOLD,	  /* announced from one of both: the other half is dropped */
	DAK_NOTE_VOID,	  /* taken back: mails that told it up to then are dropped */
	DAK_NOTE_PRIVATE, /* this upload is in a private queue, or was */
	DAK_NOTE_HOST,	  /* there are private queues here */
	DAK_NOTE_COMMAND, /* what a program in the log is about: name, by */
	DAK_NOTE_DM,	  /* a permission that can still be taken back */
	DAK_NOTE_REMOVAL, /* a removal that a mail has told of; name: a hash of all of it */
	DAK_NOTE_COUNT
};

enum { DAK_LOG_MAX = 160, DAK_NOTES_MAX = 4000 };

struct dak_note {
	enum dak_note_kind kind;
	enum dak_act act;
	int64_t time_us;	     /* of what it is about */
	int64_t since_us;	     /* since when it is remembered */
	char log[DAK_LOG_MAX];	     /* month, program and user: one running program, or nearly */
	char name[DAK_NAME_MAX + 1]; /* the .changes; DAK_NOTE_DM: the source */
	char detail[DAK_FIELD_MAX + 1]; /* the queue; DAK_NOTE_DM: the fingerprint */
	char by[DAK_FIELD_MAX + 1];	/* who */
	char more[DAK_FIELD_MAX + 1];	/* DAK_NOTE_DM: "allow", ...; _TOLD: "log" or "mail" */
	char to[DAK_FIELD_MAX + 1];	/* DAK_NOTE_DM of "migrate": the other fingerprint */
};

struct dak_memory {
	struct dak_note *note; /* in the order in which they came */
	size_t count, cap;
	bool is_changed; /* since it was last read or written */
};

/* len 0: an empty one.  BUS_E_DATA: not written by dak_memory_write(). */
enum bus_code dak_memory_read(struct dak_memory *ret, const char *text, size_t len,
			      struct bus_err *err);
void dak_memory_write(struct bus_buf *out, const struct dak_memory *memory);
void dak_memory_finish(struct dak_memory *memory);

/* A copy of note.  Where there is no room, the oldest of what is only a precaution goes; after
 * those, saying so, the oldest upload. */
enum bus_code dak_memory_add(struct dak_memory *memory, const struct dak_note *note,
			     struct bus_err *err);
/* The same, at a place; one that was removed from there fits in again. */
enum bus_code dak_memory_insert(struct dak_memory *memory, size_t index,
				const struct dak_note *note, struct bus_err *err);
void dak_memory_remove(struct dak_memory *memory, size_t index);

/*
 * The first one from index `from` on; memory->count: none.  log or name NULL:
 * any.
 */
size_t dak_memory_find(const struct dak_memory *memory, size_t from, enum dak_note_kind kind,
		       const char *log, const char *name);

size_t dak_memory_count(const struct dak_memory *memory, enum dak_note_kind kind);

/* Forgets those of a kind that are older than this. */
void dak_memory_forget(struct dak_memory *memory, enum dak_note_kind kind, int64_t before_us);

/* Cuts what is too long. */
void dak_note_set(char *field, size_t size, struct dak_slice value);
#define DAK_NOTE_SET(field, value) dak_note_set((field), sizeof(field), (value))

#endif
