/*
 * crowd: thousands of connections to one server, driven by one thread with epoll and plain system calls. Nothing of libcport is in
 * it, so that the two ends cannot share a mistake.
 *
 * A kind says what its connections talk about, and checks every byte that it hears. A healthy connection may never be disappointed:
 * crowd_fault counts what was. A spoiled one has misbehaved, or is about to, and whatever the server does to it is right.
 *
 * Ownership: connections are the crowd's, and stay where they are; each lives again and again, under a new serial number.
 * Threading: one thread.
 */
#ifndef CPORT_TESTS_SOAK_CROWD_H
#define CPORT_TESTS_SOAK_CROWD_H

#include "frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND_NS INT64_C(1000000000)
#define NEVER_NS  INT64_MAX

struct guest;
struct crowd;

struct kind {
    const char *name;
    uint8_t preface;    /* the first byte it sends; 0: none */
    unsigned per_mille; /* of the crowd */
    unsigned least;     /* but at least so many */
    bool small_window;  /* its system takes little that it does not read */
    bool paced;         /* asks ten times a second, not when it is answered */
    unsigned window;    /* requests under way at a time; 0: it has more to say after each */
    unsigned life_min,
        life; /* requests until it leaves by itself: that many, and up to as many more */
    /* Connected, and the preface is said. */
    void (*greet)(struct guest *guest);
    /* One more request; NULL: it asks nothing of its own accord. */
    void (*ask)(struct guest *guest);
    /* What came in, from the front; the bytes that were used, 0: not enough for anything. NULL: it does not look. */
    size_t (*hear)(struct guest *guest, struct bytes run);
};

enum guest_state {
    GUEST_ABSENT,     /* it comes at due_ns */
    GUEST_CONNECTING, /* the system is at it */
    GUEST_TALKING,    /* healthy */
    GUEST_LEAVING,    /* healthy: it has shut its side, and wants what it is owed and a clean end */
    GUEST_SPOILED     /* until the server ends it, or it does so itself at due_ns */
};

/* Bytes that wait: for the rest of their frame, or for room in the socket. */
struct store {
    uint8_t *data;
    size_t start, end, room;
};

struct guest {
    struct crowd *crowd; /* constant, as are the next two */
    const struct kind *kind;
    unsigned index; /* among its kind */
    int fd;         /* -1: none */
    uint32_t serial;
    enum guest_state state;
    bool deaf;       /* reads nothing */
    bool stalls;     /* one of those that hold memory of the system's */
    bool wants_room; /* waits for the socket to take more */
    bool shut;       /* ends its side when all is sent */
    bool is_shut;
    bool has_heard;
    bool said_goodbye; /* the server has */
    bool must_end;     /* spoiled in a way that the server has to notice by due_ns */
    uint32_t mask;     /* what epoll looks for */
    int64_t due_ns;
    int64_t heard_ns;
    struct store in, out;
    uint32_t asked, answered, life;
    /* the kind's own */
    unsigned stage;
    unsigned topic;
    bool has_push;
    uint32_t push_id, push_epoch, push_number;
    int64_t left; /* of a file on its way; more than 0: the end would be too early */
    size_t at;
    char name[32];
};

enum spoil {
    SPOIL_RESET,      /* a reset, with requests under way */
    SPOIL_DROP,       /* a close, with replies unread */
    SPOIL_CUT,        /* a close amid a frame */
    SPOIL_HALF_FRAME, /* half a frame, and nothing more */
    SPOIL_STALL,      /* asks on and on, and reads no more */
    SPOIL_HALF_CLOSE, /* ends its side, then goes without looking */
    SPOIL_KINDS
};

struct crowd_limits {
    int64_t preface_ns, frame_ns; /* the server's, to know when it should have noticed */
};

struct crowd {
    int epoll;
    uint16_t tcp_port;
    uint64_t random;
    int64_t now_ns;
    struct crowd_limits limits;
    const char *root; /* the folder that the server serves */
    struct guest *guests;
    unsigned count, open;
    unsigned stalled;
    uint32_t serials;
    bool quiet;        /* nobody asks or comes any more; who has his answers leaves */
    bool healthy_only; /* nobody else comes, and nobody leaves */
    bool draining;     /* the server has been told to stop: nobody comes */
    uint8_t *area;     /* for one receive */

    uint64_t connects, replies, pushes, uploads, downloads, lines, spoiled[SPOIL_KINDS];
    uint64_t told[4];          /* spoiled from the start: see chaos.c */
    uint64_t aborted_connects; /* of which the server may know, or not */
    uint64_t sent_bytes;
    unsigned faults;
};

/* ---- The crowd ---- */

bool crowd_open(struct crowd *crowd, unsigned count, const struct kind *const *kinds);
void crowd_close(struct crowd *crowd);
/* Waits for something to happen, some milliseconds at most, and does what is due. */
void crowd_turn(struct crowd *crowd);
void crowd_spoil_some(struct crowd *crowd, unsigned count);
bool crowd_all_talk(const struct crowd *crowd); /* every healthy one, and has heard something */
void crowd_hush(struct crowd *crowd); /* spoiled ones are reset, healthy ones told to leave */
uint64_t crowd_random(struct crowd *crowd);
int64_t clock_ns(void);

/* ---- For kinds ---- */

/* Something was lost, reordered or made up: told, counted, and the connection ends. */
void crowd_fault(struct guest *guest, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void guest_put(struct guest *guest, const void *data, size_t len);
void guest_flush(struct guest *guest);
void guest_spoiled(struct guest *guest, int64_t patience_ns, bool must_end);
void guest_gone(struct guest *guest, bool reset); /* at once; it comes again */
/* The next answer is there: asks on, or leaves. */
void guest_answered(struct guest *guest);

/* ---- Bytes that both ends can work out ---- */

size_t words_len(uint32_t serial, uint32_t number);
void words_fill(uint8_t *data, size_t len, uint32_t serial, uint32_t number);
bool words_are(const uint8_t *data, size_t len, uint32_t serial, uint32_t number);
#define WORDS_MAX ((size_t)64 << 10)

#endif
