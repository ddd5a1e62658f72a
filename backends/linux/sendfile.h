/*
 * sendfile.h: sendfile(2) as a step towards the end of a cport_sendfile. Both engines of this system do it so: a ring's own
 * ways were measured and are dearer (docs/adr/0020-sendfile.md).
 *
 * Threading. The handle's lock is held.
 */
#ifndef CPORT_LINUX_SENDFILE_H
#define CPORT_LINUX_SENDFILE_H

#include "port.h"

/* The socket takes more, but it is others' turn. */
#define TURN_OVER 2

/* Sends what the socket takes, and no more than a turn's bytes. START_PENDING: it takes no more, and writability will tell; START_DONE:
 * as in backend->start; TURN_OVER. The socket must be non-blocking: sendfile(2) has no flag for that. */
int sendfile_turn(struct op *op);

#endif
