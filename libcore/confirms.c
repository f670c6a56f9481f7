#include "config.h"

#include "confirms.h"

bool bus_confirms_full(const struct bus_confirms *c)
{
	return c->sent - c->confirmed >= BUS_CONFIRMS_WINDOW;
}

bool bus_confirms_open(const struct bus_confirms *c)
{
	return c->sent != c->confirmed;
}

void bus_confirms_sent(struct bus_confirms *c)
{
	c->sent++;
}

bool bus_confirms_note(struct bus_confirms *c, uint64_t tag, bool multiple)
{
	uint64_t first = multiple ? c->confirmed + 1 : tag;

	if (multiple && tag == 0) /* AMQP: all there are */
		tag = c->sent;
	if (tag <= c->confirmed || tag > c->sent)
		return false;
	for (; first <= tag; first++)
		c->done[first % BUS_CONFIRMS_WINDOW] = true;
	while (c->confirmed < c->sent && c->done[(c->confirmed + 1) % BUS_CONFIRMS_WINDOW])
		c->done[++c->confirmed % BUS_CONFIRMS_WINDOW] = false;
	return true;
}
