#ifndef CLI_PARKED_PRINT_H
#define CLI_PARKED_PRINT_H

#include "cli.h"
#include "parked.h"

/*
 * How parked messages are shown.  Whatever they say, no control character
 * reaches a terminal, and JSON is one object a line and valid UTF-8.
 */

/* What verifying it now gives. */
struct cli_verdict {
	enum bus_code result; /* BUS_OK: believed */
	const char *text;     /* why not, or who signed */
};

void cli_parked_line(FILE *out, const struct bus_parked_message *m);
void cli_parked_show(FILE *out, const struct bus_parked_message *m,
		     const struct cli_verdict *verdict);
/* verdict NULL: only what the list has. */
enum bus_code cli_parked_json(FILE *out, const struct bus_parked_message *m,
			      const struct cli_verdict *verdict, struct bus_err *err);

#endif
