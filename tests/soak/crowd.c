#include "crowd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define AREA_BYTES     ((size_t)256 << 10)
#define EVENTS_MAX     1024
#define TICK_NS        (SECOND_NS / 10)
#define OPENS_PER_TICK 500u
#define PATIENCE_NS    (60 * SECOND_NS) /* of a healthy connection that is owed an answer */
#define SOURCES        16u              /* addresses to come from: none runs out of ports */
#define SMALL_WINDOW   4096
#define STALLED_MAX    48u /* they hold the system's memory, which is everybody's */
#define STALL_BYTES    ((size_t)4 << 20)
#define FAULTS_TOLD    20u

/* ---- Time, chance, memory ---- */

int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

uint64_t crowd_random(struct crowd *crowd)
{
    uint64_t z = crowd->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void store_add(struct store *store, const void *data, size_t len)
{
    if (len == 0)
        return;
    if (store->start > 0 && store->room - store->end < len) {
        memmove(store->data, store->data + store->start, store->end - store->start);
        store->end -= store->start;
        store->start = 0;
    }
    if (store->room - store->end < len) {
        store->room = 2 * (store->end + len);
        store->data = realloc(store->data, store->room);
        if (!store->data) {
            perror("soak");
            exit(2);
        }
    }
    memcpy(store->data + store->end, data, len);
    store->end += len;
}

static void store_take(struct store *store, size_t len)
{
    store->start += len;
    if (store->start < store->end)
        return;
    free(store->data);
    *store = (struct store){0};
}

/* ---- Words ---- */

static uint64_t mix(uint32_t serial, uint32_t number)
{
    uint64_t x = (uint64_t)serial << 32 | number;
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}

/* Mostly short, sometimes longer than a receive of the server's, now and then much longer. */
size_t words_len(uint32_t serial, uint32_t number)
{
    uint64_t x = mix(number, serial);
    unsigned which = (unsigned)(x % 1000);
    size_t most = which < 920 ? 256 : which < 995 ? 4096 : WORDS_MAX - 8;
    return 8 + (size_t)(x >> 16) % (most - 8);
}

static uint64_t word_next(uint64_t *x)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *x ^ *x >> 29;
}

void words_fill(uint8_t *data, size_t len, uint32_t serial, uint32_t number)
{
    uint64_t x = mix(serial, number);
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = word_next(&x);
        memcpy(data + at, &word, len - at < 8 ? len - at : 8);
    }
}

bool words_are(const uint8_t *data, size_t len, uint32_t serial, uint32_t number)
{
    uint64_t x = mix(serial, number);
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = word_next(&x);
        if (memcmp(data + at, &word, len - at < 8 ? len - at : 8) != 0)
            return false;
    }
    return true;
}

/* ---- Coming and going ---- */

static void guest_mask(struct guest *guest)
{
    uint32_t mask = (guest->deaf ? 0 : (uint32_t)EPOLLIN) | (guest->wants_room ? EPOLLOUT : 0u);
    if (mask == guest->mask)
        return;
    struct epoll_event event = {.events = mask, .data.ptr = guest};
    epoll_ctl(guest->crowd->epoll, EPOLL_CTL_MOD, guest->fd, &event);
    guest->mask = mask;
}

static void guest_absent(struct guest *guest, int64_t wait_ns)
{
    struct crowd *crowd = guest->crowd;
    if (guest->fd >= 0) {
        close(guest->fd);
        crowd->open--;
    }
    crowd->stalled -= guest->stalls;
    guest->stalls = false;
    guest->fd = -1;
    guest->state = GUEST_ABSENT;
    guest->due_ns = crowd->now_ns + wait_ns;
    free(guest->in.data);
    free(guest->out.data);
    guest->in = guest->out = (struct store){0};
}

