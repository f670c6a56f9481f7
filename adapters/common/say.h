#ifndef BUS_ADAPTER_SAY_H
#define BUS_ADAPTER_SAY_H

/*
 * What an adapter tells people: one line, on stderr as "debmsg-alioth: ...",
 * which a version control system shows to whoever pushes, and to syslog; once,
 * with its priority, where stderr is the journal.  A line names the thing and the
 * remedy.
 */
void say_open(const char *program);
/* priority: as syslog(3) has them */
void say(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
