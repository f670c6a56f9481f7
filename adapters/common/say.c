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
	for (p = text; *p; p++) /* names from outside: no terminal takes orders from them */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "%s: %s\n", program_name, text);
	syslog(priority, "%s", text);
}
