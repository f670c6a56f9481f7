#ifndef BUS_ADAPTER_DAK_DATE_H
#define BUS_ADAPTER_DAK_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/dak/names.h"

/*
 * Dates of RFC 5322 section 3.3, "Sat, 18 Mar 2023 13:52:01 +0000", with or
 * without the day of the week; the zone may also be UTC, GMT or Z.
 */
bool dak_date_parse(int64_t *ret_us, struct dak_slice text);

#endif
