#include "config.h"

#include "http.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { CONNECT_MS = 5 * 1000, RETRY_MAX_S = 3600 };

struct bus_http {
	CURL *curl;
	int64_t date; /* of the last answer */
	char error[CURL_ERROR_SIZE];
};

static size_t take(char *bytes, size_t size, size_t count, void *arg)
{
	struct bus_buf *out = arg;

	bus_buf_add(out, bytes, size * count);
	return out->failed ? 0 : size * count;
}

static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
	static const char name[] = "date:";
	const size_t len = size * count, skip = sizeof(name) - 1;
	struct bus_http *http = arg;
	char date[64];
	time_t when;

	if (len > skip && len - skip < sizeof(date) && strncasecmp(line, name, skip) == 0) {
		memcpy(date, line + skip, len - skip);
		date[len - skip] = '\0';
		when = curl_getdate(date, NULL);
		http->date = when > 0 ? (int64_t)when : 0;
	}
	return len;
}

/* Asked by libcurl about once a second; not 0: enough. */
static int should_end(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	sigset_t pending;

	(void)arg;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static bool set_options(struct bus_http *http)
{
	CURL *curl = http->curl;

	return !(curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") ||
		 curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) ||
		 curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") ||
		 curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) ||
		 curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)BUS_HTTP_MS) ||
		 curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) ||
		 curl_easy_setopt(curl, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION) ||
		 curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error) ||
		 curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) ||
		 curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) ||
		 curl_easy_setopt(curl, CURLOPT_HEADERDATA, http) ||
		 curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, should_end) ||
		 curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L));
}

enum bus_code bus_http_open(struct bus_http **ret, struct bus_err *err)
{
	struct bus_http *http = calloc(1, sizeof(*http));

	if (http)
		http->curl = curl_easy_init();
	if (!http || !http->curl || !set_options(http)) {
		bus_http_close(http);
		return bus_fail(err, BUS_E_NOMEM, "http: libcurl does not start");
	}
	*ret = http;
	return BUS_OK;
}

void bus_http_close(struct bus_http *http)
{
	if (http)
		curl_easy_cleanup(http->curl);
	free(http);
}

enum bus_code bus_http_login(struct bus_http *http, const struct bus_http_login *login,
			     struct bus_err *err)
{
	CURL *curl = http->curl;

	if ((login->user && (curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) ||
			     curl_easy_setopt(curl, CURLOPT_USERNAME, login->user) ||
			     curl_easy_setopt(curl, CURLOPT_PASSWORD, login->password))) ||
	    (login->ca_file && curl_easy_setopt(curl, CURLOPT_CAINFO, login->ca_file)))
		return bus_fail(err, BUS_E_NOMEM, "http: out of memory");
	return BUS_OK;
}

long bus_http_status(const struct bus_http *http)
{
	long status = 0;

	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

int64_t bus_http_date(const struct bus_http *http)
{
	return http->date;
}

static enum bus_code check_status(CURL *curl, struct bus_err *err)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300 && status < 400)
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"it answers %ld, a redirect, which is not followed; "
				"name the address it leads to",
				status);
	return status == 200 ? BUS_OK : bus_fail(err, BUS_E_UNAVAILABLE, "it answers %ld", status);
}

enum bus_code bus_http_get(struct bus_http *http, const char *url, struct bus_buf *out,
			   long *ret_retry_s, struct bus_err *err)
{
	curl_off_t retry = 0;
	enum bus_code rc;
	CURLcode code;

	bus_buf_clear(out);
	http->error[0] = '\0';
	http->date = 0;
	if (curl_easy_setopt(http->curl, CURLOPT_URL, url) ||
	    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, out))
		return bus_fail(err, BUS_E_NOMEM, "http: out of memory");
	code = curl_easy_perform(http->curl);
	curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &retry);
	*ret_retry_s = retry < RETRY_MAX_S ? (long)retry : RETRY_MAX_S;
	rc = bus_buf_check(out, "the reply", err);
	if (rc == BUS_E_DATA)
		return bus_fail(err, BUS_E_UNAVAILABLE, "its reply has more than %zu bytes",
				out->max);
	if (rc)
		return rc;
	if (code == CURLE_OUT_OF_MEMORY)
		return bus_fail(err, BUS_E_NOMEM, "http: out of memory");
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return bus_fail(err, BUS_E_NO, "http: told to end");
	if (code)
		return bus_fail(err, BUS_E_UNAVAILABLE, "%s",
				http->error[0] ? http->error : curl_easy_strerror(code));
	return check_status(http->curl, err);
}

