#ifndef BUS_ADAPTER_WIKI_EVENT_H
#define BUS_ADAPTER_WIKI_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"

/*
 * What happened in a wiki, whichever software it runs, and the event made of
 * it; schemas/wiki.*.json have its form.
 */
enum wiki_kind {
	WIKI_PAGE_CREATE,
	WIKI_PAGE_EDIT,
	WIKI_PAGE_DELETE,
	WIKI_PAGE_RENAME,
	WIKI_PAGE_REVERT,
	WIKI_ATTACHMENT_ADD,
	WIKI_ATTACHMENT_REMOVE,
	WIKI_ATTACHMENT_DRAW,
	WIKI_KIND_COUNT
};

extern const char *const wiki_kind_type[WIKI_KIND_COUNT]; /* "page.create" ... */

/* len 0: there is none, and no member. */
struct wiki_text {
	const char *p;
	size_t len;
};

/* Numbers: 0 is none. */
struct wiki_change {
	enum wiki_kind kind;
	const char *engine; /* "moinmoin", "mediawiki" */
	int64_t time_us;
	const char *page; /* the event's subject */
	uint64_t revision;
	uint64_t old_revision;	   /* of an edit or a revert */
	uint64_t reverted_to;	   /* of a revert */
	struct wiki_text old_page; /* of a rename, and needed there */
	struct wiki_text file;	   /* of an attachment, and needed there */
	struct wiki_text user_id;
	struct wiki_text user;	  /* left out where it has an address: that is no name */
	struct wiki_text comment; /* addresses in it are masked */
	const char *url;	  /* NULL: from the service's template, option url */
	bool minor, bot;	  /* where true */
};

/*
 * Adds the event; one too large goes with a shorter comment, without, or without url.
 * number, raw, len: as for batch_add(), and without any address.
 */
enum bus_code wiki_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			     const struct wiki_change *change, size_t number, const char *raw,
			     size_t len, struct bus_err *err);

/* Its data, with at most so many characters of the comment. */
void wiki_event_write(struct bus_buf *out, const struct wiki_change *change,
		      size_t comment_characters, const char *url_template);

#endif
