#ifndef BUS_ADAPTER_DAK_CLEARSIGN_H
#define BUS_ADAPTER_DAK_CLEARSIGN_H

#include "adapters/dak/names.h"
#include "buf.h"

/*
 * The cleartext signature framework of OpenPGP (RFC 4880 and RFC 9580,
 * section 7), read strictly: what is not inside the one signed text is never
 * given to anybody.
 *
 * It is refused where anything is doubled, nested, missing or out of place: a
 * second begin line anywhere, an armour line with more than blanks behind it,
 * a header other than Hash, a line of the text that begins with a dash and is
 * not escaped, bytes other than base64 in the signature, anything but blank
 * lines after it.  Blanks at the ends of lines, which no signature covers, are
 * left out.
 *
 * The signature itself is not verified: there is no keyring here.  dak has done
 * that before it accepts an upload.
 */
struct clearsign {
	struct bus_buf text;   /* the signed text, its dashes no longer escaped */
	struct bus_buf packet; /* the signature, binary */
};

#define CLEARSIGN_INIT(max)                                                                        \
	{                                                                                          \
		BUS_BUF_INIT(max), BUS_BUF_INIT(16384)                                             \
	}

/*
 * before: a whole line that must be the first of its kind, with only blank
 * lines between it and the begin line ("Accepted:" in dak's mails); what stands
 * before that line may be anything but a begin line.  NULL: only blank lines
 * may stand before.  BUS_E_DATA: no such text; err says why.
 */
enum bus_code clearsign_read(struct clearsign *ret, struct dak_slice bytes, const char *before,
			     struct bus_err *err);
void clearsign_finish(struct clearsign *clearsign);

/*
 * The fingerprint of the key or subkey that made the signature, as the part of
 * the signature that is itself signed names it (RFC 9580 section 5.2.3.35).
 * BUS_E_NO where there is not exactly one signature, or it names none.
 */
enum bus_code clearsign_fingerprint(const struct clearsign *clearsign, struct bus_buf *ret);

#endif
