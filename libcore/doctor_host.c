#include "config.h"

#include "doctor_private.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "trust.h"

enum {
	FREE_ERROR = 64 << 20,	   /* bytes: SQLite, GnuPG and logs need some room to end well */
	FREE_WARNING = 1024 << 20, /* bytes ... */
	FREE_WARNING_PERCENT = 5,  /* ... and also less than this */
	INODES_ERROR = 100,
	PLACES_MAX = 100
};

static const char *user_name(uid_t uid, char text[32])
{
	const struct passwd *pw = getpwuid(uid);

	snprintf(text, 32, "%s", pw ? pw->pw_name : "");
	if (!pw)
		snprintf(text, 32, "%lu", (unsigned long)uid);
	return text;
}

static void check_state_directory(struct bus_doctor *d)
{
	static const char check[] = "state-directory";
	const char *path = d->conf->state_directory;
	char me[32], owner[32];
	struct stat st;

	user_name(geteuid(), me);
	if (stat(path, &st) != 0) {
		bus_doctor_remedy(d, "install -d -o debmsg -g debmsg -m 0751 %s", path);
		bus_doctor_find(d, errno == ENOENT ? BUS_LEVEL_WARNING : BUS_LEVEL_ERROR, check,
				path, "user %s: %s", me, strerror(errno));
		return;
	}
	user_name(st.st_uid, owner);
	if (!S_ISDIR(st.st_mode)) {
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path, "not a directory");
	} else if (st.st_mode & 002) {
		bus_doctor_remedy(d, "chmod o-w %s", path);
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path,
				"anybody on this host may write there");
	} else if (access(path, R_OK | W_OK | X_OK) != 0) {
		bus_doctor_remedy(d, "run doctor as %s, or as root, who takes that user", owner);
		bus_doctor_find(d, BUS_LEVEL_WARNING, check, path,
				"belongs to user %s, and user %s, who runs doctor, cannot write "
				"there: %s",
				owner, me, strerror(errno));
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, check, path, "user %s can write there", me);
	}
}

static void check_outbox_directory(struct bus_doctor *d, const struct bus_conf_service *service)
{
	static const char check[] = "outbox-directory";
	char *path = bus_conf_outbox_dir(d->conf, service->name);
	struct stat st;

	if (!path)
		return;
	if (stat(path, &st) != 0) {
		bus_doctor_remedy(d, "install -d -o debmsg -g debmsg-%s -m 2770 %s", service->name,
				  path);
		bus_doctor_find(d, errno == ENOENT ? BUS_LEVEL_NOTE : BUS_LEVEL_ERROR, check, path,
				errno == ENOENT ? "not there yet: nothing was ever published"
						: "cannot be entered: %s",
				strerror(errno));
	} else if (st.st_mode & 002) {
		bus_doctor_remedy(d, "chmod o-w %s", path);
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path,
				"anybody on this host may put events into it");
	} else if (access(path, R_OK | W_OK | X_OK) != 0) {
		bus_doctor_remedy(d,
				  "chgrp debmsg-%s %s; chmod 2770 %s; and the user of the relay "
				  "must be in that group",
				  service->name, path, path);
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path,
				"whoever runs doctor (the relay's user, it should be) cannot write "
				"there");
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, check, path, "mode %04o",
				(unsigned int)(st.st_mode & 07777));
	}
	free(path);
}

/* A file with a password or a key in it. */
static void check_secret(struct bus_doctor *d, const char *path)
{
	static const char check[] = "secret-file";
	struct stat st;

	if (!path)
		return;
	if (stat(path, &st) != 0 && errno == EACCES) {
		bus_doctor_remedy(d, "let the user of the relay enter the directories above it");
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path, "%s", strerror(EACCES));
	} else if (stat(path, &st) != 0) {
		bus_doctor_remedy(d, "debmsg-broker add ROLE NAME %s on the broker's host makes it",
				  path);
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path, "%s", strerror(errno));
	} else if (st.st_mode & 007) {
		bus_doctor_remedy(d, "chmod o= %s, and have the password changed", path);
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path, "everybody on this host may %s it",
				st.st_mode & 002 ? "write" : "read");
	} else if (access(path, R_OK) != 0) {
		bus_doctor_remedy(d, "chown root:debmsg %s; chmod 640 %s", path, path);
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path, "cannot be read: %s",
				strerror(errno));
	} else if (st.st_size == 0) {
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, path, "is empty");
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, check, path, "mode %04o",
				(unsigned int)(st.st_mode & 07777));
	}
}

