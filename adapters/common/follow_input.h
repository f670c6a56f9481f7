#ifndef BUS_ADAPTER_FOLLOW_INPUT_H
#define BUS_ADAPTER_FOLLOW_INPUT_H

#include "adapters/common/follow.h"
#include "adapters/common/watch.h"

/*
 * An input that is one growing file, whose lines are events by themselves
 * (struct adapter_input, line): its open(), read() and close().  The file is
 * the one its option names, its position the cursor "position".
 */
enum bus_code follow_input_open(void **ret, struct watch *watch, const struct adapter_input *input,
				struct bus_err *err);
enum bus_code follow_input_read(void *state, struct adapter_batch *batch, struct bus_err *err);
void follow_input_close(void *state);

#endif
