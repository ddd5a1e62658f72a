/*
 * libuv: a stream with a read callback, replies written over their requests and sent with one write, a write for each push to each
 * subscriber from one counted copy.
 */
#include "message.h"
#include "peer.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct connection {
    uv_tcp_t tcp;
    bool has_begun;
    bool is_paused;                  /* not reading while libuv still sends from the buffer */
    size_t taken, filled;            /* of the buffer; behind taken lies the start of a request */
    struct connection *next, **link; /* of the subscribers */
    char buffer[MESSAGE_BUFFER_BYTES];
};

/* One push and the writes that carry it. */
struct push {
    unsigned holds;
    size_t bytes;
    unsigned char frame[];
};

struct push_write {
    uv_write_t request;
    struct push *push;
};

static struct connection *subscribers;
static uint32_t subscriber_count;

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
    peer_connection_closed();
}

static void connection_close(struct connection *x)
{
    if (uv_is_closing((uv_handle_t *)&x->tcp))
        return;
    if (x->link != NULL) {
        *x->link = x->next;
        if (x->next != NULL)
            x->next->link = x->link;
        subscriber_count--;
    }
    uv_close((uv_handle_t *)&x->tcp, on_closed);
}

void message_subscribe(void *connection)
{
    struct connection *x = connection;
    x->next = subscribers;
    x->link = &subscribers;
    if (subscribers != NULL)
        subscribers->link = &x->next;
    subscribers = x;
    subscriber_count++;
}

static void push_release(struct push *push)
{
    if (--push->holds == 0)
        free(push);
}

static void on_pushed(uv_write_t *request, int status)
{
    struct push_write *w = (struct push_write *)request;
    (void)status; /* a broken connection is told by its read */
    push_release(w->push);
    free(w);
}

uint32_t message_publish(const unsigned char *payload, size_t bytes)
{
    struct push *push = peer_allocate(sizeof *push + MESSAGE_HEAD_BYTES + bytes);
    push->holds = 1;
    push->bytes = MESSAGE_HEAD_BYTES + bytes;
    message_push_store(push->frame, payload, bytes);
    for (struct connection *x = subscribers; x != NULL; x = x->next) {
        struct push_write *w = peer_allocate(sizeof *w);
        uv_buf_t buffer = uv_buf_init((char *)push->frame, (unsigned)push->bytes);
        w->push = push;
        push->holds++;
        if (uv_write(&w->request, (uv_stream_t *)&x->tcp, &buffer, 1, on_pushed) != 0)
            on_pushed(&w->request, -1);
    }
    push_release(push);
    return subscriber_count;
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *x = handle->data;
    (void)suggested;
    *ret_buffer = uv_buf_init(x->buffer + x->filled, (unsigned)(sizeof x->buffer - x->filled));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

/* The replies are out: what is left of the requests goes to the front. */
static void connection_go_on(struct connection *x)
{
    x->filled -= x->taken;
    memmove(x->buffer, x->buffer + x->taken, x->filled);
    x->taken = 0;
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *x = request->handle->data;
    free(request);
    if (status < 0) {
        connection_close(x);
    } else if (x->is_paused && !uv_is_closing((uv_handle_t *)&x->tcp)) {
        x->is_paused = false;
        connection_go_on(x);
        uv_read_start((uv_stream_t *)&x->tcp, on_allocate, on_read);
    }
}

static void connection_write(struct connection *x, size_t bytes)
{
    uv_stream_t *stream = (uv_stream_t *)&x->tcp;
    uv_buf_t buffer = uv_buf_init(x->buffer, (unsigned)bytes);
    uv_write_t *request = peer_allocate(sizeof *request);
    if (uv_write(request, stream, &buffer, 1, on_written) != 0) {
        free(request);
        connection_close(x);
    } else if (uv_stream_get_write_queue_size(stream) > 0) {
        x->is_paused = true;
        uv_read_stop(stream);
    }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *x = stream->data;
    (void)buffer;
    if (count < 0)
        connection_close(x);
    if (count <= 0)
        return;
    x->filled += (size_t)count;
    size_t replies =
        message_answer(x, &x->has_begun, (unsigned char *)x->buffer, x->filled, &x->taken);
    if (replies > 0)
        connection_write(x, replies);
    if (!x->is_paused)
        connection_go_on(x);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status < 0)
        peer_die(uv_strerror(status), 0);
    struct connection *x = peer_allocate(sizeof *x);
    uv_tcp_init(listener->loop, &x->tcp);
    x->tcp.data = x;
    peer_connection_opened();
    if (uv_accept(listener, (uv_stream_t *)&x->tcp) != 0) {
        connection_close(x);
        return;
    }
    uv_tcp_nodelay(&x->tcp, 1);
    uv_read_start((uv_stream_t *)&x->tcp, on_allocate, on_read);
}

int main(void)
{
    struct sockaddr_in address;
    int length = sizeof address;
    uv_tcp_t listener;
    uv_loop_t *loop = uv_default_loop();

    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &listener);
    int status = uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&listener, PEER_BACKLOG, on_connection);
    if (status == 0)
        status = uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length);
    if (status != 0)
        peer_die(uv_strerror(status), 0);
    char remark[64] = "libuv ";
    strncat(remark, uv_version_string(), sizeof remark - strlen(remark) - 1);
    peer_ready(ntohs(address.sin_port), "its own loop", remark);
    return uv_run(loop, UV_RUN_DEFAULT);
}
