#ifndef BUS_MESSAGE_H
#define BUS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"

/*
 * One message as it travels (PROTOCOL section 4), before anybody believes it,
 * and its export form: {"routing_key": ..., "proof": ..., "body": ...}.
 *
 * Text that came from outside may hold any bytes; body and proof carry their
 * lengths.  A message owns what it points to.
 */

/*
 * Why a message is in debmsg.parked, as its headers say.  They are claims of
 * whoever put it there, and any bytes; too long ones are cut.
 */
enum { BUS_PARKING_TEXT_MAX = 640, BUS_PARKING_OUTPUT_MAX = 4096 };

struct bus_parking {
	char *reason, *text, *queue; /* NULL: not said */
	char *output;		     /* the last of what a handler printed; NULL: none */
	size_t output_len;
	int64_t time; /* when, in seconds since 1970; 0: not said */
};

struct bus_message {
	char *routing_key; /* NULL: it was not delivered, but read from a file without */
	char *body;
	size_t body_len;
	char *proof; /* NULL: the header is missing */
	size_t proof_len;
	char *message_id;	     /* NULL: not set; a hint until verified */
	bool oversize;		     /* the body was larger than is ever accepted, and cut */
	struct bus_parking *parking; /* NULL: it has none of these headers */
};

void bus_message_free(struct bus_message *m);

/* Appends the export form and a newline. */
void bus_message_export(struct bus_buf *out, const struct bus_message *m);

/*
 * Reads messages in export form from a stream of JSON objects, one per line or
 * spread over several.  Members it does not know are passed over.  *ret is NULL
 * at the end of the stream.  BUS_E_DATA, naming the line, where the stream is
 * not of that form; nothing after that can be read.
 */
struct bus_message_reader;
enum bus_code bus_message_reader_new(struct bus_message_reader **ret, FILE *stream,
				     struct bus_err *err);
enum bus_code bus_message_read(struct bus_message_reader *reader, struct bus_message **ret,
			       struct bus_err *err);
void bus_message_reader_free(struct bus_message_reader *reader);

#endif
