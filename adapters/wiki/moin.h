#ifndef BUS_ADAPTER_MOIN_H
#define BUS_ADAPTER_MOIN_H

#include "adapters/adapter.h"

/*
 * The input "edit-log": MoinMoin 1.9's data/edit-log, one event for each line;
 * see struct adapter_input.
 *
 *	moin_line	a line, without the editor's address
 *	page_name	MoinMoin's file names
 *	moin_page	was it a deletion?
 *	wiki_event	the event
 *
 * Its cursor is "position" (follow_position_write()).
 */
enum bus_code moin_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code moin_read(void *input, struct adapter_batch *batch, struct bus_err *err);
void moin_close(void *input);

#endif