/* Who has misbehaved takes his time, so that the others are the most. */
void guest_gone(struct guest *guest, bool reset)
{
    struct crowd *crowd = guest->crowd;
    int64_t wait_ns = (int64_t)(crowd_random(crowd) % (uint64_t)(2 * SECOND_NS));
    if (guest->state != GUEST_SPOILED)
        wait_ns /= 20;
    if (reset && guest->fd >= 0) {
        struct linger none = {.l_onoff = 1, .l_linger = 0};
        setsockopt(guest->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    }
    guest_absent(guest, wait_ns);
}

void crowd_fault(struct guest *guest, const char *format, ...)
{
    struct crowd *crowd = guest->crowd;
    if (crowd->faults++ < FAULTS_TOLD) {
        va_list list;
        char what[256];
        va_start(list, format);
        vsnprintf(what, sizeof(what), format, list);
        va_end(list);
        struct sockaddr_in own = {0};
        socklen_t own_len = sizeof(own);
        getsockname(guest->fd, (struct sockaddr *)&own, &own_len);
        printf("soak: FAULT: %s %u from port %u, asked %u, answered %u: %s\n", guest->kind->name,
            guest->serial, ntohs(own.sin_port), guest->asked, guest->answered, what);
        fflush(stdout);
    }
    guest_gone(guest, true);
}

static void guest_come(struct guest *guest)
{
    struct crowd *crowd = guest->crowd;
    int on = 1, small = SMALL_WINDOW;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in from = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + crowd->serials % SOURCES)};
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(crowd->tcp_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = guest};

    guest->fd = fd;
    guest->serial = ++crowd->serials;
    guest->state = GUEST_CONNECTING;
    guest->deaf = guest->wants_room = guest->shut = guest->is_shut = guest->said_goodbye = false;
    guest->must_end = guest->has_heard = guest->has_push = false;
    guest->mask = EPOLLOUT;
    guest->due_ns = crowd->now_ns + PATIENCE_NS;
    guest->heard_ns = crowd->now_ns;
    guest->asked = guest->answered = 0;
    guest->life = guest->kind->life_min +
                  (uint32_t)(crowd_random(crowd) % (guest->kind->life ? guest->kind->life : 1));
    guest->stage = 0;
    guest->left = 0;
    if (fd < 0) {
        crowd_fault(guest, "no socket: %s", strerror(errno));
        return;
    }
    crowd->open++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (guest->kind->small_window)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        crowd_fault(guest, "cannot connect: %s", strerror(errno));
}

static void guest_come_in(struct guest *guest)
{
    struct crowd *crowd = guest->crowd;
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(guest->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        crowd_fault(guest, "cannot connect: %s", strerror(error));
        return;
    }
    crowd->connects++;
    guest->state = GUEST_TALKING;
    guest->due_ns = NEVER_NS;
    guest->heard_ns = crowd->now_ns;
    if (guest->kind->preface != 0)
        guest_put(guest, &guest->kind->preface, 1);
    guest->kind->greet(guest);
    guest_flush(guest);
    if (guest->fd >= 0)
        guest_mask(guest);
}

/* ---- Talking ---- */

void guest_put(struct guest *guest, const void *data, size_t len)
{
    store_add(&guest->out, data, len);
}

static void guest_ended(struct guest *guest, int error);

void guest_flush(struct guest *guest)
{
    if (guest->fd < 0)
        return;
    while (guest->out.start < guest->out.end) {
        ssize_t sent = send(guest->fd, guest->out.data + guest->out.start,
            guest->out.end - guest->out.start, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent < 0) {
            /* What came before the end is still to be read, and tells more. */
            store_take(&guest->out, guest->out.end - guest->out.start);
            break;
        }
        guest->crowd->sent_bytes += (uint64_t)sent;
        store_take(&guest->out, (size_t)sent);
    }
    guest->wants_room = guest->out.start < guest->out.end;
    if (guest->shut && !guest->is_shut && !guest->wants_room) {
        guest->is_shut = true;
        shutdown(guest->fd, SHUT_WR);
    }
}

void guest_spoiled(struct guest *guest, int64_t patience_ns, bool must_end)
{
    guest->state = GUEST_SPOILED;
    guest->must_end = must_end;
    guest->due_ns = guest->crowd->now_ns + patience_ns;
}

static void guest_leave(struct guest *guest)
{
    guest->state = GUEST_LEAVING;
    guest->due_ns = guest->crowd->now_ns + PATIENCE_NS;
    guest->shut = true;
}

/* Every third ends its side while answers are still to come. */
void guest_answered(struct guest *guest)
{
    struct crowd *crowd = guest->crowd;
    guest->answered++;
    crowd->replies++;
    if (guest->state != GUEST_TALKING || guest->said_goodbye)
        return;
    if (!crowd->quiet && guest->asked < guest->life && guest->kind->ask && !guest->kind->paced)
        guest->kind->ask(guest);
    if (crowd->draining || crowd->healthy_only)
        return;
    bool last = crowd->quiet || (guest->kind->ask && guest->asked >= guest->life);
    if (last &&
        (guest->asked == guest->answered || (guest->kind->window > 0 && guest->serial % 3 == 0)))
        guest_leave(guest);
}

static bool owed_nothing(const struct guest *guest)
{
    return guest->asked == guest->answered && guest->in.start == guest->in.end;
}

static void guest_ended(struct guest *guest, int error)
{
    const char *how = error ? strerror(error) : "the end";
    if (guest->state == GUEST_SPOILED) {
        guest_gone(guest, false);
    } else if (guest->state == GUEST_LEAVING && !guest->crowd->draining) {
        if (!owed_nothing(guest) || error != 0)
            crowd_fault(guest, "%s instead of what was owed", how);
        else
            guest_gone(guest, false);
    } else if (guest->crowd->draining) {
        /* What it asked last may have come too late. But a frame is whole, and so is a file. */
        if (guest->in.start < guest->in.end || guest->left > 0 ||
            (guest->kind->preface == 0x10 && !guest->said_goodbye))
            crowd_fault(guest, "%s amid the drain", how);
        else
            guest_absent(guest, 0);
    } else {
        crowd_fault(guest, "%s", how);
    }
}

