/* libevent: a bufferevent per connection whose read callback moves what came in to what goes out. */
#include "peer.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

static void on_read(struct bufferevent *b, void *context)
{
    (void)context;
    evbuffer_add_buffer(bufferevent_get_output(b), bufferevent_get_input(b));
}

static void on_event(struct bufferevent *b, short what, void *context)
{
    (void)context;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        bufferevent_free(b);
        peer_connection_closed();
    }
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *peer, int peer_length, void *context)
{
    int one = 1;
    (void)peer;
    (void)peer_length;
    (void)context;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct bufferevent *b =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    if (b == NULL)
        peer_die("accept: no memory", 0);
    peer_connection_opened();
    bufferevent_set_max_single_read(b, PEER_BUFFER_BYTES);
    bufferevent_set_max_single_write(b, PEER_BUFFER_BYTES);
    bufferevent_setcb(b, on_read, NULL, on_event, NULL);
    bufferevent_enable(b, EV_READ | EV_WRITE);
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct event_base *base = event_base_new();
    if (base == NULL)
        peer_die("event_base_new", 0);
    struct evconnlistener *listener = evconnlistener_new_bind(base, on_connection, NULL,
        LEV_OPT_CLOSE_ON_FREE, PEER_BACKLOG, (struct sockaddr *)&address, sizeof address);
    if (listener == NULL ||
        getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &length) != 0)
        peer_die("listen", errno);
    char remark[64];
    snprintf(remark, sizeof remark, "libevent %s", event_get_version());
    peer_ready(ntohs(address.sin_port), event_base_get_method(base), remark);
    return event_base_dispatch(base);
}
