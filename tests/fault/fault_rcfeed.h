#ifndef FAULT_RCFEED_H
#define FAULT_RCFEED_H

/*
 * MediaWiki's recent changes without its network: datagrams and a reply of the
 * API, from files in the working directory to the outbox.  The input itself
 * (adapters/wiki/rcfeed.h) asks again for what it could not store.
 */
int fault_rcfeed_run(void);

#endif