static void guest_hear(struct guest *guest, struct bytes run)
{
    bool stored = guest->in.start < guest->in.end;
    if (stored) {
        store_add(&guest->in, run.data, run.len);
        run = (struct bytes){guest->in.data + guest->in.start, guest->in.end - guest->in.start};
    }
    size_t used = 0;
    while (used < run.len && (guest->state == GUEST_TALKING || guest->state == GUEST_LEAVING)) {
        struct bytes rest = {run.data + used, run.len - used};
        size_t count = guest->kind->hear(guest, rest);
        if (count == 0)
            break;
        used += count;
    }
    if (guest->state != GUEST_TALKING && guest->state != GUEST_LEAVING)
        return; /* and `in` may have gone with it */
    if (stored)
        store_take(&guest->in, used);
    else
        store_add(&guest->in, run.data + used, run.len - used);
}

static void guest_read(struct guest *guest)
{
    struct crowd *crowd = guest->crowd;
    ssize_t got = recv(guest->fd, crowd->area, AREA_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        guest_ended(guest, got < 0 ? errno : 0);
        return;
    }
    guest->heard_ns = crowd->now_ns;
    guest->has_heard = true;
    if (guest->state != GUEST_SPOILED && guest->kind->hear)
        guest_hear(guest, (struct bytes){crowd->area, (size_t)got});
}

static void guest_event(struct guest *guest, uint32_t events)
{
    if (guest->fd < 0)
        return;
    if (guest->state == GUEST_CONNECTING) {
        guest_come_in(guest);
        return;
    }
    if (guest->deaf && (events & (EPOLLERR | EPOLLHUP))) {
        guest_ended(guest, 0);
        return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        guest_read(guest);
    guest_flush(guest);
    if (guest->fd >= 0)
        guest_mask(guest);
}

/* ---- Misbehaving ---- */

static void half_a_frame(struct guest *guest)
{
    static const uint8_t half[] = {200, 0, 0, 0, MESSAGE_REQUEST, 0, VERB_ECHO, 0, 1, 0, 0, 0, 'x'};
    guest_put(guest, half, sizeof(half));
    guest_flush(guest);
}

/* Requests until the socket takes no more. */
static void stall(struct guest *guest)
{
    uint8_t head[MESSAGE_HEAD_BYTES];
    struct message request = {.type = MESSAGE_REQUEST, .code = VERB_ECHO};
    message_head_store(head, &request, 60000);
    guest->deaf = guest->stalls = true;
    guest->crowd->stalled++;
    for (size_t sent = 0; sent < STALL_BYTES && !guest->wants_room; sent += 60000) {
        guest_put(guest, head, sizeof(head));
        guest_put(guest, guest->crowd->area, 60000);
        guest_flush(guest);
    }
    /* What does not fit is not wanted any more. */
    store_take(&guest->out, guest->out.end - guest->out.start);
    guest->wants_room = false;
}

static void guest_spoil(struct guest *guest, enum spoil how)
{
    struct crowd *crowd = guest->crowd;
    if (how == SPOIL_STALL && crowd->stalled >= STALLED_MAX)
        how = SPOIL_RESET;
    crowd->spoiled[how]++;
    guest_spoiled(guest, 60 * SECOND_NS, false);
    switch (how) {
    case SPOIL_RESET:
        guest_gone(guest, true);
        return;
    case SPOIL_DROP:
        guest_gone(guest, false);
        return;
    case SPOIL_CUT:
        half_a_frame(guest);
        guest_gone(guest, false);
        return;
    case SPOIL_HALF_FRAME:
        /* Between frames the half is one; amid the bytes of another it is nothing that the server could notice. */
        guest_spoiled(guest, crowd->limits.frame_ns + 60 * SECOND_NS, !guest->wants_room);
        half_a_frame(guest);
        break;
    case SPOIL_STALL:
        stall(guest);
        break;
    case SPOIL_HALF_CLOSE:
        shutdown(guest->fd, SHUT_WR);
        guest_gone(guest, false);
        return;
    case SPOIL_KINDS:
        return;
    }
    guest_mask(guest);
}

void crowd_spoil_some(struct crowd *crowd, unsigned count)
{
    for (unsigned tries = 0; tries < 4 * count && count > 0; tries++) {
        struct guest *guest = &crowd->guests[crowd_random(crowd) % crowd->count];
        if (guest->state != GUEST_TALKING || guest->kind->preface != 0x10 || guest->shut)
            continue;
        guest_spoil(guest, (enum spoil)(crowd_random(crowd) % SPOIL_KINDS));
        count--;
    }
}

void crowd_hush(struct crowd *crowd)
{
    crowd->quiet = true;
    for (unsigned i = 0; i < crowd->count; i++) {
        struct guest *guest = &crowd->guests[i];
        if (guest->state == GUEST_SPOILED || guest->state == GUEST_CONNECTING) {
            crowd->aborted_connects += guest->state == GUEST_CONNECTING;
            guest->state = GUEST_SPOILED;
            guest_gone(guest, true);
        } else if (guest->state == GUEST_TALKING && guest->asked == guest->answered) {
            guest_leave(guest);
            guest_flush(guest);
            guest_mask(guest);
        }
    }
}

/* ---- What is due ---- */

static void guest_due(struct guest *guest)
{
    switch (guest->state) {
    case GUEST_ABSENT:
        return;
    case GUEST_CONNECTING:
        crowd_fault(guest, "not connected in a minute");
        return;
    case GUEST_SPOILED:
        if (guest->must_end)
            crowd_fault(guest, "the server has not ended it");
        else
            guest_gone(guest, guest->serial % 2);
        return;
    case GUEST_LEAVING:
    case GUEST_TALKING:
        crowd_fault(guest, "no answer in a minute");
        return;
    }
}

static void guest_pace(struct guest *guest)
{
    if (guest->crowd->quiet || guest->said_goodbye || guest->asked >= guest->life)
        return;
    guest->kind->ask(guest);
    guest_flush(guest);
    guest_mask(guest);
}

static bool guest_may_come(const struct guest *guest)
{
    const struct crowd *crowd = guest->crowd;
    return !crowd->quiet && !crowd->draining && (guest->kind->hear || !crowd->healthy_only);
}

bool crowd_all_talk(const struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++) {
        const struct guest *guest = &crowd->guests[i];
        if (guest->kind->hear && (guest->state != GUEST_TALKING || !guest->has_heard))
            return false;
    }
    return true;
}

