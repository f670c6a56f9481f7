#include "config.h"

#include "answers.h"

#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 5, CROWD = 300 };
enum state { OPEN, KEPT_ACK, KEPT_NACK, TOLD };

static uint64_t *numbers(const struct bytes *b)
{
	return (uint64_t *)(void *)b->p;
}

static size_t count(const struct bytes *b)
{
	return b->len / sizeof(uint64_t);
}

static void add(struct bytes *b, uint64_t number)
{
	bytes_add(b, &number, sizeof(number));
}

static uint8_t *state(const struct answers *a, uint64_t number)
{
	return &a->answered.p[number - 1];
}

void answers_published(struct answers *a, uint16_t channel, bool swallowed)
{
	const uint8_t open = OPEN;

	a->channel = channel;
	a->published++;
	bytes_add(&a->answered, &open, 1);
	if (!swallowed)
		add(&a->forwarded, a->published);
}

void answers_given(struct answers *a, uint64_t number)
{
	*state(a, number) = TOLD;
	while (a->settled < a->published && *state(a, a->settled + 1) == TOLD)
		a->settled++;
}

static void keep(struct answers *a, uint64_t of_broker, enum state kept)
{
	const uint64_t number = numbers(&a->forwarded)[of_broker - 1];

	if (*state(a, number) != OPEN)
		return;
	*state(a, number) = (uint8_t)kept;
	add(&a->waiting, number);
}

void answers_take(struct answers *a, const struct frame *f)
{
	const enum state kept = f->method == METHOD_ACK ? KEPT_ACK : KEPT_NACK;
	uint64_t tag, first;

	if (f->payload_len < 13)
		return;
	tag = frame_number(f->payload + 4, 8);
	if (tag > count(&a->forwarded))
		return;
	first = f->payload[12] & 1 ? a->broker_done + 1 : tag;
	if (f->payload[12] & 1) {
		if (!tag)
			tag = count(&a->forwarded);
		a->broker_done = tag > a->broker_done ? tag : a->broker_done;
	}
	for (; first && first <= tag; first++)
		keep(a, first, kept);
}

bool answers_ripe(struct answers *a)
{
	if (!a->waiting.len)
		a->patience = PATIENCE;
	else if (a->patience)
		a->patience--;
	return !a->patience || count(&a->waiting) >= CROWD;
}

static void shuffle(uint64_t *p, size_t n)
{
	while (n > 1) {
		const size_t i = (size_t)random() % n--;
		const uint64_t swap = p[n];

		p[n] = p[i];
		p[i] = swap;
	}
}

static void tell(struct answers *a, uint64_t number, struct bytes *out)
{
	const uint32_t method = *state(a, number) == KEPT_NACK ? METHOD_NACK : METHOD_ACK;

	if (*state(a, number) == TOLD)
		return;
	frame_add_answer(out, a->channel, method, number, false);
	answers_given(a, number);
}

/* All acks up to the first that is open or refused as one; true: that was more than one. */
static bool tell_as_one(struct answers *a, struct bytes *out)
{
	uint64_t last = a->settled, ack = 0, acks = 0;

	while (last < a->published &&
	       (*state(a, last + 1) == KEPT_ACK || *state(a, last + 1) == TOLD)) {
		last++;
		if (*state(a, last) == KEPT_ACK) {
			ack = last;
			acks++;
		}
	}
	if (acks < 2)
		return false;
	frame_add_answer(out, a->channel, METHOD_ACK, ack, true);
	for (last = a->settled + 1; last <= ack; last++)
		*state(a, last) = TOLD;
	answers_given(a, ack);
	return true;
}

bool answers_flush(struct answers *a, enum answers_how how, struct bytes *out)
{
	const size_t n = count(&a->waiting);
	uint64_t *number = numbers(&a->waiting);
	bool changed = how == ANSWERS_SHUFFLED && n > 1;
	size_t i, alone = how == ANSWERS_MERGED ? n / 4 : n;

	if (!n)
		return false;
	if (how != ANSWERS_PLAIN)
		shuffle(number, n);
	/* Some alone, then many as one: it covers some of those, too. */
	for (i = 0; i < alone; i++)
		tell(a, number[i], out);
	if (how == ANSWERS_MERGED)
		changed = tell_as_one(a, out);
	for (; i < n; i++)
		tell(a, number[i], out);
	a->waiting.len = 0;
	a->patience = PATIENCE;
	return changed;
}

void answers_finish(struct answers *a)
{
	free(a->forwarded.p);
	free(a->answered.p);
	free(a->waiting.p);
}
