#include "inside.h"

#include "check.h"
#include "log.h"
#include "peer.h"
#include "server.h"

#include <stdio.h>

#define OPTIONS_MAX 32

static void run(void *arg)
{
    struct inside *inside = arg;
    inside->status = server_run(&inside->config, inside->calls, 0, NULL);
    atomic_store(&inside->ended, true);
}

bool inside_prepare(void)
{
    peer_start();
    sys_stop_prepare(); /* the request to stop is for the server's thread, which waits for it */
    return log_open(LOG_ERROR, "");
}

/* One that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle fd;
    char text[64];
    assert_int_equal(cport_address("127.0.0.1", 0, &address, &len), 0);
    assert_int_equal(cport_socket_tcp_listen((struct sockaddr *)&address, len, NULL, &fd), 0);
    assert_int_equal(cport_socket_local(fd, &address, &len), 0);
    assert_int_equal(cport_address_text((struct sockaddr *)&address, len, text, sizeof(text)), 0);
    assert_int_equal(cport_socket_close(fd), 0);
    return (uint16_t)strtoul(strchr(text, ':') + 1, NULL, 10);
}

void inside_start(
    struct inside *inside, uint16_t tcp_port, const struct calls *calls, const char *const *options)
{
    char listen[32], error[CONFIG_ERROR_BYTES];
    char *words[OPTIONS_MAX] = {"inside", "--listen", listen};
    int count = 3;
    for (; *options; options++) {
        assert_true(count < OPTIONS_MAX - 1);
        words[count++] = (char *)(uintptr_t)*options;
    }
    inside->tcp_port = tcp_port ? tcp_port : free_port();
    inside->calls = calls;
    atomic_store(&inside->ended, false);
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", inside->tcp_port);
    if (!config_parse(count, words, &inside->config, error))
        fail_msg("%s", error);
    assert_true(sys_thread_start(run, inside, &inside->thread));
    cport_os_handle fd;
    while ((fd = net_connect(inside->tcp_port)) == CPORT_OS_HANDLE_INVALID)
        assert_false(atomic_load(&inside->ended));
    net_close(fd);
}

void inside_ask_to_stop(struct inside *inside)
{
    assert_false(atomic_load(&inside->ended));
    sys_stop_request();
}

int inside_join(struct inside *inside)
{
    sys_thread_join(inside->thread);
    return inside->status;
}

int inside_stop(struct inside *inside)
{
    inside_ask_to_stop(inside);
    return inside_join(inside);
}
