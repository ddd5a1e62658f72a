/*
 * iocp.h: the engine on Windows, where the kernel itself is the completion port.
 *
 * Ownership. `struct iocp` hangs off its port. An op's OVERLAPPED (or IO_STATUS_BLOCK) is its scratch words; accepts, of
 * which one op has many outstanding, have theirs in the acceptor that hangs off the listener's handle.
 *
 * Threading. Packets are dequeued by any thread inside cport_wait and handled under their handle's lock. Each started op
 * has one packet to come, whatever it ends with, unless its call ended at once on a handle that skips (HANDLE_SKIPS):
 * so no packet ever outlives its op, and the key of a packet may be a pointer to the handle.
 */
#ifndef CPORT_IOCP_H
#define CPORT_IOCP_H

#include "port.h"
#include "resolve.h"

#include <mswsock.h>
#include <windows.h>
#include <winternl.h>

/* Keys of packets that we post. All others are handles, and no pointer is that small. */
#define KEY_READY    ((ULONG_PTR)1) /* an op whose event is ready */
#define KEY_WAKE     ((ULONG_PTR)2) /* cport_wake */
#define KEY_KICK     ((ULONG_PTR)3) /* somebody must look at the timers */
#define KEY_ALARM    ((ULONG_PTR)4) /* the same, from the alarm: it has to be set anew */
#define KEY_STOP     ((ULONG_PTR)5) /* the port is being closed */
#define KEY_JOB      ((ULONG_PTR)6) /* an op whose job in the port's own threads has run */
#define KEY_PROBE    ((ULONG_PTR)7) /* of the kernel's: a poll of a borrowed socket */

/* Bits of cport_handle.engine_bits. */
#define HANDLE_SKIPS 0x01u /* a call that succeeds at once queues no packet */
#define HANDLE_RESET                                                                               \
    0x02u /* the kernel has told of a reset, perhaps once and for all: receives need not ask again */
#define HANDLE_TOLD                                                                                \
    0x04u /* an event has told of it: sends that fail from here on are CPORT_EPIPE */
#define HANDLE_RECV_SHUT                                                                           \
    0x08u /* the receiving side has been shut down: receives end with 0 bytes */

#define HANDLE_LOAN                                                                                \
    0x10u /* somebody else's socket: not on this port, and asked about through the probe */

/* A waitable timer whose expiry the kernel queues as a packet by itself. Absent before Windows 8 and in Wine. */
struct alarm {
    HANDLE timer;  /* constant after open; NULL: there is no alarm */
    HANDLE packet; /* constant after open */
    bool set;      /* its packet is to come */
    int64_t at_ns; /* when, if set */
};

struct iocp {
    HANDLE queue; /* constant after open */

    /* Under the port's lock. */
    SOCKET probe; /* loan.c; INVALID_SOCKET until the first borrowed socket, then constant */
    struct alarm alarm;
    const void *
        keeper; /* the sleeping thread that wakes in time for the timers, where there is no alarm */
    int64_t keeper_until_ns;
    struct list lookups;  /* resolve.c */
    struct relay *relays; /* relay.c: those that no sendfile uses */
    unsigned relays_kept; /* among them */
    unsigned sleepers;    /* threads that may be asleep in the kernel */
    bool kicked;          /* a KEY_KICK is queued */
};

static inline struct iocp *iocp_of(const struct cport_port *port)
{
    return port->engine;
}

static inline OVERLAPPED *overlapped_of(struct op *op)
{
    return (OVERLAPPED *)(void *)op->engine;
}

static inline HANDLE file_of(const struct cport_handle *h)
{
    return (HANDLE)h->fd;
}

/* How one call to the kernel has ended. */
struct ending {
    int code;     /* 0 or CPORT_E… */
    uint32_t raw; /* the system's number for it */
    size_t bytes;
};

struct ending ending_of_packet(const OVERLAPPED *overlapped);
struct ending ending_of_error(uint32_t win32_error);
/* From what an overlapped call on h has returned. True: it has ended; false: a packet is to come. */
bool ending_of_call(
    const struct cport_handle *h, bool ok, const OVERLAPPED *overlapped, struct ending *ret_ending);
