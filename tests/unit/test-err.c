#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"

/* PROTOCOL section 5, spelled as there, in its order. */
static const struct {
	enum bus_code code;
	const char *name;
} failure[] = {
	{ BUS_E_UNSIGNED, "unsigned" },
	{ BUS_E_OVERSIZE, "oversize" },
	{ BUS_E_MALFORMED_PROOF, "malformed-proof" },
	{ BUS_E_NOT_INCLUDED, "not-included" },
	{ BUS_E_BAD_SIGNATURE, "bad-signature" },
	{ BUS_E_UNKNOWN_KEY, "unknown-key" },
	{ BUS_E_EXPIRED_KEY, "expired-key" },
	{ BUS_E_REVOKED_KEY, "revoked-key" },
	{ BUS_E_WEAK_SIGNATURE, "weak-signature" },
	{ BUS_E_MALFORMED_EVENT, "malformed-event" },
	{ BUS_E_IDENTITY_MISMATCH, "identity-mismatch" },
	{ BUS_E_MISROUTED, "misrouted" },
	{ BUS_E_UNTRUSTED_SIGNER, "untrusted-signer" },
	{ BUS_E_EQUIVOCATION, "equivocation" }, /* section 7 */
};

enum { FAILURES = sizeof(failure) / sizeof(failure[0]) };

static void every_code_has_a_row(void)
{
	int i;

	for (i = 0; i < BUS_CODE_COUNT; i++)
		CHECK_ROW(bus_code_info[i].name && *bus_code_info[i].name, "code %d", i);
}

static void names_are_unique(void)
{
	int a, b;

	for (a = 0; a < BUS_CODE_COUNT; a++)
		for (b = a + 1; b < BUS_CODE_COUNT; b++)
			CHECK_ROW(strcmp(bus_code_info[a].name, bus_code_info[b].name) != 0,
				  "codes %d and %d are both '%s'", a, b, bus_code_info[a].name);
}

static void failures_are_spelled_as_in_the_protocol(void)
{
	size_t i;

	for (i = 0; i < FAILURES; i++)
		CHECK_TEXT(bus_code_info[failure[i].code].name, failure[i].name);
	CHECK_TEXT(bus_code_info[BUS_OK].name, "ok");
	/* and the table above leaves none out */
	CHECK(failure[0].code + FAILURES == BUS_CODE_COUNT);
}

static void a_failure_is_parked_with_76(void)
{
	size_t i;

	for (i = 0; i < FAILURES; i++) {
		const struct bus_code_info *info = &bus_code_info[failure[i].code];

		CHECK_ROW(info->fate == BUS_FATE_PARK, "%s is not parked", info->name);
		CHECK_ROW(info->exit_status == 76, "%s ends with %d", info->name,
			  info->exit_status);
	}
}

static void our_own_trouble_parks_nothing(void)
{
	static const enum bus_code own[] = { BUS_E_NOMEM,	BUS_E_HELD,   BUS_E_TEMP,
					     BUS_E_UNAVAILABLE, BUS_E_CONFIG, BUS_E_BUG };
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		CHECK_ROW(bus_code_info[own[i]].fate == BUS_FATE_REQUEUE, "%s",
			  bus_code_info[own[i]].name);
	CHECK(bus_code_info[BUS_OK].fate == BUS_FATE_ACK);
}

static void exit_statuses_are_those_of_the_manual(void)
{
	static const struct {
		enum bus_code code;
		int status;
	} expected[] = {
		{ BUS_OK, 0 },	      { BUS_E_NO, 1 },		 { BUS_E_USAGE, 64 },
		{ BUS_E_DATA, 65 },   { BUS_E_UNAVAILABLE, 69 }, { BUS_E_BUG, 70 },
		{ BUS_E_NOMEM, 75 },  { BUS_E_TEMP, 75 },	 { BUS_E_HELD, 75 },
		{ BUS_E_CONFIG, 78 },
	};
	size_t i;

	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		CHECK_ROW(bus_code_info[expected[i].code].exit_status == expected[i].status,
			  "%s ends with %d", bus_code_info[expected[i].code].name,
			  bus_code_info[expected[i].code].exit_status);
}

static void no_status_means_something_to_automake(void)
{
	int i;

	for (i = 0; i < BUS_CODE_COUNT; i++)
		CHECK_ROW(bus_code_info[i].exit_status != 77 &&
				  bus_code_info[i].exit_status != 99 &&
				  (bus_code_info[i].exit_status != 0) == (i != BUS_OK),
			  "%s ends with %d", bus_code_info[i].name, bus_code_info[i].exit_status);
}

static void fills_the_error_and_returns_the_code(void)
{
	struct bus_err err = { BUS_OK, "" };

	CHECK(bus_fail(&err, BUS_E_DATA, "line %d", 7) == BUS_E_DATA);
	CHECK(err.code == BUS_E_DATA);
	CHECK_TEXT(err.text, "line 7");
	CHECK(bus_fail(NULL, BUS_E_TEMP, "nobody reads this") == BUS_E_TEMP);
}

static void puts_context_before_the_text(void)
{
	struct bus_err err;

	bus_fail(&err, BUS_E_DATA, "not a number");
	bus_err_context(&err, "line %d", 7);
	CHECK_TEXT(err.text, "line 7: not a number");
	CHECK(err.code == BUS_E_DATA);
	bus_err_context(NULL, "nobody");
}

static void cuts_text_that_is_too_long(void)
{
	struct bus_err err;
	char lots[2000];

	memset(lots, 'x', sizeof(lots) - 1);
	lots[sizeof(lots) - 1] = '\0';
	bus_fail(&err, BUS_E_DATA, "%s", lots);
	CHECK(strlen(err.text) == sizeof(err.text) - 1);
	bus_err_context(&err, "line 7");
	CHECK(strncmp(err.text, "line 7: xxx", 11) == 0);
	CHECK(strlen(err.text) == sizeof(err.text) - 1);
	bus_err_context(&err, "%s", lots);
	CHECK(strlen(err.text) == sizeof(err.text) - 1);
}

static const struct check_test tests[] = {
	{ "every code has a row", every_code_has_a_row },
	{ "names are unique", names_are_unique },
	{ "failures are spelled as in the protocol", failures_are_spelled_as_in_the_protocol },
	{ "a failure is parked, exit status 76", a_failure_is_parked_with_76 },
	{ "our own trouble parks nothing", our_own_trouble_parks_nothing },
	{ "exit statuses are those of the manual", exit_statuses_are_those_of_the_manual },
	{ "no exit status means something to automake", no_status_means_something_to_automake },
	{ "fills the error and returns the code", fills_the_error_and_returns_the_code },
	{ "puts context before the text", puts_context_before_the_text },
	{ "cuts text that is too long", cuts_text_that_is_too_long },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("err", tests);
}
