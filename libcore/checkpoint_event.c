#include "config.h"

#include "checkpoint_event.h"

#include "json_read.h"

enum bus_code bus_checkpoint_event_types(const char *body, size_t len,
					 enum bus_code (*each)(void *arg, const char *type,
							       uint64_t last, struct bus_err *err),
					 void *arg, struct bus_err *err)
{
	json_t *root = NULL, *types, *last;
	enum bus_code rc;
	const char *type;

	rc = bus_json_read(&root, body, len, JSON_ALLOW_NUL, BUS_E_MALFORMED_EVENT, err);
	if (rc)
		return rc;
	types = json_object_get(json_object_get(root, "data"), "types");
	json_object_foreach(types, type, last)
	{
		/* a publisher of another version: what it does not say is not checked */
		if (!json_is_integer(last) || json_integer_value(last) < 0)
			continue;
		rc = each(arg, type, (uint64_t)json_integer_value(last), err);
		if (rc)
			break;
	}
	json_decref(root);
	return rc;
}
