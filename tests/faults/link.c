#include "config.h"

#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answers.h"

enum {
	READ = 65536,
	FULL = 4 * READ, /* no more is read until the other side has taken some */
	GREETING = 8,	 /* "AMQP" and a version, before the first frame */
	HANDSHAKE = 10	 /* frames: 6 until it is open, a channel, what is asked first */
};

struct rule rules[RULES_MAX];
int rule_count;
unsigned long rule_made[RULE_COUNT];
const char *const rule_name[RULE_COUNT] = { "handshake", "confirm", "publish", "deliver",
					    "close",	 "nack",    "return",  "slow",
					    "dead",	 "mute",    "shuffle", "merge" };

struct bytes swallowed;

/* One direction. */
struct way {
	struct bytes in, out;
	uint64_t content;  /* octets of a message's body that are still to come */
	bool in_message;   /* its header is still to come, or some of its body */
	int64_t allowance; /* octets that a slow link may pass now */
};

struct link {
	int client, broker;  /* -1: closed */
	struct way up, down; /* to the broker; to the client */
	bool greeted, open, dead, closing, refuses;
	long frames; /* of the handshake */
	char user[32];
	struct bytes publish; /* the message that is being swallowed: its frames */
	uint32_t swallow;     /* METHOD_NACK or METHOD_RETURN: it will be answered so */
	bool doomed;	      /* to be cut when what is in memory is written */
	struct answers answers;
	int64_t slow_ms; /* when allowance was given last */
};

/* -- rules -- */

bool link_is_of(const struct link *l, const char *user)
{
	return !strcmp(user, "*") || !strcmp(l->user, user);
}

static const struct rule *mode(const struct link *l, enum rule_what what)
{
	int i;

	for (i = 0; i < rule_count; i++)
		if (rules[i].what == what && link_is_of(l, rules[i].user))
			return &rules[i];
	return NULL;
}

/* Does one strike now? */
static const struct rule *strikes(const struct link *l, enum rule_what what)
{
	int i;

	for (i = 0; i < rule_count; i++) {
		struct rule *r = &rules[i];

		if (r->what != what || !r->count || !link_is_of(l, r->user))
			continue;
		if (r->skip > 0) {
			r->skip--;
			continue;
		}
		r->count--;
		rule_made[what]++;
		return r;
	}
	return NULL;
}

/* -- life -- */

struct link *link_new(int client, int broker)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l) {
		l->client = client;
		l->broker = broker;
	}
	return l;
}

static void shut(int *fd, bool abort)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (*fd < 0)
		return;
	if (abort)
		setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(*fd);
	*fd = -1;
}

void link_cut(struct link *l, bool abort)
{
	shut(&l->client, abort);
	shut(&l->broker, abort);
}

void link_free(struct link *l)
{
	link_cut(l, false);
	free(l->up.in.p);
	free(l->up.out.p);
	free(l->down.in.p);
	free(l->down.out.p);
	free(l->publish.p);
	answers_finish(&l->answers);
	free(l);
}

void link_kill(struct link *l)
{
	if (!l->dead && l->open) {
		l->dead = true;
		rule_made[RULE_DEAD]++;
	}
}

const char *link_user(const struct link *l)
{
	return l->user;
}

bool link_is_dead(const struct link *l)
{
	return l->dead;
}

/* Passes half of a frame, and then nothing any more. */
static void cut_in(struct link *l, struct way *w, const struct frame *f)
{
	bytes_add(&w->out, w->in.p, f->len / 2);
	l->doomed = true;
}

/* -- the handshake -- */

static void count_handshake(struct link *l, const struct frame *f)
{
	int i;

	if (f->method == METHOD_START_OK)
		frame_user(l->user, sizeof(l->user), f);
	l->open = l->open || f->method == METHOD_OPEN_OK;
	l->frames++;
	for (i = 0; i < rule_count; i++) {
		struct rule *r = &rules[i];

		if (r->what != RULE_HANDSHAKE || !r->count || l->frames != r->argument)
			continue;
		r->count--;
		rule_made[RULE_HANDSHAKE]++;
		l->doomed = true;
		return;
	}
}

/* -- from client to broker -- */

