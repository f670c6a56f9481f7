#include "config.h"

#include "trust_watch.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "publisher.h"
#include "timestamp.h"

static const int64_t look_every_us = 2 * 1000000LL;
static const int64_t say_every_us = 600 * 1000000LL;

/* Where GnuPG 2.2, old versions of it, and its keyboxd keep public keys. */
static const char *const store_file[] = { "pubring.kbx", "pubring.gpg",
					  "public-keys.d/pubring.db" };

enum {
	STORE_FILES = sizeof(store_file) / sizeof(store_file[0]),
	REPLACE_S = 10 /* gpg needs microseconds; but it may have to wait for a processor */
};

/* A file that was replaced or written differs in one of these; all 0: not there. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec written, changed;
};

struct bus_trust_watch {
	char *path;
	struct bus_trust *trust;
	struct bus_keyring *ring;
	struct stamp file, store[STORE_FILES];
	int64_t looked_us, said_us; /* on bus_time_mono(); said_us 0: nothing is wrong */
};

static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return (struct stamp){ 0 };
	return (struct stamp){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Takes the new stamp; true: it is another one. */
static bool is_news(struct stamp *old, const char *path)
{
	const struct stamp now = stamp_of(path);
	const bool same = old->dev == now.dev && old->ino == now.ino && old->size == now.size &&
			  same_time(&old->written, &now.written) &&
			  same_time(&old->changed, &now.changed);

	*old = now;
	return !same;
}

static bool store_is_news(struct bus_trust_watch *w)
{
	char path[PATH_MAX];
	bool news = false;
	size_t i;

	for (i = 0; i < STORE_FILES; i++) {
		snprintf(path, sizeof(path), "%s/%s", bus_trust_homedir(w->trust), store_file[i]);
		news |= is_news(&w->store[i], path);
	}
	return news;
}

/* Stamps are taken first: a change while a file is read is seen the next time. */
static enum bus_code load(struct bus_trust_watch *w, struct bus_err *err)
{
	struct bus_keyring *ring = NULL;
	struct bus_trust *trust = NULL;
	enum bus_code rc;

	is_news(&w->file, w->path);
	rc = bus_trust_load(&trust, w->path, err);
	if (!rc)
		rc = bus_keyring_open(&ring, bus_trust_homedir(trust), err);
	if (rc) {
		bus_trust_free(trust);
		return rc;
	}
	bus_keyring_close(w->ring);
	bus_trust_free(w->trust);
	w->trust = trust;
	w->ring = ring;
	store_is_news(w);
	return BUS_OK;
}

enum bus_code bus_trust_watch_open(struct bus_trust_watch **ret, const char *path,
				   struct bus_err *err)
{
	struct bus_trust_watch *w = calloc(1, sizeof(*w));
	enum bus_code rc;

	if (!w)
		return bus_fail(err, BUS_E_NOMEM, "trust: out of memory");
	w->path = strdup(path ? path : "");
	if (!w->path)
		rc = bus_fail(err, BUS_E_NOMEM, "trust: out of memory");
	else if (!path)
		rc = bus_trust_load(&w->trust, NULL, err); /* it knows what to say */
	else
		rc = load(w, err);
	if (rc) {
		bus_trust_watch_close(w);
		return rc;
	}
	w->looked_us = bus_time_mono();
	*ret = w;
	return BUS_OK;
}

void bus_trust_watch_close(struct bus_trust_watch *w)
{
	if (!w)
		return;
	bus_keyring_close(w->ring);
	bus_trust_free(w->trust);
	free(w->path);
	free(w);
}

static bool load_again(struct bus_trust_watch *w, bool news, const struct bus_say *say)
{
	const bool was_stale = w->said_us != 0;
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc = load(w, &err);

	if (!rc) {
		w->said_us = 0;
		if (say)
			bus_say(say, "%s has changed%s: it holds from now on", w->path,
				was_stale ? " and can be used again" : "");
		return true;
	}
	if (say && (news || bus_time_mono() - w->said_us >= say_every_us)) {
		bus_say(say,
			"%s has changed but cannot be used, so what it said before still "
			"holds: %s",
			w->path, err.text);
		w->said_us = bus_time_mono();
	}
	w->said_us = w->said_us ? w->said_us : 1;
	return false;
}

bool bus_trust_watch_look(struct bus_trust_watch *w, bool at_once, const struct bus_say *say)
{
	const int64_t now_us = bus_time_mono();
	bool news;

	if (!at_once && now_us - w->looked_us < look_every_us)
		return false;
	w->looked_us = now_us;
	news = is_news(&w->file, w->path);
	/* what ails it may be elsewhere, in its homedir for example */
	if ((news || w->said_us) && load_again(w, news, say))
		return true;
	if (!store_is_news(w))
		return false;
	bus_trust_forget(w->trust);
	bus_keyring_forget(w->ring);
	return true;
}

bool bus_trust_watch_is_replaced(const struct bus_trust_watch *w)
{
	const char *const name = store_file[0];
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", bus_trust_homedir(w->trust), name);
	if (stat(path, &st) == 0)
		return false;
	snprintf(path, sizeof(path), "%s/%s~", bus_trust_homedir(w->trust), name);
	return stat(path, &st) == 0 &&
	       llabs((long long)(bus_time_now() / 1000000 - st.st_ctim.tv_sec)) < REPLACE_S;
}

struct bus_trust *bus_trust_watch_trust(const struct bus_trust_watch *w)
{
	return w->trust;
}

struct bus_keyring *bus_trust_watch_ring(const struct bus_trust_watch *w)
{
	return w->ring;
}

bool bus_trust_watch_stale(const struct bus_trust_watch *w)
{
	return w->said_us != 0;
}
