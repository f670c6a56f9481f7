#include "config.h"

#include "place.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { FILES_MAX = 8 };

static char place[] = "/tmp/debmsg-fuzz-XXXXXX";
static char *file[FILES_MAX];
static size_t file_count;

static void remove_place(void)
{
	size_t i;

	for (i = 0; i < file_count; i++) {
		unlink(file[i]);
		free(file[i]);
	}
	rmdir(place);
}

const char *fuzz_place(void)
{
	static const char *made;

	if (!made) {
		made = mkdtemp(place);
		MUST(made && atexit(remove_place) == 0);
	}
	return made;
}

const char *fuzz_file(const char *name, const char *text)
{
	char *path = NULL;
	int fd;

	MUST(file_count < FILES_MAX && asprintf(&path, "%s/%s", fuzz_place(), name) > 0);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	file[file_count++] = path;
	return path;
}

const char *fuzz_bytes(const void *bytes, size_t len)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("debmsg-fuzz", MFD_CLOEXEC);
		MUST(fd >= 0 && fchmod(fd, 0600) == 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	MUST(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
	return path;
}
