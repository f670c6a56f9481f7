#include "config.h"

#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 1024 };

static enum bus_code read_secret(char *secret, size_t size, int fd, const char *path,
				 struct bus_err *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 007))
		return bus_fail(err, BUS_E_CONFIG,
				"%s: a secret that others can read is none; chmod 600 it (or 640)",
				path);
	n = read(fd, secret, size - 1);
	if (n < 0)
		return bus_fail(err, BUS_E_CONFIG, "%s: %s", path, strerror(errno));
	secret[n] = '\0';
	secret[strcspn(secret, "\r\n")] = '\0';
	return *secret ? BUS_OK
		       : bus_fail(err, BUS_E_CONFIG,
				  "%s: the first line is empty; it holds the "
				  "password",
				  path);
}

enum bus_code bus_secret_read(char **ret, const char *path, struct bus_err *err)
{
	char *secret = calloc(1, SECRET_MAX);
	enum bus_code rc;
	int fd;

	if (!secret)
		return bus_fail(err, BUS_E_NOMEM, "secret: out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = bus_fail(err, BUS_E_CONFIG, "%s: %s; it holds the password of the broker user",
			      path, strerror(errno));
		bus_secret_free(secret);
		return rc;
	}
	rc = read_secret(secret, SECRET_MAX, fd, path, err);
	close(fd);
	if (rc)
		bus_secret_free(secret);
	else
		*ret = secret;
	return rc;
}

void bus_secret_free(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, SECRET_MAX);
	free(secret);
}