/* A receive on h has ended with 0 bytes: code 0 if that is the end of the stream, or the reset that it was. */
struct ending ending_of_stream(const struct cport_handle *h);
/* Sets the op's result and aux from the error, which is CPORT_ECANCELED if the op's end was asked for. */
void op_fail(struct op *op, struct ending ending);
/* The same of whatever sends: what a broken connection is called depends on what the caller knows of it already. */
void send_fail(struct op *op, struct ending ending);

/* loan.c. Somebody else's socket joins the port without being on it. probe_of: the file through which h is polled. */
int loan_attach(struct cport_handle *h);
HANDLE probe_of(const struct cport_handle *h);

/* relay.c. For sendfiles on ports without CPORT_CAP_SENDFILE: memory that a file goes through. take: false, there is none. ask: the
 * next of the file, with head and tail, bytes of the passage's that may ride along; true: it has ended, with 0 bytes where the
 * file ends. */
bool relay_take(struct op *op);
bool relay_ask(struct op *op, size_t head, size_t tail, struct ending *ret_ending);
void relay_give(struct op *op);
void relay_close(struct cport_port *port);

/* resolve.c. Lookups by the system: as in backend.h; close interrupts those that are still under way. */
int resolve_start(struct lookup *l);
void resolve_interrupt(struct lookup *l);
void resolve_close(struct cport_port *port);

/* queue.c. Packets of our own. What must not be lost, and has no op to be kept by, is posted until the kernel has room. */
bool queue_post(struct cport_port *port, ULONG_PTR key, OVERLAPPED *overlapped);
void queue_post_surely(struct cport_port *port, ULONG_PTR key);
void queue_post_job(struct cport_port *port, struct op *op);
/* The packet of an op whose event is ready, counted by its handle until ready_taken. False: no memory for it. */
bool queue_ready(struct cport_port *port, struct op *op);
void ready_taken(struct op *op);
/* As if the kernel had ended a call for the op with success: it will go on in the next wait, where there is room for events.
 * False: no memory for that. */
bool queue_repeat(struct op *op, OVERLAPPED *overlapped);

/* wait.c */
int iocp_wait(struct cport_port *port, cport_event *ev, unsigned max, int64_t timeout_ns);

/* clock.c. The port's lock is held, but for open and close. */
void clock_open(struct cport_port *port);
void clock_close(struct cport_port *port);
/* The calling thread goes to sleep for left_ns at most (< 0: for ever): for how long, if it is to wake for a timer. `me` is
 * its name until clock_woken. */
int64_t clock_sleep(struct cport_port *port, const void *me, int64_t left_ns);
void clock_woken(struct cport_port *port, const void *me);
/* Whoever sleeps shall wake for the earliest timer. */
void clock_arrange(struct cport_port *port);
void clock_rang(struct cport_port *port, ULONG_PTR key);

/* Each start answers like backend->start; each ended gets the packet of a call, and has room for one event. */
int transfer_start(struct op *op);
void transfer_ended(struct op *op, struct harvest *out);
int transmit_start(struct op *op);
void transmit_ended(struct op *op, struct harvest *out);
int pooled_start(struct op *op);
void pooled_ended(struct op *op, struct harvest *out);
/* Of plain receives and sends on datagram sockets, too. */
int datagram_start(struct op *op);
void datagram_ended(struct op *op, struct harvest *out);
int datagram_pooled_start(struct op *op);
void datagram_pooled_ended(struct op *op, struct harvest *out);
/* A dead peer's answer, on a socket that is not to tell of it: try again. */
bool datagram_forgives(const struct op *op, const struct ending *e);
int connect_start(struct op *op);
void connect_ended(struct op *op, struct harvest *out);
int shutdown_start(struct op *op);
int poll_start(struct op *op);
void poll_ended(struct op *op, struct harvest *out);
int file_start(struct op *op);
void file_ended(struct op *op, struct harvest *out);
int file_cancel(struct op *op); /* as backend->cancel */
/* h is not a socket: 0 if it is a file, and h->file is set; or why it cannot be attached. */
int file_attach(struct cport_handle *h);
int accept_start(struct op *op);
void accept_ended(struct op *op, struct harvest *out); /* not of an accept: of a queue_repeat */
void accept_cancel(struct op *op);
/* If the packet is of one of the listener's accepts: deals with it. */
bool accept_took(struct cport_handle *h, const OVERLAPPED *overlapped, struct harvest *out);
void accept_free(struct cport_handle *h);

#endif
