#include "config.h"

#include "adapters/alioth/vcs.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum bus_code vcs_stdin(struct bus_buf *out, size_t *ret_over, struct bus_err *err)
{
	char chunk[16384];
	size_t room;
	ssize_t n;

	*ret_over = 0;
	for (;;) {
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n == 0)
			return bus_buf_check(out, "stdin", err);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return bus_fail(err, BUS_E_TEMP, "stdin: %s", strerror(errno));
		room = VCS_STDIN_MAX - out->len;
		room = room < (size_t)n ? room : (size_t)n;
		bus_buf_add(out, chunk, room);
		*ret_over += (size_t)n - room;
	}
}

void vcs_pusher(char pusher[VCS_PUSHER_MAX + 1], const char *named)
{
	const char *name = named;
	const struct passwd *pw;

	if (!name || !*name)
		name = getenv("GL_USERNAME");
	if (!name || !*name)
		name = getenv("REMOTE_USER");
	if (!name || !*name) {
		pw = getpwuid(getuid());
		name = pw ? pw->pw_name : NULL;
	}
	if (!name || !*name)
		name = getenv("USER");
	snprintf(pusher, VCS_PUSHER_MAX + 1, "%s", name && *name ? name : "unknown");
}

/* What stands after repository-root and a slash, or NULL. */
static const char *below_root(const struct adapter_context *ctx, const char *path)
{
	const char *root = bus_conf_option(ctx->service, "repository-root");
	char real[PATH_MAX]; /* not from malloc(): without memory it would be another name */
	const char *base = root && realpath(root, real) ? real : root, *below = NULL;
	size_t n = base ? strlen(base) : 0;

	while (n && base[n - 1] == '/')
		n--;
	if (base && strncmp(path, base, n) == 0 && path[n] == '/' && path[n + 1])
		below = path + n + 1;
	return below;
}

char *vcs_name(const struct adapter_context *ctx, const char *path, const char *suffix)
{
	const char *below = below_root(ctx, path), *name = below ? below : path;
	const size_t n = strlen(suffix);
	size_t len = strlen(name);

	if (len > n && strcmp(name + len - n, suffix) == 0)
		len -= n;
	return strndup(name, len);
}

bool vcs_is_served(const struct adapter_context *ctx, const char *path)
{
	return !bus_conf_option(ctx->service, "repository-root") || below_root(ctx, path);
}

void vcs_input_write(struct bus_buf *out, const char *format, const struct vcs_input *input)
{
	slice_field_puts(out, format);
	slice_field_number(out, input->time_us);
	slice_field_puts(out, input->repository);
	slice_field_puts(out, input->pusher);
	slice_field_number(out, (int64_t)input->done);
}

bool vcs_input_read(struct vcs_input *ret, const char *format, struct slice *fields)
{
	struct slice name, time, repository, pusher, done;
	struct vcs_input input = { 0 };
	uint64_t number;

	if (!slice_field(fields, &name) || !slice_is(name, format) || !slice_field(fields, &time) ||
	    !slice_number(time, INT64_MAX, &number) || !slice_field(fields, &repository) ||
	    !slice_begins(repository, "/") || !slice_field(fields, &pusher) ||
	    !slice_field(fields, &done) || !slice_number(done, INT64_MAX, &input.done))
		return false;
	input.time_us = (int64_t)number;
	input.repository = strndup(repository.p, repository.len);
	input.pusher = strndup(pusher.p, pusher.len);
	*ret = input;
	return true;
}

void vcs_input_finish(struct vcs_input *input)
{
	free(input->repository);
	free(input->pusher);
	input->repository = input->pusher = NULL;
}
