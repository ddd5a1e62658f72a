/*
 * The completion loop at its barest: DEFER_TASKRUN, one system call per turn, a receive into the connection's buffer, replies
 * written over their requests, a send from there, the next receive. What is published in one turn is one block, which every
 * subscriber is sent from.
 */
#include "message.h"
#include "peer.h"
#include "raw.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQ_ENTRIES 4096
#define CQ_ENTRIES 16384

/* In the low bits of user_data; connections are aligned for more than two bits. */
enum { TAG_ACCEPT, TAG_RECV, TAG_REPLY, TAG_PUSH, TAG_MASK = 3 };

struct block {
    struct block *next;
    unsigned holds; /* subscribers that have not got it, and the turn that fills it */
    size_t used, room;
    unsigned char *data;
};

struct connection {
    int fd;
    unsigned pending; /* operations in the kernel: the connection is freed with the last */
    bool has_begun;
    bool is_ending;
    bool is_pushing;
    struct block
        *block; /* of a subscriber: the one being sent, or else the one that is next filled */
    struct connection *next, **link;
    size_t taken, filled; /* of the buffer; behind taken lies the start of a request */
    unsigned char *buffer;
};

static struct io_uring ring;
static int listener;
static struct connection *subscribers;
static uint32_t subscriber_count;
static struct block *filling; /* its holds are counted once it is full */

static struct io_uring_sqe *sqe_get(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (sqe == NULL)
        peer_die("submission queue", EBUSY);
    return sqe;
}

static void sqe_tag(struct io_uring_sqe *sqe, struct connection *x, unsigned tag)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)x | tag);
    if (x != NULL)
        x->pending++;
}

static void submit_accept(void)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    sqe_tag(sqe, NULL, TAG_ACCEPT);
}

static void submit_recv(struct connection *x, bool poll_first)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_recv(sqe, x->fd, x->buffer + x->filled, MESSAGE_BUFFER_BYTES - x->filled, 0);
    /* The last receive left nothing behind, so a first try would find nothing either. */
    if (poll_first)
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe_tag(sqe, x, TAG_RECV);
}

static void submit_send(struct connection *x, const void *data, size_t bytes, unsigned tag)
{
    struct io_uring_sqe *sqe = sqe_get();
    io_uring_prep_send(sqe, x->fd, data, bytes, MSG_NOSIGNAL | MSG_WAITALL);
    sqe_tag(sqe, x, tag);
}

/* ---- Pushes ---- */

static struct block *block_new(void)
{
    return peer_allocate(sizeof(struct block));
}

static void block_release(struct block *b)
{
    if (--b->holds == 0) {
        free(b->data);
        free(b);
    }
}

void message_subscribe(void *connection)
{
    struct connection *x = connection;
    x->block = filling;
    x->next = subscribers;
    x->link = &subscribers;
    if (subscribers != NULL)
        subscribers->link = &x->next;
    subscribers = x;
    subscriber_count++;
}

uint32_t message_publish(const unsigned char *payload, size_t bytes)
{
    struct block *b = filling;
    size_t more = MESSAGE_HEAD_BYTES + bytes;
    if (b->used + more > b->room) {
        b->room = 2 * (b->used + more);
        b->data = realloc(b->data, b->room);
        if (b->data == NULL)
            peer_die("no memory", 0);
    }
    message_push_store(b->data + b->used, payload, bytes);
    b->used += more;
    return subscriber_count;
}

static void connection_push(struct connection *x)
{
    x->is_pushing = true;
    submit_send(x, x->block->data, x->block->used, TAG_PUSH);
}

static void deliver(void)
{
    struct block *full = filling;
    if (full->used == 0)
        return;
    filling = block_new();
    full->next = filling;
    full->holds = subscriber_count + 1;
    for (struct connection *x = subscribers; x != NULL; x = x->next) {
        if (!x->is_pushing)
            connection_push(x);
    }
    block_release(full);
}

static void on_pushed(struct connection *x)
{
    struct block *next = x->block->next;
    block_release(x->block);
    x->is_pushing = false;
    x->block = x->is_ending ? NULL : next;
    if (x->block != NULL && next != filling)
        connection_push(x);
}

/* Gives up what has not been sent; what is on its way stays until it is. */
static void unsubscribe(struct connection *x)
{
    *x->link = x->next;
    if (x->next != NULL)
        x->next->link = x->link;
    subscriber_count--;
    for (struct block *b = x->is_pushing ? x->block->next : x->block, *next; b != filling;
         b = next) {
        next = b->next;
        block_release(b);
    }
}

/* ---- Connections ---- */

static void connection_end(struct connection *x)
{
    if (!x->is_ending && x->link != NULL)
        unsubscribe(x);
    x->is_ending = true;
    if (x->pending > 0)
        return;
    close(x->fd);
    free(x->buffer);
    free(x);
    peer_connection_closed();
}

static void connection_accept(int fd)
{
    struct connection *x = peer_allocate(sizeof *x);
    x->buffer = peer_allocate(MESSAGE_BUFFER_BYTES);
    x->fd = fd;
    raw_no_delay(fd);
    peer_connection_opened();
    submit_recv(x, true);
}

static void connection_receive(struct connection *x)
{
    x->filled -= x->taken;
    memmove(x->buffer, x->buffer + x->taken, x->filled);
    x->taken = 0;
    submit_recv(x, true);
}

static void on_received(struct connection *x, int result)
{
    if (result <= 0) {
        connection_end(x);
        return;
    }
    x->filled += (size_t)result;
    size_t replies = message_answer(x, &x->has_begun, x->buffer, x->filled, &x->taken);
    if (replies > 0)
        submit_send(x, x->buffer, replies, TAG_REPLY);
    else
        connection_receive(x);
}

static void dispatch(const struct io_uring_cqe *cqe)
{
    uint64_t data = io_uring_cqe_get_data64(cqe);
    struct connection *x = (struct connection *)(uintptr_t)(data & ~(uint64_t)TAG_MASK);
    if (x == NULL) {
        if (cqe->res < 0)
            peer_die("accept", -cqe->res);
        connection_accept(cqe->res);
        if ((cqe->flags & IORING_CQE_F_MORE) == 0)
            submit_accept();
        return;
    }
    x->pending--;
    switch (data & TAG_MASK) {
    case TAG_RECV:
        on_received(x, cqe->res);
        break;
    case TAG_REPLY:
        if (cqe->res > 0)
            connection_receive(x);
        else
            connection_end(x);
        break;
    default:
        on_pushed(x);
        if (x->is_ending)
            connection_end(x);
    }
}

static void ring_open(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_CQSIZE,
        .cq_entries = CQ_ENTRIES};
    int error = io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);
    if (error < 0)
        peer_die("io_uring_setup", -error);
    error = io_uring_register_ring_fd(&ring);
    if (error < 0)
        peer_die("registering the ring", -error);
}

int main(void)
{
    unsigned port;
    listener = raw_listen(&port);
    ring_open();
    filling = block_new();
    submit_accept();
    peer_ready(port, "io_uring", "receive into own buffer");
    for (;;) {
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR && error != -EBUSY && error != -EAGAIN)
            peer_die("io_uring_enter", -error);
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            dispatch(cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
        deliver();
    }
}