/* "Expire date:2027-01-01 00:00:00 GMT" of the server's own certificate, which is the first. */
static int64_t find_end(const struct curl_certinfo *info)
{
	static const char name[] = "Expire date:";
	const struct curl_slist *line = info && info->num_of_certs > 0 ? info->certinfo[0] : NULL;
	time_t when;

	for (; line; line = line->next) {
		if (strncmp(line->data, name, sizeof(name) - 1) != 0)
			continue;
		when = curl_getdate(line->data + sizeof(name) - 1, NULL);
		return when > 0 ? (int64_t)when : 0;
	}
	return 0;
}

enum bus_code bus_http_certificate_end(struct bus_http *http, const char *url, int64_t *ret,
				       struct bus_err *err)
{
	struct curl_certinfo *info = NULL;
	CURLcode code;
	int64_t end;

	http->error[0] = '\0';
	if (curl_easy_setopt(http->curl, CURLOPT_URL, url) ||
	    curl_easy_setopt(http->curl, CURLOPT_CONNECT_ONLY, 1L) ||
	    curl_easy_setopt(http->curl, CURLOPT_CERTINFO, 1L))
		return bus_fail(err, BUS_E_NOMEM, "http: out of memory");
	code = curl_easy_perform(http->curl);
	if (code)
		return bus_fail(err, BUS_E_UNAVAILABLE, "%s",
				http->error[0] ? http->error : curl_easy_strerror(code));
	if (curl_easy_getinfo(http->curl, CURLINFO_CERTINFO, &info))
		info = NULL;
	end = find_end(info);
	curl_easy_setopt(http->curl, CURLOPT_CONNECT_ONLY, 0L);
	if (!end)
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"its certificate does not say when it ends");
	*ret = end;
	return BUS_OK;
}

static bool is_this_machine(const char *host, size_t len)
{
	static const char *const own[] = { "localhost", "[::1]" };
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (len == strlen(own[i]) && strncmp(host, own[i], len) == 0)
			return true;
	return len > 4 && strncmp(host, "127.", 4) == 0 &&
	       strspn(host + 4, "0123456789.") >= len - 4;
}

enum bus_code bus_http_check_url(const char *option, const char *url, struct bus_err *err)
{
	const char *host = strstr(url, "://");
	size_t len, name;

	if (!host || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
		return bus_fail(err, BUS_E_CONFIG, "%s: it must begin with https:// or http://",
				option);
	host += 3;
	len = strcspn(host, "/");
	if (memchr(host, '@', len))
		return bus_fail(err, BUS_E_CONFIG, "%s: a url holds no user and no password",
				option);
	if (strpbrk(url, "?# "))
		return bus_fail(err, BUS_E_CONFIG, "%s: it must end with a path, without ? and #",
				option);
	name = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	if (host[0] == '[' && (name > len || (name < len && host[name] != ':')))
		return bus_fail(err, BUS_E_CONFIG, "%s: what follows on ']' is no port", option);
	if (url[4] == ':' && !is_this_machine(host, name < len ? name : len))
		return bus_fail(err, BUS_E_CONFIG,
				"%s: what another machine says without https may be "
				"anybody's; use https://",
				option);
	return len ? BUS_OK : bus_fail(err, BUS_E_CONFIG, "%s: it names no host", option);
}