/* Adds the text that follows `before` in what is swallowed, up to a quote. */
static void note_text(const struct bytes *publish, const char *before, char end)
{
	const uint8_t *p = memmem(publish->p, publish->len, before, strlen(before));
	const uint8_t *quote;

	if (!p)
		return;
	p += strlen(before);
	quote = memchr(p, '"', publish->len - (size_t)(p - publish->p));
	if (!quote)
		return;
	bytes_add(&swallowed, p, (size_t)(quote - p));
	bytes_add(&swallowed, &end, 1);
}

static void answer_swallowed(struct link *l)
{
	struct frame f;

	if (frame_read(&f, l->publish.p, l->publish.len) != 1)
		return;
	note_text(&l->publish, "\"source\":\"", '/');
	note_text(&l->publish, "\"id\":\"", '/');
	note_text(&l->publish, "\"type\":\"", '/');
	note_text(&l->publish, "\"typesequence\":\"", ' ');
	if (l->swallow == METHOD_NACK) {
		frame_add_answer(&l->down.out, f.channel, METHOD_NACK, l->answers.published, false);
	} else {
		frame_add_return(&l->down.out, &f);
		bytes_add(&l->down.out, l->publish.p + f.len, l->publish.len - f.len);
		frame_add_answer(&l->down.out, f.channel, METHOD_ACK, l->answers.published, false);
	}
	answers_given(&l->answers, l->answers.published);
	l->publish.len = 0;
	l->swallow = 0;
}

static void begin_publish(struct link *l, const struct frame *f)
{
	l->up.in_message = true;
	if (!l->answers.on)
		return;
	if (strikes(l, RULE_NACK))
		l->swallow = METHOD_NACK;
	else if (strikes(l, RULE_RETURN))
		l->swallow = METHOD_RETURN;
	answers_published(&l->answers, f->channel, l->swallow != 0);
}

/* True: pass it on. */
static bool look_up(struct link *l, const struct frame *f)
{
	struct way *w = &l->up;

	if (l->closing) /* we play the broker that has closed the channel */
		return false;
	if (f->type == FRAME_HEARTBEAT && mode(l, RULE_MUTE)) {
		rule_made[RULE_MUTE]++;
		return false;
	}
	if (f->method == METHOD_CONFIRM_SELECT)
		l->answers.on = true;
	if (f->method == METHOD_PUBLISH)
		begin_publish(l, f);
	if (f->type == FRAME_HEADER) {
		w->content = frame_content_length(f);
	} else if (f->type == FRAME_BODY) {
		w->content -= f->payload_len < w->content ? f->payload_len : w->content;
		if (!l->swallow && strikes(l, RULE_PUBLISH)) {
			cut_in(l, w, f);
			return false;
		}
	}
	if (l->swallow)
		bytes_add(&l->publish, w->in.p, f->len);
	if (w->in_message && f->type != FRAME_METHOD && !w->content) {
		w->in_message = false;
		if (l->swallow) {
			answer_swallowed(l);
			return false;
		}
	}
	return !l->swallow;
}

/* -- from broker to client -- */

static bool close_channel(struct link *l, const struct frame *f)
{
	const struct rule *r;

	/* only where a client waits for nothing: between messages */
	if (f->method != METHOD_ACK && f->method != METHOD_DELIVER)
		return false;
	r = strikes(l, RULE_CLOSE);
	if (!r)
		return false;
	frame_add_channel_close(&l->down.out, f->channel, (uint16_t)r->argument,
				"INTERNAL_ERROR - closed on purpose");
	l->closing = true;
	return true;
}

static bool look_down(struct link *l, const struct frame *f)
{
	const bool shuffle = mode(l, RULE_SHUFFLE), merge = mode(l, RULE_MERGE);

	if (l->closing)
		return false;
	if (f->type == FRAME_HEARTBEAT && mode(l, RULE_MUTE)) {
		rule_made[RULE_MUTE]++;
		return false;
	}
	if (close_channel(l, f))
		return false;
	if (f->type == FRAME_BODY && strikes(l, RULE_DELIVER)) {
		cut_in(l, &l->down, f);
		return false;
	}
	if ((f->method != METHOD_ACK && f->method != METHOD_NACK) || !l->answers.on)
		return true;
	if (strikes(l, RULE_CONFIRM)) {
		l->doomed = true;
		return false;
	}
	answers_take(&l->answers, f);
	if (!shuffle && !merge)
		answers_flush(&l->answers, ANSWERS_PLAIN, &l->down.out);
	return false;
}

/* -- bytes -- */

