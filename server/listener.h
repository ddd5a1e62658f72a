/*
 * listener: a listening socket of a worker and its one multishot accept. A worker has one, or several that it took over.
 */
#ifndef CPORT_SERVER_LISTENER_H
#define CPORT_SERVER_LISTENER_H

#include <cport/cport.h>

struct worker;

struct listener {
    struct listener *next;
    cport_os_handle fd;   /* until it is open */
    cport_handle *handle; /* NULL: not listening */
    cport_op accept_op;
    cport_op close_op;
};

/* 0 or an error; the socket is taken in any case. */
int listener_open(struct worker *worker, struct listener *listener);
void listener_close(struct listener *listener);

#endif
