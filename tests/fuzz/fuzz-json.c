#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json_read.h"
#include "json_scan.h"

enum { A, DATA, DATA_A, DATA_B, COUNT };

static void check_member(const struct bus_json_want *m, const json_t *object)
{
	const json_t *value = json_object_get(object, m->name);

	MUST((m->kind == BUS_JSON_ABSENT) == !value);
	MUST((m->kind == BUS_JSON_STRING) == json_is_string(value));
	MUST((m->kind == BUS_JSON_OBJECT) == json_is_object(value));
	MUST(!json_is_string(value) || (json_string_length(value) == m->len &&
					memcmp(json_string_value(value), m->text, m->len) == 0));
}

/* What is JSON, and what it says, is the same by both readers. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_json_want m[COUNT] = {
		[A] = { .name = "a" },
		[DATA] = { .name = "data" },
		[DATA_A] = { .name = "a", .parent = "data" },
		[DATA_B] = { .name = "b", .parent = "data" },
	};
	char *unescaped = NULL;
	json_t *root = NULL;
	enum bus_code rc;

	rc = bus_json_scan(m, COUNT, (const char *)bytes, len, &unescaped, BUS_E_DATA, NULL);
	MUST(rc == BUS_OK || rc == BUS_E_DATA);
	MUST(bus_json_read(&root, (const char *)bytes, len, 0, BUS_E_DATA, NULL) == rc);
	if (!rc) {
		check_member(&m[A], root);
		check_member(&m[DATA], root);
		check_member(&m[DATA_A], json_object_get(root, "data"));
		check_member(&m[DATA_B], json_object_get(root, "data"));
	}
	json_decref(root);
	free(unescaped);
	return 0;
}
