/* Opening and closing ports, and what they tell of themselves. */
#include "cts.h"

#include <string.h>

/* ---- Options ---- */

typedef struct longer_options {
    cport_port_options opt;
    uint64_t tail[2];
} longer_options;

static int try_open(const cport_port_options *opt)
{
    cport_port *const untouched = (cport_port *)(uintptr_t)0x5A5A;
    cport_port *port = untouched;
    int ret = cport_port_open(opt, &port);
    if (ret == 0)
        CHECK_EQ(cport_port_close(port), 0);
    else
        CHECK(port == untouched);
    return ret;
}

void open_takes_options_of_every_version(void)
{
    longer_options longer = {0};
    cts_options(&longer.opt);
    longer.opt.size = sizeof longer;
    CHECK_EQ(try_open(&longer.opt), 0);
    longer.tail[1] = 1; /* something that this version does not know */
    CHECK_EQ(try_open(&longer.opt), CPORT_EINVAL);
}

void open_refuses_unknown_options(void)
{
    cport_port_options good, bad;
    cts_options(&good);
    CHECK_EQ(cport_port_open(&good, NULL), CPORT_EINVAL);
    bad = good;
    bad.size = 0;
    CHECK_EQ(try_open(&bad), CPORT_EINVAL);
    bad.size = 4;
    CHECK_EQ(try_open(&bad), CPORT_EINVAL);
    bad.size = UINT32_MAX;
    CHECK_EQ(try_open(&bad), CPORT_EINVAL);
    bad = good;
    bad.flags |= 0x80000000u;
    CHECK_EQ(try_open(&bad), CPORT_EINVAL);
    bad = good;
    bad.flags |= 0x4u;
    CHECK_EQ(try_open(&bad), CPORT_EINVAL);
    bad = good;
    bad.file_threads = 1025;
    CHECK_EQ(try_open(&bad), CPORT_EINVAL);
    bad = good;
    bad.backend = 99;
    CHECK_EQ(try_open(&bad), CPORT_EINVAL);
    CHECK_EQ(try_open(&good), 0);
}

void open_without_options_takes_the_defaults(void)
{
    cport_port_info info = {.size = sizeof info};
    cport_port *port = NULL;
    CHECK_EQ(cport_port_open(NULL, &port), 0);
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.flags, 0);
    CHECK_EQ(info.concurrency, cts_processors_allowed());
    CHECK_EQ(info.backend, cts_is(CTS_IOCP) ? CPORT_BACKEND_IOCP : CPORT_BACKEND_EPOLL);
    CHECK((info.caps & CPORT_CAP_SHARED) != 0);
    CHECK_EQ(cport_port_close(port), 0);
}

void an_engine_of_another_system_is_not_supported(void)
{
    cport_port_options opt;
    cts_options(&opt);
    opt.allow_caps = 0;
    opt.backend = cts_is(CTS_IOCP) ? CPORT_BACKEND_EPOLL : CPORT_BACKEND_IOCP;
    CHECK_EQ(try_open(&opt), CPORT_ENOTSUP);
    if (cts_is(CTS_IOCP)) {
        opt.backend = CPORT_BACKEND_IO_URING;
        CHECK_EQ(try_open(&opt), CPORT_ENOTSUP);
    }
}

/* ---- The choice ---- */

static cport_port *open_auto(uint32_t flags, cport_port_info *ret_info)
{
    cport_port_options opt;
    cts_options(&opt);
    opt.backend = CPORT_BACKEND_AUTO;
    opt.flags = flags;
    opt.allow_caps = 0;
    cport_port *port = cts_port_open_with(&opt);
    *ret_info = (cport_port_info){.size = sizeof *ret_info};
    CHECK_EQ(cport_port_get_info(port, ret_info), 0);
    CHECK(ret_info->reason[0] != '\0');
    return port;
}

void auto_says_what_it_took_and_why(void)
{
    cport_port_info info;
    cts_port_close(open_auto(CPORT_PORT_SINGLE, &info));
    CHECK(info.backend != CPORT_BACKEND_AUTO);
    if (cts_is(CTS_URING))
        CHECK_EQ(info.backend,
            CPORT_BACKEND_IO_URING); /* it can be opened here, or this configuration fails */
    CHECK(strstr(cts_log_last(), info.backend_name) != NULL);
    cts_port_close(open_auto(0, &info));
    CHECK_EQ(info.backend, cts_is(CTS_IOCP) ? CPORT_BACKEND_IOCP : CPORT_BACKEND_EPOLL);
}

