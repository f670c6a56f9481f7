#ifndef BUS_NOTIFY_H
#define BUS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/*
 * How a program that runs for long tells the service manager that started it
 * how it is: sd_notify(3), systemd.service(5) Type=notify.  That is a few datagrams;
 * libsystemd, and what it brings along, would be loaded by every hook.
 *
 *	bus_notify_open()	before any child is started
 *	bus_notify_ready()	once, when the work begins
 *	bus_notify_tick()	in the program's loop, and in each step that takes long
 *	bus_notify_status()	in the loop, where bus_notify_status_due()
 *	bus_notify_wait_us()	the loop waits no longer than this
 *	bus_notify_stopping()
 *	bus_notify_close()
 *
 * A tick tells the watchdog (WatchdogSec=) that the loop goes round; it is sent
 * when half of the time has passed, never by a thread or a timer, so that a
 * program that hangs is found and started again.
 *
 * Where no manager listens there is no notify: NULL, which all of these take.
 * What the manager put into the environment is taken out of it, so that no child
 * can speak for us.  That nothing can be told is no failure: then the manager
 * notices.
 */
struct bus_notify;

enum { BUS_NOTIFY_STATUS_MAX = 400 /* characters; more are cut off */ };

/* *ret NULL: nobody listens. */
enum bus_code bus_notify_open(struct bus_notify **ret, struct bus_err *err);
void bus_notify_close(struct bus_notify *n);

void bus_notify_ready(struct bus_notify *n);	/* the first call counts */
void bus_notify_stopping(struct bus_notify *n); /* the same */
void bus_notify_tick(struct bus_notify *n);
/* Until the next tick or status is due, at least 0; INT64_MAX: no matter how long. */
int64_t bus_notify_wait_us(const struct bus_notify *n);

/*
 * One line for people, at most one a second; nothing is sent where it says what
 * it said before.  Where it is not due, bus_notify_wait_us() is when it is.
 */
bool bus_notify_status_due(struct bus_notify *n);
void bus_notify_status(struct bus_notify *n, const char *text);

#endif
