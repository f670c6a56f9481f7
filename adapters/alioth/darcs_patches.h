#ifndef BUS_ADAPTER_DARCS_PATCHES_H
#define BUS_ADAPTER_DARCS_PATCHES_H

#include "adapters/alioth/change.h"

/*
 * What darcs tells its posthook (darcs 2.16: Darcs.UI.External,
 * setEnvDarcsPatches), oldest patch first: DARCS_PATCHES_XML,
 *
 *	<patches>
 *	<patch author='A &lt;a@x&gt;' date='20261122094917' ... hash='15a3...'>
 *	    <name>TAG 1.0</name>
 *	    <comment>Ignore-this: d7b1...
 *	Closes: #1</comment>
 *	</patch>
 *	</patches>
 *
 * and DARCS_PATCHES, the same for people:
 *
 *	patch 15a36c853f2cf44a80a7912f296e5cf4177d0587
 *	Author: A <a@x>
 *	Date:   Sun Nov 22 09:49:17 UTC 2026
 *	  * a name			(or "tagged 1.0")
 *	  Closes: #1
 *
 *	    A ./file
 *
 * A variable that would be longer than 10240 characters is not set.
 */
enum {
	DARCS_TAGS_MAX = 1000,	     /* of one push; more are counted as patches */
	DARCS_TEXT_MAX = 1024 * 1024 /* bytes */
};

struct darcs_tag {
	char *name;
	struct commit patch;
};

struct darcs_patches {
	uint64_t total;			     /* that are not tags */
	struct commit newest[CHANGE_NEWEST]; /* a ring: newest[total % CHANGE_NEWEST] is next */
	struct darcs_tag *tag;
	size_t tag_count;
};

/* BUS_E_DATA: darcs would not write that. */
enum bus_code darcs_patches_xml(struct darcs_patches *ret, struct slice text, struct bus_err *err);
enum bus_code darcs_patches_text(struct darcs_patches *ret, struct slice text, struct bus_err *err);
void darcs_patches_finish(struct darcs_patches *patches);

#endif