void the_environment_steers_auto_alone(void)
{
    static const char *const names[] = {"io_uring", "epoll", "iocp"};
    cport_port_info info;
    cts_setenv("CPORT_BACKEND", names[cts_config_now()->backend - CPORT_BACKEND_IO_URING]);
    cts_port_close(open_auto(cts_config_now()->flags, &info));
    CHECK_EQ(info.backend, cts_config_now()->backend);
    CHECK(strstr(info.reason, "CPORT_BACKEND") != NULL);

    /* An explicit choice does not look at it, not even at nonsense. */
    cts_setenv("CPORT_BACKEND", "epoll");
    cport_port *port = cts_port_open();
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.backend, cts_config_now()->backend);
    cts_port_close(port);
    cts_setenv("CPORT_BACKEND", "no such engine");
    port = cts_port_open();
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.backend, cts_config_now()->backend);
    cts_port_close(port);
}

/* ---- Info and stats ---- */

void info_tells_what_was_opened(void)
{
    const uint64_t always = CPORT_CAP_MULTISHOT_ACCEPT | CPORT_CAP_MULTISHOT_RECV |
                            CPORT_CAP_BUFFER_RINGS | CPORT_CAP_FILES | CPORT_CAP_SENDFILE;
    const cts_config *config = cts_config_now();
    cport_port_info info = {.size = sizeof info};
    cts_pair pair;
    cport_port *port = cts_port_open();
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.size, sizeof info);
    CHECK_EQ(info.backend, config->backend);
    CHECK_EQ(info.flags, config->flags);
    CHECK_EQ(info.handles, 0);
    CHECK(info.reason[0] != '\0');
    if (cts_is(CTS_SHARED))
        CHECK_EQ(info.concurrency, config->concurrency);
    CHECK_EQ((info.caps & CPORT_CAP_SHARED) != 0, cts_is(CTS_SHARED));
    CHECK_EQ((info.caps | info.native) & CPORT_CAP_NONE, 0);
    CHECK_EQ(info.native & ~info.caps, 0);
    if (config->allow_caps == CPORT_CAP_NONE)
        CHECK_EQ(info.native, 0);
    else if (config->allow_caps != 0)
        CHECK_EQ(info.native & ~config->allow_caps, 0);
    if (cts_is(CTS_EPOLL))
        CHECK_EQ(
            info.native & (CPORT_CAP_MULTISHOT_ACCEPT | CPORT_CAP_FILES), 0); /* readiness is all */
    CHECK_EQ(info.caps & always, always);
    cts_pair_open_both(port, &pair);
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.handles, 2);
    cts_pair_close(&pair);
    CHECK_EQ(cport_port_get_info(port, &info), 0);
    CHECK_EQ(info.handles, 0);
    cts_port_close(port);
}

/* A caller that was built against another version has smaller or larger structs. */
void info_and_stats_fill_structs_of_every_version(void)
{
    struct {
        cport_port_info info;
        uint64_t tail[2];
    } info = {.tail = {1, 1}};
    struct {
        cport_port_stats stats;
        uint64_t tail[2];
    } stats = {.tail = {1, 1}};
    cport_port *port = cts_port_open();
    info.info.size = sizeof info;
    CHECK_EQ(cport_port_get_info(port, &info.info), 0);
    CHECK_EQ(info.tail[0] | info.tail[1], 0);
    CHECK_EQ(info.info.backend, cts_config_now()->backend);
    stats.stats.size = sizeof stats;
    CHECK_EQ(cport_port_get_stats(port, &stats.stats), 0);
    CHECK_EQ(stats.tail[0] | stats.tail[1], 0);

    info.info.size = 0;
    CHECK_EQ(cport_port_get_info(port, &info.info), CPORT_EINVAL);
    stats.stats.size = 0;
    CHECK_EQ(cport_port_get_stats(port, &stats.stats), CPORT_EINVAL);
    CHECK_EQ(cport_port_get_info(port, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_port_get_stats(port, NULL), CPORT_EINVAL);
    CHECK_EQ(cport_port_get_info(NULL, &info.info), CPORT_EINVAL);
    CHECK_EQ(cport_port_get_stats(NULL, &stats.stats), CPORT_EINVAL);
    cts_port_close(port);
}

void stats_count_what_happens(void)
{
    char byte;
    cts_pair pair;
    cport_op op = {0}, post = {0};
    cport_port_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cport_port_get_stats(port, &before), 0);
    CHECK_EQ(before.events, 0);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0), 0);
    CHECK_EQ(cts_post(port, &post, 0, 0), 0);
    cts_sock_send_all(pair.peer, "x", 1);
    CHECK_EQ(cts_result(port, &op), 1);
    CHECK_EQ(cts_result(port, &post), 0);
    CHECK_EQ(cts_recv(pair.a, &op, &byte, 1, 0x80000000u), CPORT_EINVAL); /* does not count */
    CHECK_EQ(cport_port_get_stats(port, &after), 0);
    CHECK_EQ(after.events, 2);
    CHECK_EQ(after.posts, 1);
    CHECK_EQ(after.inline_done, 0);
    CHECK(after.system_waits > before.system_waits);
    cts_pair_close(&pair);
    cts_port_close(port);
}

