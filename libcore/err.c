#include "config.h"

#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { EX_NO = 1, EX_NOT_BELIEVED = EX_PROTOCOL };

const struct bus_code_info bus_code_info[BUS_CODE_COUNT] = {
	[BUS_OK] = { "ok", EX_OK, BUS_FATE_ACK },
	[BUS_E_NO] = { "no", EX_NO, BUS_FATE_REQUEUE },
	[BUS_E_USAGE] = { "usage", EX_USAGE, BUS_FATE_REQUEUE },
	[BUS_E_DATA] = { "bad-data", EX_DATAERR, BUS_FATE_PARK },
	[BUS_E_NOMEM] = { "out-of-memory", EX_TEMPFAIL, BUS_FATE_REQUEUE },
	[BUS_E_HELD] = { "held", EX_TEMPFAIL, BUS_FATE_REQUEUE },
	[BUS_E_TEMP] = { "temporary", EX_TEMPFAIL, BUS_FATE_REQUEUE },
	[BUS_E_UNAVAILABLE] = { "unavailable", EX_UNAVAILABLE, BUS_FATE_REQUEUE },
	[BUS_E_CONFIG] = { "configuration", EX_CONFIG, BUS_FATE_REQUEUE },
	[BUS_E_BUG] = { "internal", EX_SOFTWARE, BUS_FATE_REQUEUE },
	[BUS_E_UNSIGNED] = { "unsigned", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_OVERSIZE] = { "oversize", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_MALFORMED_PROOF] = { "malformed-proof", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_NOT_INCLUDED] = { "not-included", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_BAD_SIGNATURE] = { "bad-signature", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_UNKNOWN_KEY] = { "unknown-key", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_EXPIRED_KEY] = { "expired-key", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_REVOKED_KEY] = { "revoked-key", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_WEAK_SIGNATURE] = { "weak-signature", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_MALFORMED_EVENT] = { "malformed-event", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_IDENTITY_MISMATCH] = { "identity-mismatch", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_MISROUTED] = { "misrouted", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_EQUIVOCATION] = { "equivocation", EX_NOT_BELIEVED, BUS_FATE_PARK },
	[BUS_E_UNTRUSTED_SIGNER] = { "untrusted-signer", EX_NOT_BELIEVED, BUS_FATE_PARK },
};

enum bus_code bus_fail(struct bus_err *err, enum bus_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

void bus_err_context(struct bus_err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;
	int n;

	if (!err)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n + 3 >= sizeof(text))
		return;
	memcpy(text + n, ": ", 2);
	n += 2;
	memcpy(text + n, err->text, sizeof(text) - (size_t)n);
	text[sizeof(text) - 1] = '\0';
	memcpy(err->text, text, sizeof(text));
}
