/* Handles, connected pairs and listeners. */
#include "cts.h"

#include <stdlib.h>

cport_handle *cts_attach(cport_port *port, cport_os_handle fd, uintptr_t key)
{
    cport_handle *h;
    CHECK_EQ(cts_attach_try(port, fd, key, 0, &h), 0);
    return h;
}

void cts_close_wait(cport_handle *h, uint32_t flags)
{
    cport_op op = {0};
    cport_port *port = cport_handle_port(h);
    CHECK_EQ(cts_close(h, &op, flags), 0);
    CHECK_EQ(cts_result(port, &op), 0);
}

void cts_sock_pair(cport_os_handle *ret_one, cport_os_handle *ret_other)
{
    struct sockaddr_storage address;
    cport_socklen len;
    cport_os_handle listener = cts_sock_listen(1, &address, &len);
    *ret_one = cts_sock_tcp();
    CHECK(cts_sock_connect(*ret_one, (struct sockaddr *)&address, len));
    *ret_other = cts_sock_accept(listener);
    cts_sock_close(listener);
}

void cts_pair_open(cport_port *port, cts_pair *ret_pair)
{
    cport_os_handle mine;
    *ret_pair = (cts_pair){.port = port};
    cts_sock_pair(&mine, &ret_pair->peer);
    ret_pair->a = cts_attach(port, mine, CTS_KEY_A);
}

void cts_pair_open_both(cport_port *port, cts_pair *ret_pair)
{
    cts_pair_open(port, ret_pair);
    ret_pair->b = cts_attach(port, ret_pair->peer, CTS_KEY_B);
    ret_pair->peer = CPORT_OS_HANDLE_INVALID;
}

void cts_pair_close_peer(cts_pair *pair)
{
    CHECK(pair->peer != CPORT_OS_HANDLE_INVALID);
    cts_sock_close(pair->peer);
    pair->peer = CPORT_OS_HANDLE_INVALID;
}

void cts_pair_close(cts_pair *pair)
{
    if (pair->a != NULL)
        cts_close_wait(pair->a, 0);
    if (pair->b != NULL)
        cts_close_wait(pair->b, 0);
    if (pair->peer != CPORT_OS_HANDLE_INVALID)
        cts_sock_close(pair->peer);
    *pair = (cts_pair){.peer = CPORT_OS_HANDLE_INVALID};
}

cport_handle *cts_listen(
    cport_port *port, struct sockaddr_storage *ret_address, cport_socklen *ret_len)
{
    return cts_attach(port, cts_sock_listen(1024, ret_address, ret_len), CTS_KEY_A);
}

size_t cts_fill_socket(cport_os_handle fd)
{
    static const char chunk[65536];
    size_t total = 0;
    cts_sock_nonblocking(fd, true);
    for (int64_t n = 0; n >= 0; total += (size_t)(n > 0 ? n : 0))
        n = cts_sock_send_some(fd, chunk, sizeof chunk);
    cts_sock_nonblocking(fd, false);
    return total;
}

struct cts_reader {
    cts_thread *thread;
    cport_os_handle s;
    char *data;
    size_t len;
    size_t got;
};

static void read_main(void *arg)
{
    cts_reader *r = arg;
    char scrap[65536];
    while (r->got < r->len) {
        size_t room = r->len - r->got;
        char *at = r->data != NULL ? r->data + r->got : scrap;
        if (r->data == NULL && room > sizeof scrap)
            room = sizeof scrap;
        int64_t n = cts_sock_recv(r->s, at, room);
        if (n <= 0)
            return;
        r->got += (size_t)n;
    }
}

cts_reader *cts_read_start(cport_os_handle s, void *data, size_t len)
{
    cts_reader *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    r->s = s;
    r->data = data;
    r->len = len;
    r->thread = cts_thread_start(read_main, r, 0);
    return r;
}

size_t cts_read_join(cts_reader *r)
{
    cts_thread_join(r->thread);
    size_t got = r->got;
    free(r);
    return got;
}
