#include "config.h"

#include "adapters/wiki/rc_api.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/text.h"
#include "http.h"
#include "timestamp.h"

enum { URL_MAX = 16 * 1024 };

struct rc_api {
	char *url;
	struct bus_http *http;
	struct bus_buf reply;
};

enum bus_code rc_api_open(struct rc_api **ret, const char *url, struct bus_err *err)
{
	struct rc_api *api = calloc(1, sizeof(*api));
	enum bus_code rc;

	if (!api)
		return bus_fail(err, BUS_E_NOMEM, "rcfeed: out of memory");
	api->reply.max = RC_API_REPLY_MAX;
	api->url = strdup(url);
	rc = api->url ? bus_http_check_url("api-url", url, err)
		      : bus_fail(err, BUS_E_NOMEM, "rcfeed: out of memory");
	if (rc)
		rc_api_close(api);
	else
		*ret = api;
	return rc;
}

void rc_api_close(struct rc_api *api)
{
	if (!api)
		return;
	bus_http_close(api->http);
	bus_buf_finish(&api->reply);
	free(api->url);
	free(api);
}

void rc_api_rest(struct rc_api *api)
{
	bus_http_close(api->http);
	api->http = NULL;
	malloc_trim(0);
}

static void write_url(struct bus_buf *out, const char *url, const struct rc_api_question *question)
{
	char time[BUS_TIME_LEN + 1];

	bus_buf_puts(out, url);
	bus_buf_puts(out, "?action=query&format=json&formatversion=2&maxlag=5&curtimestamp=1"
			  "&list=recentchanges&rctype=edit%7Cnew%7Clog"
			  "&rcprop=title%7Ctimestamp%7Cids%7Cflags%7Cuser%7Cuserid%7Ccomment"
			  "%7Cloginfo%7Ctags");
	bus_buf_puts(out, question->only_newest ? "&rclimit=1" : "&rclimit=500&rcdir=newer");
	if (question->from_s) {
		bus_time_format(time, question->from_s * 1000000);
		bus_buf_printf(out, "&rcstart=%.19sZ", time);
	}
	if (question->continuation) {
		bus_buf_puts(out, "&rccontinue=");
		text_percent(out, question->continuation, strlen(question->continuation));
	}
	if (question->with_site)
		bus_buf_puts(out, "&meta=siteinfo&siprop=general");
}

static enum bus_code check_reply(const struct recentchange_reply *reply, struct bus_err *err)
{
	if (reply->error_code)
		return bus_fail(err, BUS_E_UNAVAILABLE, "it says %.60s: %.200s", reply->error_code,
				reply->error_info ? reply->error_info : "");
	if (!reply->now_us)
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"it does not say what time it is; MediaWiki 1.25 or later does");
	return BUS_OK;
}

enum bus_code rc_api_ask(struct rc_api *api, const struct rc_api_question *question,
			 struct recentchange_reply *ret, long *ret_retry_s, struct bus_err *err)
{
	struct recentchange_reply reply = { 0 };
	struct bus_buf url = BUS_BUF_INIT(URL_MAX);
	enum bus_code rc;

	*ret_retry_s = 0;
	write_url(&url, api->url, question);
	rc = bus_buf_check(&url, "the question", err);
	if (!rc && !api->http)
		rc = bus_http_open(&api->http, err);
	if (!rc)
		rc = bus_http_get(api->http, url.p, &api->reply, ret_retry_s, err);
	if (!rc)
		rc = recentchange_reply(&reply, api->reply.p ? api->reply.p : "", api->reply.len,
					err);
	if (!rc)
		rc = check_reply(&reply, err);
	if (rc) {
		recentchange_reply_finish(&reply);
		bus_err_context(err, "%s", api->url);
		rc = rc == BUS_E_DATA ? BUS_E_UNAVAILABLE : rc;
		err->code = rc;
	} else {
		*ret = reply;
	}
	bus_buf_finish(&api->reply); /* megabytes, perhaps: not kept for a quiet hour */
	bus_buf_finish(&url);
	return rc;
}
