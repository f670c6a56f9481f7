#include "config.h"

#include "adapters/common/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static const char *program_name = "debmsg";

void say_open(const char *program)
{
	program_name = program;
	openlog(program, LOG_PID, LOG_DAEMON);
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
	fprintf(stderr, "%s: %s\n", program_name, text);
	syslog(priority, "%s", text);
}
