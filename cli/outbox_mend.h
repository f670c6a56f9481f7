#ifndef CLI_OUTBOX_MEND_H
#define CLI_OUTBOX_MEND_H

#include "cli.h"
#include "outbox.h"

/* What the verbs of `debmsg outbox` share, and those that have a file of their own. */
struct cli_outbox {
	const char *service, *log; /* as on the command line; NULL: not given */
	bool all, json;
	int64_t keep_from_us; /* --keep: what is younger; 0: as configured */
	char **ranges;	      /* of resend, ended by NULL */
	const struct bus_conf *conf;
	bool any; /* an outbox was there */
};

enum bus_code cli_outbox_open(const struct cli_outbox *cmd, const struct bus_conf_service *service,
			      struct bus_outbox **ret, struct bus_err *err);
/* The service whose log --log names. */
enum bus_code cli_outbox_of_log(const struct cli_outbox *cmd, const struct bus_conf_service **ret,
				struct bus_err *err);

enum bus_code cli_outbox_resend(struct cli_outbox *cmd, const struct bus_conf_service *service,
				struct bus_err *err);
enum bus_code cli_outbox_prune(struct cli_outbox *cmd, const struct bus_conf_service *service,
			       struct bus_err *err);

#endif
