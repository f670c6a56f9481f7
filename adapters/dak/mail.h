#ifndef BUS_ADAPTER_DAK_MAIL_H
#define BUS_ADAPTER_DAK_MAIL_H

#include <stdbool.h>

#include "adapters/dak/changes.h"
#include "adapters/dak/clearsign.h"
#include "adapters/dak/mime.h"

/*
 * A mail of dak's, as send_mail() (daklib/utils.py) writes it to Dir::Mail, made
 * from dak's templates/ by daklib/announce.py.
 *
 * Its facts are those of its headers.  Of the body only two things are used: the
 * signed text of a .changes (see clearsign.h), and the reason of a rejection,
 * which is text for people and nothing else.  A .changes that is not signed, or
 * that contradicts the headers, is not used; `why` says so.
 */
enum dak_mail_kind {
	DAK_MAIL_ACCEPT, /* accepted into at least one suite */
	DAK_MAIL_POLICY, /* accepted into policy queues only */
	DAK_MAIL_NEW,
	DAK_MAIL_REJECT,
	DAK_MAIL_PROD,	 /* a question of the ftpmasters about a package in NEW */
	DAK_MAIL_REMOVE, /* one for each bug that a removal closes */
	DAK_MAIL_OTHER	 /* tells what others tell as well: announcements, closed bugs,
			    overrides, results of commands */
};

struct dak_mail {
	enum dak_mail_kind kind;
	bool from_policy; /* written by dak process-policy: an upload leaves its queue */
	bool is_manual;	  /* DAK_MAIL_REJECT: by somebody, not automatic */
	/* headers; empty where there is none */
	struct dak_slice changes;	/* <name>.changes */
	struct dak_slice source;	/* DAK_MAIL_REMOVE: several, between commas */
	struct dak_slice version;	/* with its epoch; empty in older mails */
	struct dak_slice architectures; /* between blanks */
	struct dak_slice suites;	/* for dak_next_suite() */

	struct dak_slice reason; /* DAK_MAIL_REJECT: lines */

	bool has_detail; /* the next three are there */
	struct changes detail;
	struct clearsign signed_text;
	struct bus_buf fingerprint; /* of the signing key; empty: not named */
	struct bus_err why;	    /* !has_detail: what is wrong; empty text: nothing */

	struct mime *mime;
};

/* BUS_E_DATA: no mail of dak's that is known, or only a part of one. */
enum bus_code dak_mail_read(struct dak_mail **ret, struct dak_slice bytes, struct bus_err *err);
void dak_mail_free(struct dak_mail *mail);

/* Nothing of it can still be missing, whether or not its writer has closed it. */
bool dak_mail_is_whole(const struct dak_mail *mail);

/*
 * The next of Debian-Suite: "unstable", or "proposed-updates->stable-new", whose
 * part behind the arrow is the queue; queue.p is NULL where there is no arrow.
 */
bool dak_next_suite(struct dak_slice *rest, struct dak_slice *ret_suite,
		    struct dak_slice *ret_queue);

#endif
