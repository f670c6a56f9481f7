#ifndef FAULTS_LINK_H
#define FAULTS_LINK_H

#include <poll.h>

#include "frames.h"

/*
 * One connection through the program in the middle: client, broker, and the
 * frames between them.  What goes wrong is said by rules:
 *
 *	rule	of the links of a user, or of all ("*")
 *	count	how often it strikes; modes strike as long as they are there
 *	skip	how many chances it lets pass first
 *
 * A link strikes at most one blow of a rule at a time, and counts it in rule_made.
 */
enum rule_what {
	RULE_HANDSHAKE, /* once: a new link is cut after `argument` frames, 10 at most */
	RULE_CONFIRM,	/* once: cut when the broker confirms, before the client hears it */
	RULE_PUBLISH,	/* once: cut in the middle of a frame of a message that is published */
	RULE_DELIVER,	/* the same, of a message that is delivered */
	RULE_CLOSE,	/* once: the broker closes the channel, with code `argument` */
	RULE_NACK,	/* once: a message never reaches the broker, and is refused (nack) */
	RULE_RETURN,	/* the same, and is returned as unroutable */
	RULE_SLOW,	/* mode: `argument` bytes a second in each direction */
	RULE_DEAD,	/* mode, of the links there are: half open; nothing passes any more */
	RULE_MUTE,	/* mode: heartbeats are withheld */
	RULE_SHUFFLE,	/* mode: confirms come late and in any order */
	RULE_MERGE,	/* mode: confirms come late and with `multiple` */
	RULE_COUNT
};

struct rule {
	enum rule_what what;
	char user[32];
	long count, skip, argument;
};

enum { RULES_MAX = 64 };
extern struct rule rules[RULES_MAX];
extern int rule_count;
extern unsigned long rule_made[RULE_COUNT];
extern const char *const rule_name[RULE_COUNT];
/* source/id of the events that were swallowed, each followed by a space */
extern struct bytes swallowed;

struct link;
struct link *link_new(int client, int broker);
void link_free(struct link *l);

/* What to poll for, at fd[0] (client) and fd[1] (broker); fd -1: nothing. */
void link_poll(const struct link *l, struct pollfd fd[2]);
/* Reads, looks, writes.  False: it has ended. */
bool link_step(struct link *l, const struct pollfd fd[2], int64_t now_ms);
/* Ends it: all that is in memory is lost; abort: with RST. */
void link_cut(struct link *l, bool abort);
void link_kill(struct link *l); /* RULE_DEAD from now on */
bool link_is_of(const struct link *l, const char *user);
const char *link_user(const struct link *l); /* "": not known yet */
bool link_is_dead(const struct link *l);

#endif
