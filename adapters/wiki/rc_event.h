#ifndef BUS_WIKI_RC_EVENT_H
#define BUS_WIKI_RC_EVENT_H

#include <stdbool.h>

#include "adapters/adapter.h"
#include "adapters/wiki/recentchange.h"
#include "adapters/wiki/wiki_event.h"

/*
 * What a row of MediaWiki's recent changes means.
 *
 *	edit		page.edit; page.revert where it was undone, rolled back, or
 *			set back by hand (tags mw-undo, mw-rollback,
 *			mw-manual-revert; a datagram has no tags)
 *	new		page.create
 *	log delete	delete, delete_redir...: page.delete
 *			restore: page.create
 *			of a File: page: attachment.remove and attachment.add
 *	log move	page.rename
 *	log upload	upload, overwrite, revert: attachment.add
 *	log import	page.edit
 *	all else	nothing: blocks, patrols, new accounts, what became visible
 *
 * An attachment's page is its File: page, its file the rest of that name.
 *
 * Who edits without an account has an address for a name: that name is left
 * out, addresses in comments are masked, and not announced are changes of pages
 * in the namespaces User and User talk that have an address in their name, of
 * others that are named after one (address_is_part()), and moves that name one.
 */
enum rc_meaning {
	RC_MEANING_NOTHING,
	RC_MEANING_PRIVATE, /* it would name an address, or is hidden */
	RC_MEANING_BROKEN,  /* a change whose title is not there */
	RC_MEANING_EVENT
};

enum rc_meaning rc_event_meaning(const struct recentchange *row, enum wiki_kind *ret);

/* Where the pages are; NULL: not known. */
struct rc_site {
	const char *server;	  /* "https://wiki.example.org", or "//wiki.example.org" */
	const char *article_path; /* "/wiki/$1" */
};

/* Adds the event of a row that means one. */
enum bus_code rc_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			   const struct recentchange *row, enum wiki_kind kind,
			   const struct rc_site *site, struct bus_err *err);

#endif
