/*
 * resolve.c: from names to addresses, as an operation.
 */
#include "resolve.h"

#include <string.h>

#include "port.h"

int lookup_family(const struct lookup *l)
{
    switch (l->flags) {
    case CPORT_RESOLVE_IPV4:
        return AF_INET;
    case CPORT_RESOLVE_IPV6:
        return AF_INET6;
    default:
        return AF_UNSPEC;
    }
}

static struct cport_addresses *addresses_of(const struct addrinfo *info, uint16_t tcp_port)
{
    struct cport_addresses *addresses = addresses_new(ADDRESSES_MOST);
    for (; addresses && info && addresses->count < ADDRESSES_MOST; info = info->ai_next)
        addresses_add(addresses, info->ai_addr, tcp_port);
    return addresses;
}

void lookup_found(struct lookup *l, struct cport_addresses *addresses)
{
    l->found = addresses;
    l->code = !addresses ? CPORT_ENOMEM : addresses->count == 0 ? CPORT_ENOENT : 0;
}

/* By a thread of the port's, as long as it takes. */
static void lookup_run(struct op *job)
{
    struct lookup *l = lookup_of_job(job);
    const struct addrinfo hints = {
        .ai_family = lookup_family(l), .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *info = NULL;
    int error = getaddrinfo(l->host, NULL, &hints, &info);
    if (error) {
        l->code = os_resolve_error(error, &l->raw);
        return;
    }
    lookup_found(l, addresses_of(info, l->tcp_port));
    freeaddrinfo(info);
}

static void lookup_free(struct lookup *l)
{
    cport_addresses_free(l->found);
    port_free(l->port, l, l->size);
}

void lookup_end(struct op *job, struct harvest *out)
{
    struct lookup *l = lookup_of_job(job);
    struct cport_port *port = l->port;
    (void)out; /* the ready list is good enough for what took so long */
    port_lock(port);
    struct op *op = l->op;
    if (op) {
        op->resolve.lookup = NULL;
        op->resolve.found = l->found;
        op->result = l->code < 0 ? l->code : (int64_t)cport_addresses_count(l->found);
        op->aux = l->raw;
        l->found = NULL;
        op_set_state(op, OP_READY);
        port_ready_locked(port, op);
    }
    port_unlock(port);
    lookup_free(l);
}

static struct lookup *lookup_new(struct cport_port *port, const char *host, size_t length)
{
    size_t size = sizeof(struct lookup) + length + 1;
    struct lookup *l = port_alloc(port, size, _Alignof(struct lookup));
    if (!l)
        return NULL;
    memset(l, 0, sizeof(*l));
    l->port = port;
    l->size = size;
    l->code = CPORT_ECANCELED; /* if nobody comes to look */
    memcpy(l->host, host, length + 1);
    return l;
}

/* The lookup may be over, and gone, when this returns. */
static int lookup_start(struct lookup *l)
{
    static const struct job_kind by_thread = {lookup_run, lookup_end};
    struct cport_port *port = l->port;
    if (port->caps & CPORT_CAP_NATIVE_RESOLVE) {
        l->native = true;
        return port->backend->resolve(l);
    }
    return offload_run(port, &l->job, &by_thread);
}

int cport_resolve(
    cport_port *port, cport_op *public_op, const char *host, uint16_t tcp_port, uint32_t flags)
{
    struct op *op = op_of(public_op);
    size_t length = host ? strnlen(host, LOOKUP_HOST_MOST + 1) : 0;
    if (!port || !op || length == 0 || length > LOOKUP_HOST_MOST ||
        (flags & ~(CPORT_RESOLVE_IPV4 | CPORT_RESOLVE_IPV6)))
        return CPORT_EINVAL;
    if (!port_is_mine(port))
        return CPORT_EWRONGTHREAD;
    if (op_state(op) != OP_FREE)
        return CPORT_EBUSY;
    struct lookup *l = lookup_new(port, host, length);
    if (!l)
        return CPORT_ENOMEM;
    l->op = op;
    l->flags = flags;
    l->tcp_port = tcp_port;
    op->kind = OP_RESOLVE;
    op->port = port;
    op->flags = 0;
    op->bits = 0;
    op->result = 0;
    op->key = 0;
    op->event_flags = 0;
    op->aux = 0;
    op->transferred = 0;
    op->resolve.lookup = l;
    op->resolve.found = NULL;
    op_set_state(op, OP_STARTED);
    int r = lookup_start(l);
    if (r < 0) {
        op_set_state(op, OP_FREE);
        lookup_free(l);
    }
    return r;
}

cport_addresses *cport_resolve_take(cport_op *public_op)
{
    struct op *op = op_of(public_op);
    if (!op || op->kind != OP_RESOLVE || op_state(op) != OP_FREE)
        return NULL;
    cport_addresses *found = op->resolve.found;
    op->resolve.found = NULL;
    return found;
}

/* Under the port's lock the lookup cannot come to its end, and so is still there. */
int resolve_cancel(struct op *op)
{
    struct cport_port *port = op->port;
    struct lookup *unbegun = NULL;
    int r = CPORT_ENOENT;
    port_lock(port);
    if (op_state(op) == OP_STARTED) {
        struct lookup *l = op->resolve.lookup;
        l->op = NULL;
        if (l->native)
            port->backend->resolve_cancel(l);
        else if (offload_cancel(port, &l->job))
            unbegun = l;
        op->resolve.lookup = NULL;
        op->result = CPORT_ECANCELED;
        op_set_state(op, OP_READY);
        port_ready_locked(port, op);
        r = 0;
    }
    port_unlock(port);
    if (unbegun)
        lookup_free(unbegun);
    return r;
}

void resolve_drop(struct op *op)
{
    cport_addresses_free(op->resolve.found);
    op->resolve.found = NULL;
}