/* The password of the management user may be root's alone: it was read as root (doctor.c). */
static void check_secrets(struct bus_doctor *d)
{
	size_t i;

	check_secret(d, d->conf->broker.password_file);
	check_secret(d, d->conf->broker.key_file);
	for (i = 0; i < d->conf->service_count; i++)
		check_secret(d, d->conf->service[i].password_file);
}

/* -- disks -- */

struct places {
	dev_t device[PLACES_MAX];
	size_t count;
};

static bool is_new(struct places *places, dev_t device)
{
	size_t i;

	for (i = 0; i < places->count; i++)
		if (places->device[i] == device)
			return false;
	if (places->count < PLACES_MAX)
		places->device[places->count++] = device;
	return true;
}

static void check_inodes(struct bus_doctor *d, const char *path, const struct statvfs *fs)
{
	const bool none = fs->f_favail < INODES_ERROR;

	if (!fs->f_files) /* a file system that counts none, such as btrfs */
		return;
	if (none || fs->f_favail < fs->f_files / 100 * FREE_WARNING_PERCENT)
		bus_doctor_remedy(d, "remove small files there, or move %s to another file system",
				  path);
	bus_doctor_find(d,
			none	     ? BUS_LEVEL_ERROR
			: *d->remedy ? BUS_LEVEL_WARNING
				     : BUS_LEVEL_OK,
			"disk-inodes", path, "%llu of %llu inodes are free",
			(unsigned long long)fs->f_favail, (unsigned long long)fs->f_files);
}

static void check_room(struct bus_doctor *d, struct places *places, const char *path)
{
	unsigned long long room, size;
	enum bus_level level = BUS_LEVEL_OK;
	struct statvfs fs;
	struct stat st;

	if (!path || stat(path, &st) != 0 || !is_new(places, st.st_dev))
		return;
	if (statvfs(path, &fs) != 0) {
		bus_doctor_find(d, BUS_LEVEL_ERROR, "disk-space", path, "%s", strerror(errno));
		return;
	}
	room = (unsigned long long)fs.f_bavail * fs.f_frsize;
	size = (unsigned long long)fs.f_blocks * fs.f_frsize;
	if (room < FREE_ERROR)
		level = BUS_LEVEL_ERROR;
	else if (room < FREE_WARNING && room < size / 100 * FREE_WARNING_PERCENT)
		level = BUS_LEVEL_WARNING;
	if (level != BUS_LEVEL_OK)
		bus_doctor_remedy(d,
				  "make room on the file system of %s; services whose events "
				  "cannot be stored keep them back or fail",
				  path);
	bus_doctor_find(d, level, "disk-space", path, "%llu MiB of %llu MiB are free", room >> 20,
			size >> 20);
	check_inodes(d, path, &fs);
}

static void check_disks(struct bus_doctor *d)
{
	struct places places = { .count = 0 };
	struct bus_trust *trust = NULL;
	char path[4096];
	size_t i;

	check_room(d, &places, d->conf->state_directory);
	for (i = 0; i < d->conf->service_count; i++) {
		char *outbox = bus_conf_outbox_dir(d->conf, d->conf->service[i].name);

		check_room(d, &places, outbox);
		free(outbox);
	}
	snprintf(path, sizeof(path), "%s/ledger", d->conf->state_directory);
	check_room(d, &places, path);
	check_room(d, &places, d->conf->signing_homedir);
	if (d->conf->trust_file && !bus_trust_load(&trust, d->conf->trust_file, NULL))
		check_room(d, &places, bus_trust_homedir(trust));
	bus_trust_free(trust);
}

void bus_doctor_host(struct bus_doctor *d)
{
	size_t i;

	check_state_directory(d);
	for (i = 0; i < d->conf->service_count; i++)
		check_outbox_directory(d, &d->conf->service[i]);
	check_secrets(d);
	check_disks(d);
}
