/*
 * Dialling: one TCP connection to a name, or to the first of several addresses that answers (RFC 8305, "Happy Eyeballs").
 *
 * A helper above cport.h: it resolves the name, tries the addresses one after the other with a short delay, IPv6 and IPv4 by
 * turns, without giving up the earlier ones, keeps the first that connects and closes the rest.
 *
 *     switch (cport_dial_event(&event, &handle)) {
 *     case 0:                    not yet, or told before
 *     case CPORT_DIAL_CONNECTED: handle is connected, and the caller's
 *     default:                   an error: there will be no connection
 *     }
 *
 * Ownership. A dial is the port's allocator's memory, and frees itself with the last of its events, which may come after the
 * outcome: so hand over every event whose op->user is what the dial's options say, until the port has no more.
 *
 * Threading. As its port. On shared ports several threads may give it events at once.
 */
#ifndef CPORT_DIAL_H
#define CPORT_DIAL_H

#include "cport/cport.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cport_dial cport_dial;

#define CPORT_DIAL_CONNECTED 1

typedef struct cport_dial_options {
    uint32_t size;            /* sizeof(cport_dial_options) */
    uint32_t resolve_flags;   /* CPORT_RESOLVE_… */
    void *user;               /* op->user in each event of the dial */
    uintptr_t key;            /* the connected handle's */
    int64_t attempt_delay_ns; /* from one attempt to the next; 0: 250 ms; at least 10 ms */
    int64_t timeout_ns;       /* for everything; 0: none but the system's for each attempt */
    const cport_socket_options *socket; /* NULL: defaults. Copied */
} cport_dial_options;

/* cport_dial_name: connects to a name (or a numeric address). cport_dial_addresses: to one of count addresses, IPv4 and IPv6,
 * the preferred first; at most 64 of them. The array is copied. ret_dial may be NULL: only cport_dial_cancel needs it.
 * Thread: owner, or any. Blocks: no.
 * Returns: 0; CPORT_EINVAL no name, no address, one of another family, an unknown size or flag, a negative time;
 * CPORT_ENOMEM; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_dial_name(cport_port *port, const char *host, uint16_t tcp_port,
    const cport_dial_options *opt, cport_dial **ret_dial);
CPORT_API int cport_dial_addresses(cport_port *port, const struct sockaddr_storage *addresses,
    unsigned count, const cport_dial_options *opt, cport_dial **ret_dial);

/* cport_dial_event: goes on with an event of a dial's. The outcome is told once: CPORT_DIAL_CONNECTED, with a handle; or
 * what became of the last attempt or of the lookup, CPORT_ETIMEDOUT, CPORT_ECANCELED. The dial is gone with its last event.
 * Thread: owner, or any. Blocks: no. Returns: 0 nothing to tell; CPORT_DIAL_CONNECTED; < 0 it has failed;
 * CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_dial_event(const cport_event *event, cport_handle **ret_handle);

/* cport_dial_cancel: asks for an early end, told by a later event: CPORT_ECANCELED. Not once the outcome has been
 * told: the dial may be gone.
 * Thread: owner, or any. Blocks: no. Returns: 0; CPORT_EWRONGTHREAD. Since: 0.1. */
CPORT_API int cport_dial_cancel(cport_dial *dial);

#ifdef __cplusplus
}
#endif
#endif
