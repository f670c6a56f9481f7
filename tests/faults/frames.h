#ifndef FAULTS_FRAMES_H
#define FAULTS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * AMQP 0-9-1 frames, as far as somebody in the middle must know them (sections
 * 2.3 and 4.2.3 of the specification), and a buffer of bytes.
 */
enum {
	FRAME_METHOD = 1,
	FRAME_HEADER = 2,
	FRAME_BODY = 3,
	FRAME_HEARTBEAT = 8,
	FRAME_PAYLOAD_MAX = 1 << 20
};

#define METHOD(class, method) ((uint32_t)(class) << 16 | (method))
enum {
	METHOD_START_OK = METHOD(10, 11),
	METHOD_OPEN_OK = METHOD(10, 41),
	METHOD_CHANNEL_CLOSE = METHOD(20, 40),
	METHOD_CHANNEL_CLOSE_OK = METHOD(20, 41),
	METHOD_CONFIRM_SELECT = METHOD(85, 10),
	METHOD_PUBLISH = METHOD(60, 40),
	METHOD_RETURN = METHOD(60, 50),
	METHOD_DELIVER = METHOD(60, 60),
	METHOD_ACK = METHOD(60, 80),
	METHOD_NACK = METHOD(60, 120)
};

/* -- bytes: grows, dies when memory is out -- */

struct bytes {
	uint8_t *p;
	size_t len, size;
};
void bytes_add(struct bytes *b, const void *data, size_t len);
void bytes_drop(struct bytes *b, size_t len); /* the first so many */

/* -- frames -- */

struct frame {
	uint8_t type;
	uint16_t channel;
	uint32_t method; /* of a method frame */
	const uint8_t *payload;
	size_t payload_len;
	size_t len; /* of all */
};

/* 1: a frame; 0: not all of it is there; -1: this is no AMQP. */
int frame_read(struct frame *ret, const uint8_t *p, size_t len);

uint64_t frame_number(const uint8_t *p, int octets);
/* The length of the content that this header frame begins. */
uint64_t frame_content_length(const struct frame *f);

/* Adds whole frames. */
void frame_add_answer(struct bytes *out, uint16_t channel, uint32_t method, uint64_t tag,
		      bool multiple);
/* publish: the method frame of what is returned */
void frame_add_return(struct bytes *out, const struct frame *publish);
void frame_add_channel_close(struct bytes *out, uint16_t channel, uint16_t code, const char *text);

/* The user name in Connection.StartOk, mechanism PLAIN; "" if there is none. */
void frame_user(char *ret, size_t size, const struct frame *start_ok);

#endif
