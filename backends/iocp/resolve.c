/*
 * resolve.c: lookups of names that the system does by itself.
 *
 * The end is told by an event of the kernel's, on which a thread of the system's pool waits: it posts the lookup as a job that
 * has run. GetAddrInfoEx could call a function instead, but not in Wine.
 */
#include "resolve.h"

#include "error.h"
#include "functions.h"

struct native {
    struct list link; /* in iocp->lookups */
    OVERLAPPED overlapped;
    ADDRINFOEXW *info;
    HANDLE cancel;
    HANDLE waiter;
    INT error;
    bool at_once; /* error is how it has ended */
} CPORT_MAY_ALIAS;
_Static_assert(sizeof(struct native) <= sizeof(((struct lookup *)0)->engine), "it has room");

static struct native *native_of(struct lookup *l)
{
    return (struct native *)(void *)l->engine;
}

static struct cport_addresses *addresses_of(const ADDRINFOEXW *info, uint16_t tcp_port)
{
    struct cport_addresses *addresses = addresses_new(ADDRESSES_MOST);
    while (addresses && info && addresses->count < ADDRESSES_MOST) {
        addresses_add(addresses, info->ai_addr, tcp_port);
        info = (const ADDRINFOEXW *)(const void *)info->ai_next; /* mingw-w64 misspells its type */
    }
    return addresses;
}

/* In a wait, or while the port is being closed. */
static void native_end(struct op *job, struct harvest *out)
{
    struct lookup *l = lookup_of_job(job);
    struct native *n = native_of(l);
    int error = n->at_once ? n->error : functions()->get_addr_info_result(&n->overlapped);
    if (error)
        l->code = os_resolve_error(error, &l->raw);
    else
        lookup_found(l, addresses_of(n->info, l->tcp_port));
    if (n->info)
        functions()->free_addr_info(n->info);
    UnregisterWait(n->waiter);
    CloseHandle(n->overlapped.hEvent);
    port_lock(l->port);
    list_remove(&n->link);
    port_unlock(l->port);
    lookup_end(job, out);
}

static void CALLBACK native_ended(void *lookup, BOOLEAN timed_out)
{
    struct lookup *l = lookup;
    (void)timed_out;
    queue_post_job(l->port, &l->job);
}

static int wide_name(const char *host, WCHAR *ret_name, int room)
{
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, host, -1, ret_name, room) == 0)
        return error_from_win32(GetLastError());
    return 0;
}

int resolve_start(struct lookup *l)
{
    static const struct job_kind native_kind = {NULL, native_end};
    struct native *n = native_of(l);
    WCHAR name[LOOKUP_HOST_MOST + 1];
    int r = wide_name(l->host, name, LOOKUP_HOST_MOST + 1);
    if (r < 0)
        return r;
    *(struct job *)(void *)l->job.engine = (struct job){.kind = &native_kind};
    n->overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!n->overlapped.hEvent)
        return error_from_win32(GetLastError());
    if (!RegisterWaitForSingleObject(
            &n->waiter, n->overlapped.hEvent, native_ended, l, INFINITE, WT_EXECUTEONLYONCE)) {
        r = error_from_win32(GetLastError());
        CloseHandle(n->overlapped.hEvent);
        return r;
    }
    port_lock(l->port);
    list_push_back(&iocp_of(l->port)->lookups, &n->link);
    port_unlock(l->port);
    const ADDRINFOEXW hints = {
        .ai_family = lookup_family(l), .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    HANDLE event = n->overlapped.hEvent;
    INT error = functions()->get_addr_info(
        name, NULL, NS_DNS, NULL, &hints, &n->info, NULL, &n->overlapped, NULL, &n->cancel);
    if (error == WSA_IO_PENDING)
        return 0; /* and it may be over, and gone */
    n->error = error;
    n->at_once = true;
    SetEvent(event);
    return 0;
}

/* A lookup that cannot be interrupted ends when it ends, and nobody waits for it. */
void resolve_interrupt(struct lookup *l)
{
    functions()->cancel_addr_info(&native_of(l)->cancel);
}

void resolve_close(struct cport_port *port)
{
    struct list *lookups = &iocp_of(port)->lookups;
    for (struct list *link = lookups->next; link != lookups; link = link->next)
        functions()->cancel_addr_info(&CPORT_CONTAINER_OF(link, struct native, link)->cancel);
}
