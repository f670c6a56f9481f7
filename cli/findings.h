#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <stdbool.h>

#include "finding.h"

/* One line of JSON. */
void cli_print_finding_json(const struct bus_finding *f);
/* For people: what is the case, and below it what to do. */
void cli_print_finding(const struct bus_finding *f, bool colours);

#endif