/* False: not AMQP. */
static bool pass(struct link *l, struct way *w)
{
	struct frame f;
	int found;

	while (!l->doomed) {
		found = frame_read(&f, w->in.p, w->in.len);
		if (found <= 0)
			return !found;
		if (l->frames < HANDSHAKE)
			count_handshake(l, &f);
		if (w == &l->up ? look_up(l, &f) : look_down(l, &f))
			bytes_add(&w->out, w->in.p, f.len);
		bytes_drop(&w->in, f.len);
	}
	w->in.len = 0;
	return true;
}

/* False: that side has ended. */
static bool receive(struct link *l, int fd, struct way *w)
{
	uint8_t buffer[READ];
	ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!n)
		return false;
	bytes_add(&w->in, buffer, (size_t)n);
	if (w == &l->up && !l->greeted) {
		if (w->in.len < GREETING)
			return true;
		bytes_add(&w->out, w->in.p, GREETING);
		bytes_drop(&w->in, GREETING);
		l->greeted = true;
	}
	return pass(l, w);
}

static bool emit(int fd, struct way *w, bool slow)
{
	size_t len = w->out.len;
	ssize_t n;

	if (slow && (int64_t)len > w->allowance)
		len = w->allowance > 0 ? (size_t)w->allowance : 0;
	if (!len)
		return true;
	n = send(fd, w->out.p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	bytes_drop(&w->out, (size_t)n);
	w->allowance -= n;
	return true;
}

/* -- the loop -- */

void link_poll(const struct link *l, struct pollfd fd[2])
{
	const bool slow = mode(l, RULE_SLOW);

	fd[0] = (struct pollfd){ .fd = l->client };
	fd[1] = (struct pollfd){ .fd = l->broker };
	if (l->dead) {
		fd[0].events = fd[1].events = POLLRDHUP;
		return;
	}
	if (!l->doomed && l->up.out.len < FULL)
		fd[0].events |= POLLIN;
	if (!l->doomed && l->down.out.len < FULL)
		fd[1].events |= POLLIN;
	if (l->down.out.len && !slow)
		fd[0].events |= POLLOUT;
	if (l->up.out.len && !slow)
		fd[1].events |= POLLOUT;
}

/* Both ends find out for themselves, each when it does. */
static bool step_dead(struct link *l, const struct pollfd fd[2])
{
	if (fd[0].revents & (POLLRDHUP | POLLHUP | POLLERR))
		shut(&l->client, false);
	if (fd[1].revents & (POLLRDHUP | POLLHUP | POLLERR))
		shut(&l->broker, false);
	return l->client >= 0 || l->broker >= 0;
}

static void give_allowance(struct link *l, const struct rule *slow, int64_t now_ms)
{
	const int64_t ms = now_ms - l->slow_ms > 1000 ? 1000 : now_ms - l->slow_ms;

	l->slow_ms = now_ms;
	if (!slow)
		return;
	l->up.allowance = l->down.allowance = slow->argument * ms / 1000;
	if (l->up.out.len || l->down.out.len)
		rule_made[RULE_SLOW]++;
}

static void answer(struct link *l)
{
	enum answers_how how = ANSWERS_PLAIN;

	if (mode(l, RULE_MERGE))
		how = ANSWERS_MERGED;
	else if (mode(l, RULE_SHUFFLE))
		how = ANSWERS_SHUFFLED;
	if (how != ANSWERS_PLAIN && !answers_ripe(&l->answers))
		return;
	if (answers_flush(&l->answers, how, &l->down.out))
		rule_made[how == ANSWERS_MERGED ? RULE_MERGE : RULE_SHUFFLE]++;
}

bool link_step(struct link *l, const struct pollfd fd[2], int64_t now_ms)
{
	const struct rule *slow = mode(l, RULE_SLOW);
	bool ok = true;

	if (l->dead)
		return step_dead(l, fd);
	if (fd[0].revents & (POLLIN | POLLHUP | POLLERR) && !l->doomed)
		ok = receive(l, l->client, &l->up);
	if (ok && fd[1].revents & (POLLIN | POLLHUP | POLLERR) && !l->doomed)
		ok = receive(l, l->broker, &l->down);
	answer(l);
	if (!slow || now_ms - l->slow_ms >= 20) {
		give_allowance(l, slow, now_ms);
		/* what one side said last is for the other, even now */
		ok = emit(l->client, &l->down, slow) && ok;
		ok = emit(l->broker, &l->up, slow) && ok;
	}
	return ok && !(l->doomed && !l->up.out.len && !l->down.out.len);
}