/* ---- Closing ports ---- */

void a_port_with_handles_or_pools_stays_open(void)
{
    cts_pair pair;
    cport_bufs *pool;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    CHECK_EQ(cts_port_close_try(port), CPORT_EBUSY);
    cts_pair_close(&pair);
    CHECK_EQ(cts_bufs_open(port, 64, 4, &pool), 0);
    CHECK_EQ(cts_port_close_try(port), CPORT_EBUSY);
    cts_bufs_close(pool);
    cts_port_close(port);
    CHECK_EQ(cport_port_close(NULL), CPORT_EINVAL);
}

void closing_a_port_gives_timers_and_posts_back(void)
{
    enum { COUNT = 100 };
    cport_op timers[COUNT] = {0}, posts[COUNT] = {0};
    cport_port *port = cts_port_open();
    int64_t now = cport_now_ns(port);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(cts_timer(port, &timers[i], now + i * 50 * CTS_MS, i % 2 ? CTS_MS : 0), 0);
        CHECK_EQ(cts_post(port, &posts[i], 0, i), 0);
    }
    CHECK_EQ(cts_port_close_try(port), 0);
    /* The ops are as good as new. */
    port = cts_port_open();
    for (int i = 0; i < COUNT; i++) {
        cport_op_init(&timers[i], NULL);
        cport_op_init(&posts[i], NULL);
        CHECK_EQ(cts_post(port, &timers[i], 0, i), 0);
        CHECK_EQ(cts_timer(port, &posts[i], cport_now_ns(port), 0), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(cts_result(port, &timers[i]), i);
        CHECK_EQ(cts_result(port, &posts[i]), 0);
    }
    cts_port_close(port);
}

void opening_and_closing_leaves_nothing_behind(void)
{
    for (int i = 0; i < 200; i++) {
        cport_port *port = cts_port_open();
        cts_port_close(port);
        CHECK_EQ(cts_alloc_live(), 0);
    }
}

void two_ports_live_side_by_side(void)
{
    cport_op ops[2] = {0};
    cts_pair pairs[2];
    cport_port *ports[2] = {cts_port_open(), cts_port_open()};
    char bytes[2] = {0};
    for (int i = 0; i < 2; i++) {
        cts_pair_open(ports[i], &pairs[i]);
        CHECK_EQ(cts_recv(pairs[i].a, &ops[i], &bytes[i], 1, 0), 0);
        cts_sock_send_all(pairs[i].peer, i == 0 ? "a" : "b", 1);
    }
    for (int i = 1; i >= 0; i--)
        CHECK_EQ(cts_result(ports[i], &ops[i]), 1);
    CHECK_EQ(bytes[0], 'a');
    CHECK_EQ(bytes[1], 'b');
    for (int i = 0; i < 2; i++) {
        cts_pair_close(&pairs[i]);
        cts_port_close(ports[i]);
    }
}

/* ---- Texts ---- */

void every_code_has_a_name_and_a_sentence(void)
{
    for (int code = CPORT_EINVAL; code >= CPORT_ENOSPC; code--) {
        const char *name = cport_error_name(code);
        CHECK(strncmp(name, "CPORT_E", 7) == 0);
        CHECK(strlen(cport_strerror(code)) > 3);
        for (int other = CPORT_EINVAL; other > code; other--)
            CHECK(strcmp(name, cport_error_name(other)) != 0);
    }
    CHECK(strcmp(cport_error_name(CPORT_ECANCELED), "CPORT_ECANCELED") == 0);
    CHECK(strcmp(cport_error_name(CPORT_ENOSPC), "CPORT_ENOSPC") == 0);
    static const int strangers[] = {0, 1, -1, -1000, CPORT_ENOSPC - 1, -2147483647 - 1, 2147483647};
    for (size_t i = 0; i < CTS_COUNT_OF(strangers); i++) {
        CHECK(cport_error_name(strangers[i])[0] != '\0');
        CHECK(cport_strerror(strangers[i])[0] != '\0');
    }
    CHECK(strcmp(cport_version(), "0.1.0") == 0);
}
