/*
 * backend.h: what an engine is.
 *
 * An engine moves bytes between the kernel and ops. It knows handles, ops and a harvest to fill; it knows nothing of
 * waiting threads, the ready list or timers. No engine includes another.
 *
 * What an engine may assume
 * - start is given the next of a direction, never two of one direction at a time, or one of the operations without order
 *   (op_is_unordered), any number at a time; state OP_STARTED already. It may be linked into its handle only afterwards: look at
 *   op->handle, not at its queues.
 * - The handle's lock is held in start, cancel, close_handle and, by the engine itself, around the handle_op_… calls; SINGLE
 *   ports have no locks (handle_lock does nothing).
 * - poll is called by one thread at a time.
 * - cancel is asked once per op, unless it lingers; close_handle when nothing of the handle is pending any more.
 * What an engine must see to
 * - A stale kernel event never reaches a handle of a later life: check the generation, or have none outstanding.
 * - Each started op ends by START_DONE, by CANCEL_DONE, or by one handle_op_final.
 * - Nothing is allocated and no lock taken per operation on a SINGLE port.
 */
#ifndef CPORT_BACKEND_H
#define CPORT_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "cport/cport.h"

struct op;
struct harvest;
struct lookup;

#define CANCEL_DONE  0 /* the engine has let go of it: the core ends it with CPORT_ECANCELED */
#define CANCEL_LATER 1 /* its end will come through poll, whatever it is */

struct backend {
    const char *name; /* as in cport_port_info and CPORT_BACKEND */
    uint32_t id;      /* CPORT_BACKEND_… */
    uint64_t
        emulated; /* of the CPORT_CAP_… in port->caps: what the engine does, and not the kernel */

    /* Opens the engine for port (flags, entries, allow_caps and shared are set): sets port->engine and port->caps. CPORT_ENOTSUP:
     * unavailable on this system, and why is in reason (also told, if short, on success). Other errors: resources. */
    int (*open)(struct cport_port *port, char *reason, size_t reason_size);
    /* Ends the engine's own threads: no events come after it. Before close; NULL in an engine without. */
    void (*stop)(struct cport_port *port);
    void (*close)(struct cport_port *port);

    /* A descriptor joins: sets h->file if it is a file, and h->direct. CPORT_ENOTSUP: not something to be driven. */
    int (*attach)(struct cport_handle *h);
    /* It leaves, and stays open: nothing of the handle is pending. An error: nothing has happened. Asked only of an engine that has
     * set CPORT_CAP_DETACH. */
    int (*detach)(struct cport_handle *h);

    /* Starts op. START_PENDING: it will end through poll. START_DONE: it has ended, op->result, ->transferred and
     * ->aux are set (and event_flags, CPORT_BUFFER). < 0: it cannot be started, nothing has happened. */
    int (*start)(struct op *op);
    int (*cancel)(struct op *op);

    /* Closes the descriptor (with a reset if the close op's flags have CPORT_ABORT). START_DONE, or START_PENDING and
     * handle_closed later. Never refuses. */
    int (*close_handle)(struct cport_handle *h);

    /* Starts what is queued towards the kernel, and puts completions into out, of which there is room for one at least; or for
     * none at all (max 0, wait_ns 0): then what ends goes to the ready list, and the events of multishot ops wait. Waits for the
     * first if wait_ns != 0 (< 0: for ever) and out is empty. May return early with nothing: the core loops. Returns 0,
     * or an error of the engine itself. */
    int (*poll)(struct cport_port *port, struct harvest *out, int64_t wait_ns);
    /* The same without harvest. */
    void (*flush)(struct cport_port *port);
    /* From any thread: makes a poll that waits, or the next that would, return. */
    void (*wake)(struct cport_port *port);
    int64_t (*now_ns)(void);

    /* Pools that the kernel holds. bufs_open returns CPORT_ENOTSUP where the core's own free list is to be used. All three
     * are NULL in an engine without. */
    int (*bufs_open)(struct cport_bufs *pool);
    void (*bufs_close)(struct cport_bufs *pool);
    void (*bufs_put)(struct cport_bufs *pool, uint32_t id);

    /* Memory for transfers of files that the kernel keeps pinned; the arguments have been checked. NULL in an engine without. */
    int (*memory_pin)(struct cport_port *port, void *memory, size_t len);
    int (*memory_unpin)(struct cport_port *port, void *memory);

    /* Lookups of names, with CPORT_CAP_NATIVE_RESOLVE: resolve.h. START_PENDING: lookup_end comes inside a wait; or an error.
     * resolve_cancel, under the port's lock, hastens that end if it can. */
    int (*resolve)(struct lookup *lookup);
    void (*resolve_cancel)(struct lookup *lookup);

    /* Where the kernel itself is the completion port, these stand in for the core's ready list and waiters, and poll and flush
     * are NULL; wake then makes a waiting thread look at the timers again, without returning. wait is cport_wait after its
     * argument checks: it expires timers (port_expire, port_resume, port_until_timer) and hands dequeued ready ops to
     * port_deliver. ready queues an op's event (state OP_READY, result, key, event_flags, aux are set; it cannot fail);
     * wake_waiter is cport_wake; close_waiters makes waiting threads return CPORT_EABANDONED and awaits that. */
    int (*wait)(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);
    void (*ready)(struct cport_port *port, struct op *op);
    void (*wake_waiter)(struct cport_port *port);
    void (*close_waiters)(struct cport_port *port);
    /* By a thread of the pool (offload.h): the op's job has run; shall call offload_end inside a wait. It cannot fail. */
    void (*job_ended)(struct cport_port *port, struct op *op);
};

extern const struct backend backend_io_uring;
extern const struct backend backend_epoll;
extern const struct backend backend_iocp;

/* The engines of this build in the order in which AUTO tries them, NULL at the end. */
const struct backend *const *backend_candidates(void);

#endif
