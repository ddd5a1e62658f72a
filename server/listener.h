/*
 * listener: the listening socket of a worker and its one multishot accept.
 */
#ifndef CPORT_SERVER_LISTENER_H
#define CPORT_SERVER_LISTENER_H

#include <cport/cport.h>

struct worker;

struct listener {
    cport_handle *handle; /* NULL: not listening */
    cport_op accept_op;
    cport_op close_op;
};

int listener_open(
    struct worker *worker, cport_os_handle fd); /* 0 or an error; the socket is taken in any case */
void listener_close(struct worker *worker);     /* then worker->quiet opens */

#endif
