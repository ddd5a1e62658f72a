/*
 * A recorded stream of frames arrives cut into segments in every way there is: S34. Each kind of receive must put the same
 * frames together again. Segments go out one by one, the next when the last has been taken or is known to wait.
 */
#include "io.h"

#include <string.h>

/* Frames: a byte with the payload's length, then the payload. The last one is left out where steps are dear. */
static const unsigned char short_stream[] = {0, 1, 'a', 5, 'd', 'e', 'f', 'g', 'h', 2, 'b', 'c'};
#define SHORT_LEFT_OUT 3

#define FRAME          12 /* bytes, of the frames of the long stream */

/* ---- The reader of frames: what a protocol does with what it receives ---- */

typedef struct frames {
    unsigned char payload[256];
    unsigned need, have; /* of the frame that is being read; need 0: its length is to come */
    bool in_frame;
    unsigned count, bytes, sum;
} frames;

static void frames_byte(frames *f, unsigned char byte)
{
    if (!f->in_frame) {
        f->need = byte;
        f->have = 0;
        f->in_frame = true;
    } else {
        f->payload[f->have++] = byte;
        f->sum = f->sum * 31 + byte;
    }
    if (f->have == f->need) {
        f->in_frame = false;
        f->count++;
        f->sum = f->sum * 31 + f->need;
    }
}

static void frames_add(frames *f, const unsigned char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        frames_byte(f, data[i]);
    f->bytes += (unsigned)len;
}

static void check_frames(const frames *got, const unsigned char *stream, unsigned len)
{
    frames whole = {0};
    frames_add(&whole, stream, len);
    CHECK_EQ(got->bytes, len);
    CHECK_EQ(got->count, whole.count);
    CHECK_EQ(got->sum, whole.sum);
    CHECK(!got->in_frame);
}

/* ---- One partition ---- */

/* Where the stream is cut: after byte i if cut[i]. */
typedef struct partition {
    const unsigned char *stream;
    unsigned len;
    bool cut[256];
} partition;

static unsigned segment_end(const partition *p, unsigned at)
{
    while (at < p->len - 1 && !p->cut[at])
        at++;
    return at + 1;
}

typedef struct rig {
    cport_port *port;
    cts_pair pair;
    cport_bufs *pool;
    cport_op op;
    bool ahead; /* the receive is started before its segment is sent */
} rig;

typedef void (*receive_partition)(rig *r, const partition *p, frames *f);

static void send_segment(rig *r, const partition *p, unsigned at)
{
    cts_sock_send_all(r->pair.peer, p->stream + at, segment_end(p, at) - at);
}

static void by_recv(rig *r, const partition *p, frames *f)
{
    unsigned char data[256];
    for (unsigned at = 0, sent = 0; at < p->len;) {
        if (r->ahead)
            CHECK_EQ(cts_recv(r->pair.a, &r->op, data, sizeof data, 0), 0);
        if (at == sent) {
            send_segment(r, p, at);
            sent = segment_end(p, at);
        }
        if (!r->ahead)
            CHECK_EQ(cts_recv(r->pair.a, &r->op, data, sizeof data, 0), 0);
        int64_t n = cts_result(r->port, &r->op);
        CHECK(n > 0 && at + (unsigned)n <= sent);
        frames_add(f, data, (size_t)n);
        at += (unsigned)n;
    }
}

static void by_recvv(rig *r, const partition *p, frames *f)
{
    for (unsigned at = 0, sent = 0; at < p->len;) {
        unsigned char data[256];
        cport_buf bufs[3] = {{.base = data, .len = 2}, {.base = data + 2, .len = 1},
            {.base = data + 3, .len = sizeof data - 3}};
        if (r->ahead)
            CHECK_EQ(cts_recvv(r->pair.a, &r->op, bufs, 3, 0), 0);
        if (at == sent) {
            send_segment(r, p, at);
            sent = segment_end(p, at);
        }
        if (!r->ahead)
            CHECK_EQ(cts_recvv(r->pair.a, &r->op, bufs, 3, 0), 0);
        int64_t n = cts_result(r->port, &r->op);
        CHECK(n > 0 && at + (unsigned)n <= sent);
        frames_add(f, data, (size_t)n);
        at += (unsigned)n;
    }
}

/* All segments go into one receive; between them the engine gets to see each. */
static void send_into_one(rig *r, const partition *p, unsigned at)
{
    while (at < p->len) {
        send_segment(r, p, at);
        at = segment_end(p, at);
        if (at < p->len)
            io_check_still_pending(r->port, &r->op);
    }
    CHECK_EQ(cts_result(r->port, &r->op), p->len);
}

static void by_recv_all(rig *r, const partition *p, frames *f)
{
    unsigned char data[256] = {0};
    unsigned at = 0;
    if (!r->ahead) {
        send_segment(r, p, 0);
        at = segment_end(p, 0);
    }
    CHECK_EQ(cts_recv(r->pair.a, &r->op, data, p->len, CPORT_RECV_ALL), 0);
    send_into_one(r, p, at);
    frames_add(f, data, p->len);
}

