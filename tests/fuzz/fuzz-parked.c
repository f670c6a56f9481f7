#include "config.h"

#include <string.h>

#include "cli/parked_print.h"
#include "fuzz.h"
#include "json.h"
#include "json_read.h"

struct memory {
	char *p;
	size_t len;
};

/* Nothing in it commands a terminal: no C0 but the end of a line, no DEL, no C1. */
static void check_shown(const struct memory *text)
{
	size_t i;

	MUST(bus_utf8_valid(text->p, text->len));
	for (i = 0; i < text->len; i++) {
		const unsigned char c = (unsigned char)text->p[i];

		MUST((c >= 0x20 && c != 0x7f) || c == '\n');
		MUST(!(c == 0xc2 && (unsigned char)text->p[i + 1] < 0xa0));
	}
}

static void check_line(const struct bus_parked_message *m)
{
	struct memory text;
	FILE *out = open_memstream(&text.p, &text.len);

	MUST(out);
	cli_parked_line(out, m);
	fclose(out);
	check_shown(&text);
	MUST(memchr(text.p, '\n', text.len) == text.p + text.len - 1);
	free(text.p);
}

static void check_all_shown(const struct bus_parked_message *m, const struct cli_verdict *verdict)
{
	struct memory text;
	FILE *out = open_memstream(&text.p, &text.len);

	MUST(out);
	cli_parked_show(out, m, verdict);
	fclose(out);
	check_shown(&text);
	free(text.p);
}

static void check_json(const struct bus_parked_message *m, const struct cli_verdict *verdict)
{
	struct bus_err err = { BUS_OK, "" };
	struct memory text;
	json_t *root = NULL;
	FILE *out = open_memstream(&text.p, &text.len);

	MUST(out && cli_parked_json(out, m, verdict, &err) == BUS_OK);
	fclose(out);
	check_shown(&text);
	MUST(memchr(text.p, '\n', text.len) == text.p + text.len - 1);
	MUST(bus_json_read(&root, text.p, text.len, 0, BUS_E_DATA, &err) == BUS_OK);
	json_decref(root);
	free(text.p);
}

/* An id is of the message, and changes with it. */
static void check_digest(struct bus_parked_message *m)
{
	char before[BUS_PARKED_DIGEST_LEN + 1];

	bus_parked_digest(m);
	MUST(strspn(m->digest, "0123456789abcdef") == BUS_PARKED_DIGEST_LEN);
	memcpy(before, m->digest, sizeof(before));
	bus_parked_digest(m);
	MUST(strcmp(before, m->digest) == 0);
	m->message->body_len--;
	bus_parked_digest(m);
	MUST(strcmp(before, m->digest) != 0);
	m->message->body_len++;
	bus_parked_digest(m);
}

/* The next field, up to FF; NULL where it is missing.  NUL behind it. */
static char *field(const char **rest, const char *end, size_t *ret_len)
{
	const char *from = *rest, *stop;
	char *copy;

	*ret_len = 0;
	if (from > end)
		return NULL;
	stop = memchr(from, '\f', (size_t)(end - from));
	stop = stop ? stop : end;
	*rest = stop + 1;
	*ret_len = (size_t)(stop - from);
	copy = malloc(*ret_len + 1);
	MUST(copy);
	memcpy(copy, from, *ret_len);
	copy[*ret_len] = '\0';
	return copy;
}

/* The input: a number of eight bytes, and the fields below. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_parking parking = { .reason = NULL };
	struct bus_message message = { .parking = &parking };
	struct bus_parked_message m = { .message = &message, .parking = &parking };
	struct cli_verdict verdict = { BUS_OK, "" };
	const char *rest = (const char *)bytes + 8, *end = (const char *)bytes + len;
	char *why;
	size_t n;

	if (len < 8)
		return 0;
	memcpy(&parking.time, bytes, 8);
	/* broker_parking.c lets through nothing outside of years with four digits */
	parking.time = (int64_t)((uint64_t)parking.time % 253402300800);
	message.body = field(&rest, end, &message.body_len);
	message.routing_key = field(&rest, end, &n);
	if (!message.routing_key)
		message.routing_key = strdup("");
	parking.reason = field(&rest, end, &n);
	parking.text = field(&rest, end, &n);
	parking.queue = field(&rest, end, &n);
	message.message_id = field(&rest, end, &n);
	parking.output = field(&rest, end, &parking.output_len);
	message.proof = field(&rest, end, &message.proof_len);
	why = field(&rest, end, &n);
	verdict.text = why ? why : "";
	verdict.result = len % 2 ? BUS_E_MISROUTED : BUS_OK;
	if (message.body_len)
		check_digest(&m);
	check_line(&m);
	check_all_shown(&m, &verdict);
	check_json(&m, why ? &verdict : NULL);
	free(message.body);
	free(message.routing_key);
	free(message.message_id);
	free(message.proof);
	free(parking.reason);
	free(parking.text);
	free(parking.queue);
	free(parking.output);
	free(why);
	return 0;
}
