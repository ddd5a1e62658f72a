/*
 * libcport-workers: pools of threads, each bound to its part of the machine, around ports of their own.
 *
 * Ownership. A pool owns its threads and ports, from cport_workers_open to the return of cport_workers_stop. What is attached to
 * the ports or opened on them is its hooks': `drain` lets go of handles, `stop` of buffer pools and memory.
 *
 * Threading. With one thread per port the ports are CPORT_PORT_SINGLE and belong to their threads; with several they are
 * shared. Hooks run on the pool's own threads. cport_workers_stop is called once, by no thread of the pool, and nothing else
 * may be called with the pool when it has returned.
 *
 * Calls documented as "any" may be made from any thread while the pool is open, hooks of the pool included.
 */
#ifndef CPORT_WORKERS_H
#define CPORT_WORKERS_H

#include <cport/cport.h>

#if defined(_WIN32) && defined(CPORT_SHARED)
#ifdef CPORT_WORKERS_BUILDING
#define CPORT_WORKERS_API __declspec(dllexport)
#else
#define CPORT_WORKERS_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define CPORT_WORKERS_API __attribute__((visibility("default")))
#else
#define CPORT_WORKERS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cport_workers cport_workers;

/* What each port gets of the machine, or rather of what this process may use of it: the processors that cgroup and
 * affinity (taskset) allow. Where the system does not know the unit, the next smaller part that it knows stands in. */
#define CPORT_UNIT_CORE 0u /* a core with all its hardware threads */
#define CPORT_UNIT_PU   1u /* a hardware thread, which is what systems call a processor */
#define CPORT_UNIT_L3   2u /* the processors that share a last-level cache */
#define CPORT_UNIT_NUMA 3u /* the processors close to one memory */
#define CPORT_UNIT_ALL  4u /* all of it: one port */

#define CPORT_WORKERS_ONE_PER_CORE                                                                 \
    0x1u /* of each core use one processor only: no simultaneous multithreading */
#define CPORT_WORKERS_UNBOUND 0x2u /* plan the same ports, but let the system place the threads */

/* A thread of a pool as its hooks see it; it stays where it is until the thread's stop hook has returned. */
typedef struct cport_worker {
    cport_workers *pool; /* constant, as are the next four */
    cport_port *port;
    uint32_t index;  /* of the port: 0, 1, … */
    uint32_t thread; /* among the port's threads; 0 opened the port and will close it */
    void *ctx;       /* the options' */
    void *user;      /* caller: never touched by the library; NULL at first */
} cport_worker;

typedef struct cport_workers_options {
    uint32_t size;  /* sizeof(cport_workers_options) */
    uint32_t flags; /* CPORT_WORKERS_… */
    uint32_t unit;  /* CPORT_UNIT_… */
    uint32_t
        ports; /* 0: one per unit. Fewer: the fastest kind of core first, each core once before any twice. More: units in turn, again */
    uint32_t
        threads_per_port; /* 0: 1. 1: ports are SINGLE; more: shared, with concurrency 1 unless `port` says more */
    uint32_t
        batch; /* events handed to `handle` at once; 0: 64, or 1 on shared ports, so that events do not wait
                                * behind a handler that blocks; at most 256 */
    const char *
        cpuset; /* NULL: all that is allowed; else only these processors: "0-3,8", as the system numbers them */
    const char *
        name; /* NULL: "cport". Threads are called NAME/PORT.THREAD, in 15 bytes: a long name is cut */
    const cport_port_options *
        port; /* NULL: defaults. For every port; pool and ports get their memory from its allocator */
    /* Events of the port, 1 to batch of them. Never two calls at once on a SINGLE port. */
    void (*handle)(cport_worker *me, const cport_event *events, unsigned count);
    /* NULL, or: on each thread before its first event, when all ports of the pool are open; thread 0 before its port's others.
     * < 0 is an error: it has undone what it did, and the pool does not open. */
    int (*start)(cport_worker *me);
    /* NULL, or: once per port, on one of its threads, when the pool is told to stop: close the listeners; close the
     * connections, or let them come to their end. */
    void (*drain)(cport_worker *me);
    /* NULL, or: on each thread after its last event; on thread 0 last, when no other thread of the pool handles events any
     * more: close buffer pools here. Post nothing. */
    void (*stop)(cport_worker *me);
    void *ctx; /* for the hooks */
    void (*log)(void *ctx,
        const char
            *line); /* NULL: silent. From any thread; ports without a log of their own use it too */
    void *log_ctx;
    /* NULL, or: once per port, on one of its threads, when the deadline of cport_workers_stop has passed, before what is pending is
     * cancelled: end in your own way what has not ended. */
    void (*expire)(cport_worker *me);
    /* NULL, or: on a thread whose cport_wait fails, which the thread does not survive; the port's connections are lost, and the
     * pool's other ports go on: have it stopped. */
    void (*fail)(cport_worker *me, int error);
} cport_workers_options;

