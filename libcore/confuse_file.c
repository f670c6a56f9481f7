#include "config.h"

#include "confuse_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* libconfuse gives its error function no room for an argument. */
static struct bus_err *parse_err;

static void __attribute__((format(printf, 2, 0))) on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[300];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (parse_err && parse_err->code == BUS_OK)
		bus_fail(parse_err, BUS_E_CONFIG, "%s:%d: %s",
			 cfg && cfg->filename ? cfg->filename : "configuration",
			 cfg ? cfg->line : 0, text);
}

static enum bus_code open_file(FILE **ret, const char *path, struct bus_err *err)
{
	struct stat st;
	FILE *f = NULL;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return bus_fail(err, BUS_E_CONFIG,
				"%s: %s; see debmsg.conf(5), or name another file with -c", path,
				strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 002)) {
		close(fd);
		return bus_fail(err, BUS_E_CONFIG,
				"%s: not a regular file, or anybody may write to it; "
				"chmod o-w it",
				path);
	}
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
	}
	*ret = f;
	return BUS_OK;
}

/* The first line with a byte that no text has; 0: there is none. */
static int line_of_binary(FILE *f)
{
	int c, line = 1;

	rewind(f);
	while ((c = getc(f)) != EOF)
		if (c == '\n')
			line++;
		else if ((c < ' ' && !isspace(c)) || c == 0x7f)
			return line;
	return 0;
}

enum bus_code bus_confuse_parse(cfg_t **ret, cfg_opt_t *opts, const char *path, struct bus_err *err)
{
	struct bus_err local = { BUS_OK, "" };
	enum bus_code rc;
	FILE *f = NULL;
	int result, line;
	bool nomem;
	cfg_t *cfg;

	rc = open_file(&f, path, err);
	if (rc)
		return rc;
	cfg = cfg_init(opts, CFGF_NONE);
	if (!cfg) {
		fclose(f);
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
	}
	cfg_set_error_function(cfg, on_error);
	free(cfg->filename);
	cfg->filename = strdup(path);
	parse_err = &local;
	errno = 0;
	result = cfg_parse_fp(cfg, f);
	nomem = errno == ENOMEM;
	parse_err = NULL;
	line = result == CFG_SUCCESS ? 0 : line_of_binary(f);
	fclose(f);
	if (result == CFG_SUCCESS && local.code == BUS_OK) {
		*ret = cfg;
		return BUS_OK;
	}
	cfg_free(cfg);
	/* libconfuse has no words for a byte that is none of a text's, nor for lack of memory */
	if (local.code)
		return bus_fail(err, BUS_E_CONFIG, "%s", local.text);
	if (line)
		return bus_fail(err, BUS_E_CONFIG,
				"%s:%d: this cannot be read; a configuration is plain text", path,
				line);
	if (nomem)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
	return bus_fail(err, BUS_E_CONFIG, "%s: this cannot be read; is a quotation mark missing?",
			path);
}

char *bus_confuse_text(cfg_t *cfg, const char *name, bool *nomem)
{
	const char *value = cfg_getstr(cfg, name);
	char *copy;

	if (!value)
		return NULL;
	copy = strdup(value);
	*nomem = *nomem || !copy;
	return copy;
}

enum bus_code bus_confuse_fail(cfg_t *cfg, const char *path, struct bus_err *err, const char *fmt,
			       ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (cfg && cfg->line > 0)
		return bus_fail(err, BUS_E_CONFIG, "%s:%d: %s", path, cfg->line, text);
	return bus_fail(err, BUS_E_CONFIG, "%s: %s", path, text);
}

bool bus_fingerprint_clean(char *out, size_t size, const char *text)
{
	size_t n = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (; *text; text++) {
		if (*text == ' ')
			continue;
		if (!isxdigit((unsigned char)*text) || n + 1 >= size)
			return false;
		out[n++] = (char)toupper((unsigned char)*text);
	}
	out[n] = '\0';
	return n == 40 || n == 64;
}
