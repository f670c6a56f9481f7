#ifndef CLI_QUEUE_AUDIT_H
#define CLI_QUEUE_AUDIT_H

#include "audit_queue.h"
#include "cli.h"

/*
 * audit --queue: the part of audit.c that is about a queue.
 *
 *	cli_queue_audit_open()
 *	bus_audit_queue_event(qa.queue, ...)	for the whole history
 *	cli_queue_audit_print()
 *	cli_queue_audit_close()
 */
struct cli_queue_audit {
	const struct bus_conf *conf;
	const char *log; /* NULL: all */
	char *name;	 /* <user>.<name> */
	struct bus_audit_queue *queue;
	uint64_t not_yet;	 /* events that were not had and are newer than all that were */
	bool bad, any, is_empty; /* is_empty: the queue holds nothing, and nobody consumes it */
};

enum bus_code cli_queue_audit_open(struct cli_queue_audit *qa, const char *name,
				   struct bus_err *err);
void cli_queue_audit_close(struct cli_queue_audit *qa);
/* Prints what was found; qa->bad: something is missing. */
enum bus_code cli_queue_audit_print(struct cli_queue_audit *qa, struct bus_err *err);

/* "3..4, 7..7" */
void cli_print_holes(const struct bus_holes *holes);

#endif
