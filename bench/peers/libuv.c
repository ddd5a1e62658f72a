/*
 * libuv: a stream with a read callback, a write request per write. The buffer belongs to the connection, where the guide
 * allocates one per read; reading stops while libuv still needs it.
 *
 * `peer-libuv try` writes with uv_try_write first, the documented way to spare the request when the socket has room.
 * `peer-libuv guide` allocates one per read as the guide does, and frees it when it is written: what a connection without
 * traffic costs.
 * `peer-libuv work` runs each message's handler on the work queue, of eight threads: the documented place for what may block.
 */
#include "handlers.h"
#include "peer.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct connection {
    uv_tcp_t tcp;
    uv_work_t work;
    size_t received; /* while its handler is at work */
    bool is_paused;  /* not reading while libuv still sends from the buffer */
    char buffer[PEER_BUFFER_BYTES];
};

static bool tries_first, queues_work, by_guide;

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *x = handle->data;
    (void)suggested;
    *ret_buffer = uv_buf_init(x->buffer, sizeof x->buffer);
}

struct guide_write {
    uv_write_t request;
    char *bytes;
};

static void on_guide_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle;
    ret_buffer->base = malloc(suggested);
    ret_buffer->len = suggested;
}

static void on_guide_written(uv_write_t *request, int status)
{
    struct guide_write *w = (struct guide_write *)request;
    (void)status; /* a broken connection is told by its read */
    free(w->bytes);
    free(w);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
    peer_connection_closed();
}

static void connection_close(struct connection *x)
{
    if (!uv_is_closing((uv_handle_t *)&x->tcp))
        uv_close((uv_handle_t *)&x->tcp, on_closed);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void on_written(uv_write_t *request, int status)
{
    struct connection *x = request->handle->data;
    free(request);
    if (status < 0) {
        connection_close(x);
    } else if (x->is_paused && !uv_is_closing((uv_handle_t *)&x->tcp)) {
        x->is_paused = false;
        uv_read_start((uv_stream_t *)&x->tcp, on_allocate, on_read);
    }
}

static void connection_write(struct connection *x, char *bytes, size_t count)
{
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)count);
    uv_stream_t *stream = (uv_stream_t *)&x->tcp;
    if (tries_first) {
        int written = uv_try_write(stream, &buffer, 1);
        if (written == (int)count)
            return;
        if (written > 0)
            buffer = uv_buf_init(bytes + written, (unsigned)(count - (size_t)written));
    }
    uv_write_t *request = malloc(sizeof *request);
    if (request == NULL)
        peer_die("no memory", 0);
    if (uv_write(request, stream, &buffer, 1, on_written) != 0) {
        free(request);
        connection_close(x);
        return;
    }
    if (uv_stream_get_write_queue_size(stream) > 0) {
        x->is_paused = true;
        uv_read_stop(stream);
    }
}

static void at_work(uv_work_t *work)
{
    (void)work;
    handlers_run(NULL, NULL);
}

static void on_worked(uv_work_t *work, int status)
{
    struct connection *x = work->data;
    (void)status;
    connection_write(x, x->buffer, x->received);
    if (!x->is_paused && !uv_is_closing((uv_handle_t *)&x->tcp))
        uv_read_start((uv_stream_t *)&x->tcp, on_allocate, on_read);
}

static void connection_queue_work(struct connection *x, size_t count)
{
    x->received = count;
    x->work.data = x;
    uv_read_stop((uv_stream_t *)&x->tcp);
    uv_queue_work(x->tcp.loop, &x->work, at_work, on_worked);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *x = stream->data;
    if (count > 0 && queues_work) {
        connection_queue_work(x, (size_t)count);
        return;
    }
    if (count > 0) {
        handlers_run(NULL, NULL);
        connection_write(x, buffer->base, (size_t)count);
    } else if (count < 0) {
        connection_close(x);
    }
}

static void on_guide_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    if (count <= 0) {
        free(buffer->base);
        if (count < 0)
            connection_close(stream->data);
        return;
    }
    struct guide_write *w = peer_allocate(sizeof *w);
    uv_buf_t bytes = uv_buf_init(buffer->base, (unsigned)count);
    w->bytes = buffer->base;
    if (uv_write(&w->request, stream, &bytes, 1, on_guide_written) != 0)
        on_guide_written(&w->request, -1);
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status < 0)
        peer_die(uv_strerror(status), 0);
    struct connection *x =
        peer_allocate(by_guide ? offsetof(struct connection, buffer) : sizeof *x);
    uv_tcp_init(listener->loop, &x->tcp);
    x->tcp.data = x;
    peer_connection_opened();
    if (uv_accept(listener, (uv_stream_t *)&x->tcp) != 0) {
        connection_close(x);
        return;
    }
    uv_tcp_nodelay(&x->tcp, 1);
    if (by_guide)
        uv_read_start((uv_stream_t *)&x->tcp, on_guide_allocate, on_guide_read);
    else
        uv_read_start((uv_stream_t *)&x->tcp, on_allocate, on_read);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    int length = sizeof address;
    uv_tcp_t listener;
    uv_loop_t *loop = uv_default_loop();

    by_guide = argc > 1 && strcmp(argv[1], "guide") == 0;
    queues_work = argc > 1 && strcmp(argv[1], "work") == 0;
    handlers_choose(argc > 2 ? argv[2] : NULL);
    setenv("UV_THREADPOOL_SIZE", "8", 1);
    tries_first = argc > 1 && strcmp(argv[1], "try") == 0;
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
