/*
 * listener: a listening socket of a worker and its one multishot accept.
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

/* 0 or an error; the socket is taken in any case. */
int listener_open(struct worker *worker, struct listener *listener, cport_os_handle fd);
void listener_close(struct listener *listener);

#endif
