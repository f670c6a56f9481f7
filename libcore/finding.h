#ifndef BUS_FINDING_H
#define BUS_FINDING_H

/*
 * What a check has found, with its remedy.  debmsg doctor and debmsg keys check
 * print findings; whoever checks hands each to a function of this type.
 */
enum bus_level {
	BUS_LEVEL_OK,	   /* looked at, and good */
	BUS_LEVEL_NOTE,	   /* could not be looked at, or worth knowing; asks for nothing */
	BUS_LEVEL_WARNING, /* works today, will not for long */
	BUS_LEVEL_ERROR,   /* does not work, or loses something now */
};

struct bus_finding {
	enum bus_level level;
	const char *check;   /* which check, for programs: "key-expiry"; never changes */
	const char *subject; /* what was looked at: a file, key, queue, url; may be "" */
	const char *text;    /* what is the case: one line, lower case, no full stop */
	const char *remedy;  /* what to do: one line, a command where there is one; "" when good */
};

/* Everything in it is borrowed for the time of the call. */
typedef void bus_finding_fn(void *arg, const struct bus_finding *finding);

#endif
