#ifndef BUS_ERR_H
#define BUS_ERR_H

/*
 * What went wrong, said in terms of what to do about it.
 *
 * A function that can fail returns enum bus_code and takes a struct bus_err
 * last, which holds one line of text for people: lower case, no newline, it
 * names the thing and the remedy.  The struct lives on the caller's stack and
 * may be NULL where nobody reads the text.  Out parameters called ret_* are
 * written only on BUS_OK.
 *
 * bus_code_info[] is the one table that says, for every code, the name (the
 * failure names of PROTOCOL section 5 among them), the exit status of a
 * program that ends with it (sysexits.h; DESIGN section 4) and what a consumer
 * tells the broker about the message at hand.
 */
enum bus_code {
	BUS_OK = 0,
	BUS_E_NO,	   /* it ran, and the answer is no */
	BUS_E_USAGE,	   /* the command line is wrong */
	BUS_E_DATA,	   /* input that can never become an event */
	BUS_E_NOMEM,	   /* this machine is short of memory */
	BUS_E_HELD,	   /* another process has it, and only one may */
	BUS_E_TEMP,	   /* disk, lock or key service: try again later */
	BUS_E_UNAVAILABLE, /* the broker cannot be reached or cannot take it */
	BUS_E_CONFIG,	   /* the operator must act */
	BUS_E_BUG,	   /* we broke our own rule */

	/* A message that is not believed: PROTOCOL section 5, in its order. */
	BUS_E_UNSIGNED,
	BUS_E_OVERSIZE,
	BUS_E_MALFORMED_PROOF,
	BUS_E_NOT_INCLUDED,
	BUS_E_BAD_SIGNATURE,
	BUS_E_UNKNOWN_KEY,
	BUS_E_EXPIRED_KEY,
	BUS_E_REVOKED_KEY,
	BUS_E_WEAK_SIGNATURE,
	BUS_E_MALFORMED_EVENT,
	BUS_E_IDENTITY_MISMATCH,
	BUS_E_MISROUTED,
	BUS_E_UNTRUSTED_SIGNER,
	BUS_E_EQUIVOCATION, /* section 7: another body under a source and id we have had */

	BUS_CODE_COUNT
};

enum bus_fate {
	BUS_FATE_ACK,	  /* done with it */
	BUS_FATE_REQUEUE, /* not now: it stays in the queue */
	BUS_FATE_PARK	  /* never: to the parked queue, with the reason */
};

struct bus_code_info {
	const char *name;
	int exit_status; /* never 77 or 99: automake gives them a meaning */
	enum bus_fate fate;
};

extern const struct bus_code_info bus_code_info[BUS_CODE_COUNT];

struct bus_err {
	enum bus_code code;
	char text[640];
};

/* Fills err (NULL is fine) and returns code: return bus_fail(err, ...). */
enum bus_code bus_fail(struct bus_err *err, enum bus_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "<context>: " before the text of a failure that is on its way up. */
void bus_err_context(struct bus_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
