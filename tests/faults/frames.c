#include "config.h"

#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 7, END = 0xCE };

void bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (b->len + len > b->size) {
		b->size = (b->len + len) * 2;
		b->p = realloc(b->p, b->size);
		if (!b->p) {
			fputs("between: out of memory\n", stderr);
			exit(1);
		}
	}
	if (len)
		memcpy(b->p + b->len, data, len);
	b->len += len;
}

void bytes_drop(struct bytes *b, size_t len)
{
	b->len -= len;
	if (b->len)
		memmove(b->p, b->p + len, b->len);
}

uint64_t frame_number(const uint8_t *p, int octets)
{
	uint64_t n = 0;

	while (octets-- > 0)
		n = n << 8 | *p++;
	return n;
}

int frame_read(struct frame *ret, const uint8_t *p, size_t len)
{
	if (len < HEAD)
		return 0;
	ret->type = p[0];
	ret->channel = (uint16_t)frame_number(p + 1, 2);
	ret->payload_len = (size_t)frame_number(p + 3, 4);
	ret->payload = p + HEAD;
	ret->len = HEAD + ret->payload_len + 1;
	ret->method = 0;
	if (ret->payload_len > FRAME_PAYLOAD_MAX)
		return -1;
	if (len < ret->len)
		return 0;
	if (p[ret->len - 1] != END || (ret->type == FRAME_METHOD && ret->payload_len < 4))
		return -1;
	if (ret->type == FRAME_METHOD)
		ret->method = (uint32_t)frame_number(ret->payload, 4);
	return 1;
}

uint64_t frame_content_length(const struct frame *f)
{
	return f->payload_len < 12 ? 0 : frame_number(f->payload + 4, 8);
}

/* -- building -- */

static void add_number(struct bytes *out, uint64_t n, int octets)
{
	uint8_t byte;

	while (octets-- > 0) {
		byte = (uint8_t)(n >> (8 * octets));
		bytes_add(out, &byte, 1);
	}
}

static void add_text(struct bytes *out, const char *text)
{
	add_number(out, strlen(text), 1);
	bytes_add(out, text, strlen(text));
}

static void add_method(struct bytes *out, uint16_t channel, uint32_t method,
		       const struct bytes *arguments)
{
	add_number(out, FRAME_METHOD, 1);
	add_number(out, channel, 2);
	add_number(out, 4 + arguments->len, 4);
	add_number(out, method, 4);
	bytes_add(out, arguments->p, arguments->len);
	add_number(out, END, 1);
}

void frame_add_answer(struct bytes *out, uint16_t channel, uint32_t method, uint64_t tag,
		      bool multiple)
{
	struct bytes arguments = { 0 };

	add_number(&arguments, tag, 8);
	add_number(&arguments, multiple, 1); /* of a nack also: requeue, no */
	add_method(out, channel, method, &arguments);
	free(arguments.p);
}

void frame_add_return(struct bytes *out, const struct frame *publish)
{
	struct bytes arguments = { 0 };

	add_number(&arguments, 312, 2);
	add_text(&arguments, "NO_ROUTE");
	/* after a reserved number: exchange and routing key; before the flags */
	if (publish->payload_len > 7)
		bytes_add(&arguments, publish->payload + 6, publish->payload_len - 7);
	add_method(out, publish->channel, METHOD_RETURN, &arguments);
	free(arguments.p);
}

void frame_add_channel_close(struct bytes *out, uint16_t channel, uint16_t code, const char *text)
{
	struct bytes arguments = { 0 };

	add_number(&arguments, code, 2);
	add_text(&arguments, text);
	add_number(&arguments, 0, 4); /* because of no method */
	add_method(out, channel, METHOD_CHANNEL_CLOSE, &arguments);
	free(arguments.p);
}

/* client-properties, mechanism, response: "\0user\0password" */
void frame_user(char *ret, size_t size, const struct frame *start_ok)
{
	const uint8_t *p = start_ok->payload + 4, *end = start_ok->payload + start_ok->payload_len;
	uint64_t skip;
	size_t n = 0;

	ret[0] = '\0';
	if (end - p < 4)
		return;
	skip = frame_number(p, 4) + 4;
	if (skip >= (uint64_t)(end - p))
		return;
	p += skip;
	skip = (uint64_t)*p + 1 + 4 + 1;
	if (skip >= (uint64_t)(end - p))
		return;
	p += skip;
	while (p < end && *p && n + 1 < size)
		ret[n++] = (char)*p++;
	ret[n] = '\0';
}
