/* One turn of a sendfile: how much it moves, and whose signals it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../backends/linux/sendfile.h"

#define MIB ((uint64_t)1 << 20)

struct scene {
    struct cport_handle file, socket;
    struct vec vec;
    struct op op;
    int peer;
};

/* A Unix socket has all the room that it is given, and no peer that makes more. */
static struct scene *scene_open(uint64_t file_bytes, uint64_t asked, int room)
{
    struct scene *s = calloc(1, sizeof(*s));
    int ends[2];
    FILE *file = tmpfile();
    assert_non_null(s);
    assert_non_null(file);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    s->file.fd = dup(fileno(file));
    fclose(file);
    assert_int_equal(ftruncate(s->file.fd, (off_t)file_bytes), 0);
    s->socket.fd = ends[0];
    s->peer = ends[1];
    s->vec.passage = (struct passage){.file = &s->file, .left = asked};
    s->op.handle = &s->socket;
    s->op.io.vec = &s->vec;
    s->op.io.len = (size_t)asked;
    return s;
}

static void scene_close(struct scene *s)
{
    close(s->file.fd);
    close(s->socket.fd);
    if (s->peer >= 0)
        close(s->peer);
    free(s);
}

static size_t peer_drains(const struct scene *s)
{
    static char data[65536];
    size_t got = 0;
    ssize_t n;
    while ((n = recv(s->peer, data, sizeof(data), MSG_DONTWAIT)) > 0)
        got += (size_t)n;
    return got;
}

/* However much the socket would take. */
static void a_turn_is_bounded(void **state)
{
    (void)state;
    struct scene *s = scene_open(8 * MIB, 8 * MIB, 64 << 20);
    uint64_t got = 0;
    unsigned turns = 0, longest = 0;
    int r = START_PENDING;
    while (r != START_DONE) {
        size_t before = s->op.transferred;
        r = sendfile_turn(&s->op);
        size_t moved = s->op.transferred - before;
        longest = moved > longest ? (unsigned)moved : longest;
        got += peer_drains(s);
        turns++;
    }
    assert_int_equal(s->op.result, 8 * MIB);
    assert_int_equal(got, 8 * MIB);
    assert_true(longest <= MIB);
    assert_true(turns >= 8);
    scene_close(s);
}

static void a_full_socket_ends_the_turn(void **state)
{
    (void)state;
    struct scene *s = scene_open(MIB, MIB, 32 << 10);
    assert_int_equal(sendfile_turn(&s->op), START_PENDING);
    size_t sent = s->op.transferred;
    assert_true(sent > 0 && sent < MIB);
    assert_int_equal(sendfile_turn(&s->op), START_PENDING);
    assert_int_equal(s->op.transferred, sent);
    assert_int_equal(peer_drains(s), sent);
    scene_close(s);
}

static void a_short_file_is_an_error(void **state)
{
    (void)state;
    struct scene *s = scene_open(1000, 1001, 1 << 20);
    assert_int_equal(sendfile_turn(&s->op), START_DONE);
    assert_int_equal(s->op.result, CPORT_EIO);
    assert_int_equal(s->op.aux, 0);
    assert_int_equal(s->op.transferred, 1000);
    scene_close(s);
}

static bool sigpipe_is_pending(void)
{
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    return sigismember(&pending, SIGPIPE) == 1;
}

/* Its own it takes along; one that was there before stays, and so does the mask. */
static void a_broken_pipe_leaves_signals_alone(void **state)
{
    (void)state;
    sigset_t pipe, before, after;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    for (int theirs = 0; theirs < 2; theirs++) {
        struct scene *s = scene_open(1000, 1000, 1 << 20);
        close(s->peer);
        s->peer = -1;
        assert_int_equal(pthread_sigmask(theirs ? SIG_BLOCK : SIG_UNBLOCK, &pipe, NULL), 0);
        assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
        if (theirs)
            raise(SIGPIPE);
        assert_int_equal(sendfile_turn(&s->op), START_DONE);
        assert_int_equal(s->op.result, CPORT_EPIPE);
        assert_int_equal(sigpipe_is_pending(), theirs);
        assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
        assert_int_equal(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
        scene_close(s);
    }
    int number;
    assert_int_equal(sigwait(&pipe, &number), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_is_bounded),
        cmocka_unit_test(a_full_socket_ends_the_turn),
        cmocka_unit_test(a_short_file_is_an_error),
        cmocka_unit_test(a_broken_pipe_leaves_signals_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
