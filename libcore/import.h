#ifndef BUS_IMPORT_H
#define BUS_IMPORT_H

#include "conf.h"
#include "message.h"

/*
 * Puts messages that were exported into a broker's history: they are verified,
 * and published as they are, with the proofs they have, to the history only.
 *
 *	bus_import_open()
 *	bus_import_seen() ...		everything that the history has already
 *	bus_import_message() ...	everything that it is to have
 *	bus_import_flush()		all that was published is safe
 *
 * What the history has is not sent again, so what was interrupted is simply
 * begun anew.  The user of the broker section publishes.
 *
 * Memory: some 8 bytes for each event.
 */
struct bus_import;

enum bus_code bus_import_open(struct bus_import **ret, const struct bus_conf *conf,
			      struct bus_err *err);
void bus_import_close(struct bus_import *im);

/* A message of the history; one that is not believed counts as not there. */
enum bus_code bus_import_seen(struct bus_import *im, const struct bus_message *m,
			      struct bus_err *err);

enum bus_import_result {
	BUS_IMPORT_SENT,    /* safe after bus_import_flush() */
	BUS_IMPORT_THERE,   /* the history has it, or it was sent before */
	BUS_IMPORT_REFUSED, /* not believed; `why` says why */
};

/*
 * Publishes it unless there is a reason not to.  May wait for the broker, until
 * stop_fd is readable (BUS_E_TEMP).  After any failure the import has ended.
 */
enum bus_code bus_import_message(struct bus_import *im, const struct bus_message *m, int stop_fd,
				 enum bus_import_result *ret, struct bus_err *why,
				 struct bus_err *err);
enum bus_code bus_import_flush(struct bus_import *im, int stop_fd, struct bus_err *err);

#endif