static void by_recvv_all(rig *r, const partition *p, frames *f)
{
    unsigned char data[256] = {0};
    unsigned third = p->len / 3, at = 0;
    cport_buf bufs[5] = {{.base = data, .len = 1}, {.base = data + 1, .len = third},
        {.base = NULL, .len = 0}, {.base = data + 1 + third, .len = 2},
        {.base = data + 3 + third, .len = p->len - third - 3}};
    if (!r->ahead) {
        send_segment(r, p, 0);
        at = segment_end(p, 0);
    }
    CHECK_EQ(cts_recvv(r->pair.a, &r->op, bufs, 5, CPORT_RECV_ALL), 0);
    send_into_one(r, p, at);
    frames_add(f, data, p->len);
}

static unsigned add_buffer(rig *r, const cport_event *ev, frames *f)
{
    CHECK(ev->result > 0);
    frames_add(f, cport_bufs_data(r->pool, ev->aux), (size_t)ev->result);
    CHECK_EQ(cts_bufs_return(r->pool, ev->aux), 0);
    return (unsigned)ev->result;
}

static void by_recv_pooled(rig *r, const partition *p, frames *f)
{
    for (unsigned at = 0, sent = 0; at < p->len;) {
        if (r->ahead)
            CHECK_EQ(cts_recv_pooled(r->pair.a, &r->op, r->pool, 0), 0);
        if (at == sent) {
            send_segment(r, p, at);
            sent = segment_end(p, at);
        }
        if (!r->ahead)
            CHECK_EQ(cts_recv_pooled(r->pair.a, &r->op, r->pool, 0), 0);
        cport_event ev = cts_next(r->port, &r->op);
        at += add_buffer(r, &ev, f);
    }
}

/* Stays armed from one partition to the next. */
static void by_multishot(rig *r, const partition *p, frames *f)
{
    if (!cts_pending(&r->op))
        CHECK_EQ(cts_recv_pooled(r->pair.a, &r->op, r->pool, CPORT_MULTISHOT), 0);
    for (unsigned at = 0, sent = 0; at < p->len;) {
        if (at == sent) {
            send_segment(r, p, at);
            sent = segment_end(p, at);
        }
        cport_event ev = cts_next(r->port, &r->op);
        CHECK_EQ(ev.flags & CPORT_MORE, CPORT_MORE);
        at += add_buffer(r, &ev, f);
    }
}

/* ---- All partitions ---- */

static void rig_open(rig *r, uint32_t buffer_size)
{
    *r = (rig){.port = cts_port_open()};
    cts_pair_open(r->port, &r->pair);
    CHECK_EQ(cts_bufs_open(r->port, buffer_size, 16, &r->pool), 0);
}

static void rig_close(rig *r)
{
    cts_pair_close(&r->pair);
    cts_drain(r->port);
    cts_bufs_close(r->pool);
    cts_port_close(r->port);
}

static void run_one(rig *r, const partition *p, receive_partition receive)
{
    frames f = {0};
    receive(r, p, &f);
    check_frames(&f, p->stream, p->len);
    r->ahead = !r->ahead;
}

static void every_subset(receive_partition receive)
{
    rig r;
    unsigned len = (unsigned)sizeof short_stream - (cts_load_whole() ? 0 : SHORT_LEFT_OUT);
    rig_open(&r, 5);
    for (unsigned mask = 0; mask < 1u << (len - 1); mask++) {
        partition p = {.stream = short_stream, .len = len};
        for (unsigned i = 0; i < len - 1; i++)
            p.cut[i] = (mask >> i & 1) != 0;
        run_one(&r, &p, receive);
    }
    rig_close(&r);
}

/* A stream too long for every subset: cut at no, one and two places. */
static void every_two_cuts(receive_partition receive)
{
    unsigned char stream[5 * FRAME];
    rig r;
    unsigned len = cts_load_whole() ? (unsigned)sizeof stream : 2 * FRAME;
    rig_open(&r, 7);
    for (unsigned i = 0; i < len; i++)
        stream[i] = (unsigned char)(i % FRAME == 0 ? FRAME - 1 : i);
    for (unsigned one = 0; one < len - 1; one++)
        for (unsigned other = one; other < len; other++) {
            partition p = {.stream = stream, .len = len};
            p.cut[one] = p.cut[other] = true;
            run_one(&r, &p, receive);
        }
    rig_close(&r);
}

void s34_every_partition_by_recv(void)
{
    every_subset(by_recv);
}

void s34_every_partition_by_recvv(void)
{
    every_subset(by_recvv);
}

void s34_every_partition_by_recv_all(void)
{
    every_subset(by_recv_all);
}

void s34_every_partition_by_recvv_all(void)
{
    every_subset(by_recvv_all);
}

void s34_every_partition_by_recv_pooled(void)
{
    every_subset(by_recv_pooled);
}

void s34_every_partition_by_multishot(void)
{
    every_subset(by_multishot);
}

void s34_every_two_cuts_by_recv_all(void)
{
    every_two_cuts(by_recv_all);
}

void s34_every_two_cuts_by_recvv_all(void)
{
    every_two_cuts(by_recvv_all);
}

void s34_every_two_cuts_by_multishot(void)
{
    every_two_cuts(by_multishot);
}
