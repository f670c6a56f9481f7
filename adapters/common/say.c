#include "config.h"

#include "adapters/common/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static const char *program_name = "debmsg";

void say_open(const char *program)
{
	program_name = program;
	openlog(program, LOG_PID, LOG_DAEMON);
}

/* systemd.exec(5), $JOURNAL_STREAM: what it says of our stderr may be of another's. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char device_and_inode[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(device_and_inode, sizeof(device_and_inode), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return strcmp(stream, device_and_inode) == 0;
}

void say(int priority, const char *fmt, ...)
{
	char text[1000];
	va_list ap;
	char *p;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* names from outside: no terminal takes orders from them, C1 (U+0080 to 9F) among them */
	for (p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f ||
		    ((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0))
			*p = '?';
	if (is_journal()) {
		fprintf(stderr, "<%d>%s\n", priority, text); /* sd-daemon(3); it knows our name */
		return;
	}
	fprintf(stderr, "%s: %s\n", program_name, text);
	syslog(priority, "%s", text);
}
