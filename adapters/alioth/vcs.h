#ifndef BUS_ADAPTER_VCS_H
#define BUS_ADAPTER_VCS_H

#include <stdbool.h>

#include "adapters/adapter.h"
#include "adapters/alioth/slice.h"

/*
 * What the hooks of all version control systems share.
 */
enum {
	VCS_STDIN_MAX = 12 * 1024 * 1024, /* bytes; a cursor takes 16 MiB, other facts included */
	VCS_PUSHER_MAX = 100		  /* bytes */
};

/*
 * All of stdin; what is over VCS_STDIN_MAX is read and counted, so that the
 * service is not left writing.
 */
enum bus_code vcs_stdin(struct bus_buf *out, size_t *ret_over, struct bus_err *err);

/*
 * Who pushes: named, if that is not NULL or empty, else the first of
 * GL_USERNAME, REMOTE_USER, the login name and USER.
 */
void vcs_pusher(char pusher[VCS_PUSHER_MAX + 1], const char *named);

/*
 * The repository's name: relative to repository-root below that, else its
 * path, of which suffix is dropped; the caller frees it, NULL: out of memory.
 */
char *vcs_name(const struct adapter_context *ctx, const char *path, const char *suffix);

/*
 * Whether a repository is one of the service: below repository-root, or that
 * is not set.  For hooks that also run for what people do in clones of their own.
 */
bool vcs_is_served(const struct adapter_context *ctx, const char *path);

/*
 * What every stored input begins with, as fields (slice.h).  Strings are
 * borrowed by vcs_input_write(), and new ones of vcs_input_read(), which takes
 * them off fields; false if they are not of this system and version.
 */
struct vcs_input {
	int64_t time_us;
	char *repository; /* absolute path */
	char *pusher;
	uint64_t done; /* of its changes, how many are converted already */
};

void vcs_input_write(struct bus_buf *out, const char *format, const struct vcs_input *input);
bool vcs_input_read(struct vcs_input *ret, const char *format, struct slice *fields);
void vcs_input_finish(struct vcs_input *input);

#endif
