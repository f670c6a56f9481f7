#ifndef BUS_MANAGEMENT_H
#define BUS_MANAGEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "conf.h"
#include "err.h"

/*
 * RabbitMQ's management API, read only.
 *
 *	bus_management_open()		reads the password; says nothing to anybody yet
 *	bus_management_get() ...
 *	bus_management_close()
 *
 * Every answer is bounded in time (http.h), in bytes and in depth (json_read.h),
 * and is what some server says: members may be missing or of any type.  The
 * functions below take that as "not said".
 *
 * What is there to ask: https://www.rabbitmq.com/docs/3.13/management#http-api, and
 * /api/index.html of the broker itself.
 */
struct bus_management;

/* BUS_E_NO where the configuration has no management section. */
enum bus_code bus_management_open(struct bus_management **ret, const struct bus_conf *conf,
				  struct bus_err *err);
void bus_management_close(struct bus_management *m);

/*
 * GET /api/<path>/<path>...?<query>; path ends with NULL and is escaped here,
 * query (NULL: none) is sent as it is.  The caller owns *ret, of any JSON type.
 * BUS_E_NO: 404, no such thing.  BUS_E_CONFIG: 401 or 403, not for this user.
 * BUS_E_UNAVAILABLE: all else, with the reason.
 */
enum bus_code bus_management_get(struct bus_management *m, json_t **ret, const char *const *path,
				 const char *query, struct bus_err *err);
/* The server's clock at the last answer, in seconds since 1970; 0: not said. */
int64_t bus_management_date(const struct bus_management *m);

/* A member by its name, through objects at "a.b.c"; NULL where it is not. */
const json_t *bus_member(const json_t *object, const char *name);
const char *bus_member_text(const json_t *object, const char *name); /* "" where it is none */
int64_t bus_member_int(const json_t *object, const char *name);	     /* 0 where it is none */
bool bus_member_true(const json_t *object, const char *name);
/* The object in the array whose member has this text. */
const json_t *bus_member_find(const json_t *array, const char *member, const char *text);

#endif
