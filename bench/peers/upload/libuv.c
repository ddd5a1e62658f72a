/*
 * libuv: a read callback that stops reading while uv_fs_write, which its threads do, writes what came.
 */
#include "peer.h"
#include "upload.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct connection {
    uv_tcp_t tcp;
    uv_fs_t work;
    uv_write_t reply;
    int file;
    uint64_t left, at; /* of the upload */
    size_t head_bytes;
    size_t received; /* of the buffer, while it is written */
    unsigned char head[UPLOAD_HEAD_BYTES];
    char buffer[UPLOAD_PIECE_BYTES];
};

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *x = handle->data;
    (void)suggested;
    if (x->left == 0)
        *ret_buffer = uv_buf_init(
            (char *)x->head + x->head_bytes, (unsigned)(UPLOAD_HEAD_BYTES - x->head_bytes));
    else
        *ret_buffer = uv_buf_init(
            x->buffer, x->left < sizeof x->buffer ? (unsigned)x->left : (unsigned)sizeof x->buffer);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
    peer_connection_closed();
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void connection_read(struct connection *x)
{
    uv_read_start((uv_stream_t *)&x->tcp, on_allocate, on_read);
}

static void on_replied(uv_write_t *reply, int status)
{
    (void)reply;
    (void)status; /* a broken connection is told by its read */
}

static void on_durable(uv_fs_t *work)
{
    static char byte[1];
    struct connection *x = work->data;
    uv_buf_t buffer = uv_buf_init(byte, 1);
    uv_fs_t closing;
    if (work->result < 0)
        peer_die("fsync", (int)-work->result);
    uv_fs_req_cleanup(work);
    uv_fs_close(x->tcp.loop, &closing, x->file, NULL);
    uv_fs_req_cleanup(&closing);
    uv_write(&x->reply, (uv_stream_t *)&x->tcp, &buffer, 1, on_replied);
    connection_read(x);
}

static void on_written(uv_fs_t *work)
{
    struct connection *x = work->data;
    if (work->result != (ssize_t)x->received)
        peer_die("write", work->result < 0 ? (int)-work->result : 0);
    uv_fs_req_cleanup(work);
    x->at += x->received;
    x->left -= x->received;
    if (x->left > 0)
        connection_read(x);
    else
        uv_fs_fsync(x->tcp.loop, &x->work, x->file, on_durable);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *x = stream->data;
    (void)buffer;
    if (count < 0) {
        uv_close((uv_handle_t *)&x->tcp, on_closed);
    } else if (count > 0 && x->left > 0) {
        uv_buf_t received = uv_buf_init(x->buffer, (unsigned)count);
        x->received = (size_t)count;
        uv_read_stop(stream);
        uv_fs_write(x->tcp.loop, &x->work, x->file, &received, 1, (int64_t)x->at, on_written);
    } else if (count > 0 && (x->head_bytes += (size_t)count) == UPLOAD_HEAD_BYTES) {
        x->head_bytes = 0;
        x->at = 0;
        x->file = upload_create(x->head, &x->left);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *x = peer_allocate(sizeof *x);
    if (status < 0 || uv_tcp_init(listener->loop, &x->tcp) != 0 ||
        uv_accept(listener, (uv_stream_t *)&x->tcp) != 0)
        peer_die("accept", 0);
    x->tcp.data = x;
    x->work.data = x;
    uv_tcp_nodelay(&x->tcp, 1);
    peer_connection_opened();
    connection_read(x);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int length = sizeof bound;
    upload_folder(argc, argv);
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_tcp_init(loop, &listener) != 0 ||
        uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, PEER_BACKLOG, on_connection) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&bound, &length) != 0)
        peer_die("listen", 0);
    peer_ready(
        ntohs(((struct sockaddr_in *)&bound)->sin_port), "its own loop", uv_version_string());
    return uv_run(loop, UV_RUN_DEFAULT);
}