static void crowd_tick(struct crowd *crowd)
{
    unsigned opens = 0;
    for (unsigned i = 0; i < crowd->count; i++) {
        struct guest *guest = &crowd->guests[i];
        int64_t due_ns = guest->due_ns;
        if (guest->state == GUEST_TALKING && guest->asked != guest->answered)
            due_ns = guest->heard_ns + PATIENCE_NS;
        else if (guest->state == GUEST_TALKING && guest->kind->paced)
            guest_pace(guest);
        if (due_ns > crowd->now_ns)
            continue;
        if (guest->state != GUEST_ABSENT) {
            guest_due(guest);
        } else if (guest_may_come(guest) && opens < OPENS_PER_TICK) {
            guest_come(guest);
            opens++;
        }
    }
}

void crowd_turn(struct crowd *crowd)
{
    static struct epoll_event events[EVENTS_MAX];
    static int64_t ticked_ns;
    int count = epoll_wait(crowd->epoll, events, EVENTS_MAX, 10);
    crowd->now_ns = clock_ns();
    for (int i = 0; i < count; i++)
        guest_event(events[i].data.ptr, events[i].events);
    if (crowd->now_ns - ticked_ns >= TICK_NS) {
        ticked_ns = crowd->now_ns;
        crowd_tick(crowd);
    }
}

/* ---- Opening ---- */

bool crowd_open(struct crowd *crowd, unsigned count, const struct kind *const *kinds)
{
    unsigned made = 0;
    crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
    crowd->guests = calloc(count, sizeof(*crowd->guests));
    crowd->area = calloc(1, AREA_BYTES);
    if (crowd->epoll < 0 || !crowd->guests || !crowd->area)
        return false;
    crowd->now_ns = clock_ns();
    /* The first kind takes what the others leave. */
    for (const struct kind *const *kind = kinds + 1; *kind; kind++) {
        unsigned own = (unsigned)((uint64_t)count * (*kind)->per_mille / 1000);
        own = own < (*kind)->least ? (*kind)->least : own;
        for (unsigned i = 0; i < own && made < count; i++)
            crowd->guests[made++] = (struct guest){.kind = *kind, .index = i};
    }
    for (unsigned i = 0; made < count; i++)
        crowd->guests[made++] = (struct guest){.kind = kinds[0], .index = i};
    for (unsigned i = 0; i < count; i++) {
        crowd->guests[i].crowd = crowd;
        crowd->guests[i].fd = -1;
        crowd->guests[i].due_ns = crowd->now_ns;
    }
    crowd->count = count;
    return true;
}

void crowd_close(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++)
        guest_absent(&crowd->guests[i], 0);
    free(crowd->guests);
    free(crowd->area);
    if (crowd->epoll >= 0)
        close(crowd->epoll);
}