typedef struct cport_workers_info {
    uint32_t size;    /* sizeof(cport_workers_info), set before the call */
    uint32_t threads; /* of the port */
    uint32_t bound;   /* how many of them the system has bound to cpuset */
    int32_t numa; /* the memory close to them, as the system numbers it; -1: several, or unknown */
    int32_t kind; /* of core: higher is faster; 0 if all are alike; -1: several, or unknown */
    uint32_t reserved;
    char cpuset
        [216]; /* "0,64": the processors of the port; one that does not fit is cut and ends in "..." */
    char reason[216]; /* why threads are not bound; "" if all are */
} cport_workers_info;

/* cport_workers_open: plans the ports, starts the threads, binds each, has it open its port there, and returns when all start
 * hooks have. A thread that the system refuses to bind runs unbound, and log and info say so.
 * Thread: any. Blocks: until the start hooks have returned.
 * Returns: 0; CPORT_EINVAL unknown flags, unit or size, no handler, a cpuset that is no list or holds no processor that this
 * process may use; CPORT_ENOMEM; CPORT_EIO the system does not tell what the machine is; what cport_port_open and the start
 * hooks return. Nothing is left behind by a pool that does not open. Since: 0.1. */
CPORT_WORKERS_API int cport_workers_open(const cport_workers_options *opt, cport_workers **ret_w);

/* cport_workers_plan: how many ports a pool of these options would have. Ask for that number when opening one: what the process may
 * use can change in between.
 * Thread: any. Blocks: while the system is asked. Returns: the number; what cport_workers_open returns for options that cannot be,
 * or when there is nothing to run on. Since: 0.1. */
CPORT_WORKERS_API int cport_workers_plan(const cport_workers_options *opt);

/* cport_workers_count: the number of ports. cport_workers_port: port i, NULL beyond them.
 * Thread: any. Blocks: no. Since: 0.1. */
CPORT_WORKERS_API unsigned cport_workers_count(const cport_workers *w);
CPORT_WORKERS_API cport_port *cport_workers_port(const cport_workers *w, unsigned i);

/* cport_workers_here: which of its pool's ports the calling thread serves.
 * Thread: any. Blocks: no. Returns: the index; -1 in a thread of no pool. Since: 0.1. */
CPORT_WORKERS_API int cport_workers_here(void);

/* cport_workers_get_info: port i as planned, and what came of it.
 * Thread: any. Blocks: no. Returns: 0; CPORT_EINVAL no such port, or size is too small. Since: 0.1. */
CPORT_WORKERS_API int cport_workers_get_info(
    cport_workers *w, unsigned i, cport_workers_info *ret_info);

/* cport_workers_hold: a packet that this port needs will be posted from outside the pool, as when a handler leaves work to threads of
 * another kind: the port stays, whatever deadline there is, until cport_workers_release has been called once for each hold.
 * Thread: the worker's. Blocks: no. Since: 0.1. */
CPORT_WORKERS_API void cport_workers_hold(cport_worker *me);
CPORT_WORKERS_API void cport_workers_release(cport_worker *me);

/* cport_workers_stop: calls the drain hooks, waits until no port has a handle or is held and no handler posts to another port any
 * more, joins every thread and frees the pool. At deadline_ns (absolute, as cport_now_ns; INT64_MAX: never; the past: at once)
 * the expire hooks are called and what is pending is cancelled, and handlers get CPORT_ECANCELED for it; handles that are still
 * there a second later are closed by reset. Timers that are armed and events posted from outside the pool meanwhile are dropped in the end.
 * Thread: any but the pool's own. Blocks: until all handlers and hooks have returned.
 * Returns: 0; CPORT_ETIMEDOUT it took longer than the deadline, and has ended all the same; CPORT_EBUSY a buffer pool was left
 * open, and its port with it; CPORT_EINVAL; CPORT_EWRONGTHREAD nothing has happened; else the error that ended a
 * port's cport_wait. Since: 0.1. */
CPORT_WORKERS_API int cport_workers_stop(cport_workers *w, int64_t deadline_ns);

#ifdef __cplusplus
}
#endif
#endif
