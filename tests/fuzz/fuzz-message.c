#include "config.h"

#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"
#include "message.h"

static enum bus_code read_one(struct bus_message **ret, const void *bytes, size_t len)
{
	struct bus_message_reader *reader = NULL;
	FILE *stream = fmemopen((void *)(uintptr_t)bytes, len, "r");
	enum bus_code rc;

	MUST(stream && bus_message_reader_new(&reader, stream, NULL) == BUS_OK);
	rc = bus_message_read(reader, ret, NULL);
	bus_message_reader_free(reader);
	fclose(stream);
	return rc;
}

/* What was read and is written again is read as the same. */
static void check_round_trip(const struct bus_message *m)
{
	struct bus_buf out = BUS_BUF_INIT(1 << 24);
	struct bus_message *again = NULL;

	bus_message_export(&out, m);
	MUST(bus_buf_check(&out, "export", NULL) == BUS_OK);
	MUST(memchr(out.p, '\n', out.len) == out.p + out.len - 1 && bus_utf8_valid(out.p, out.len));
	MUST(read_one(&again, out.p, out.len) == BUS_OK && again);
	MUST(strcmp(again->routing_key, m->routing_key) == 0);
	MUST(again->body_len == m->body_len && !memcmp(again->body, m->body, m->body_len));
	MUST(!again->proof == !m->proof);
	/* NUL, which no proof may hold, becomes U+FFFD, which none may hold either */
	if (m->proof && !memchr(m->proof, '\0', m->proof_len))
		MUST(again->proof_len == m->proof_len &&
		     !memcmp(again->proof, m->proof, m->proof_len));
	bus_message_free(again);
	bus_buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_message_reader *reader = NULL;
	struct bus_message *m;
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;
	FILE *stream;

	if (!len) /* fmemopen takes no less than one byte */
		return 0;
	stream = fmemopen((void *)(uintptr_t)bytes, len, "r");
	MUST(stream && bus_message_reader_new(&reader, stream, NULL) == BUS_OK);
	for (;;) {
		m = NULL;
		rc = bus_message_read(reader, &m, &err);
		MUST(rc == BUS_OK || (rc == BUS_E_DATA && !m && strstr(err.text, "line ")));
		if (!m)
			break;
		check_round_trip(m);
		bus_message_free(m);
	}
	bus_message_reader_free(reader);
	fclose(stream);
	return 0;
}
