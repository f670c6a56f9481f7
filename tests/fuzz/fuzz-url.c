#include "config.h"

#include <string.h>

#include "adapters/planet/url_resolve.h"
#include "broker.h"
#include "fuzz.h"
#include "http.h"

static void check_resolve(const char *base, const char *reference)
{
	struct bus_buf out = BUS_BUF_INIT(1 << 20), again = BUS_BUF_INIT(1 << 20);
	size_t i;

	url_resolve(&out, base, reference);
	MUST(!out.failed);
	/* no blank and no control character, and nothing hidden that was not taken apart */
	for (i = 0; i < out.len; i++)
		MUST((unsigned char)out.p[i] > 0x20 && out.p[i] != 0x7f);
	if (out.len && url_is_absolute(out.p)) {
		MUST(!url_has_hidden(out.p));
		MUST(!url_is_page(out.p) || !url_is_harmful(out.p));
		/* "" stands for base as it is; from then on it stays the same */
		url_resolve(&again, base, out.p);
		bus_buf_clear(&out);
		url_resolve(&out, base, again.p);
		MUST(again.len == out.len && memcmp(again.p, out.p, out.len) == 0);
	}
	bus_buf_finish(&out);
	bus_buf_finish(&again);
}

static void check_broker(const char *url)
{
	struct bus_err err = { BUS_OK, "" };
	struct bus_broker_url where;
	enum bus_code rc = bus_broker_url(&where, url, &err);

	MUST(rc == BUS_OK || (rc == BUS_E_CONFIG && err.text[0]));
	if (!rc)
		MUST(memchr(where.host, '\0', sizeof(where.host)) && where.port >= 0 &&
		     where.port <= 65535);
	rc = bus_http_check_url("management: url", url, &err);
	MUST(rc == BUS_OK || rc == BUS_E_CONFIG);
	/* nobody else reads along */
	MUST(rc || strncmp(url, "https://", 8) == 0 || strstr(url, "localhost") ||
	     strstr(url, "127.") || strstr(url, "::1"));
}

/* The input: an address, LF, and what refers to another from it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1), *reference;

	MUST(text);
	memcpy(text, bytes, len);
	text[len] = '\0';
	reference = strchr(text, '\n');
	if (reference)
		*reference++ = '\0';
	check_broker(text);
	check_resolve(text, reference ? reference : "");
	check_resolve(reference ? reference : "", text);
	free(text);
	return 0;
}
