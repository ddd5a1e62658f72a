/*
 * libuv: uv_fs_read of 256 KiB, which its threads do, and uv_write of what was read; the next read when that is written.
 */
#include "peer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

#define PIECE_BYTES (256u * 1024)

struct connection {
    uv_tcp_t tcp;
    uv_fs_t read;
    uv_write_t write;
    int64_t at; /* of the file */
    bool is_busy;
    char asked;
    char buffer[PIECE_BYTES];
};

static int file = -1;
static int64_t file_bytes;

static void connection_read(struct connection *x);

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
    peer_connection_closed();
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *x = write->data;
    x->is_busy = false;
    if (status < 0 || uv_is_closing((uv_handle_t *)&x->tcp))
        return;
    if (x->at < file_bytes)
        connection_read(x);
}

static void on_file(uv_fs_t *read)
{
    struct connection *x = read->data;
    ssize_t n = read->result;
    uv_fs_req_cleanup(read);
    if (n <= 0)
        peer_die("read", n < 0 ? (int)-n : 0);
    uv_buf_t buffer = uv_buf_init(x->buffer, (unsigned)n);
    x->at += n;
    x->write.data = x;
    uv_write(&x->write, (uv_stream_t *)&x->tcp, &buffer, 1, on_written);
}

static void connection_read(struct connection *x)
{
    uv_buf_t buffer = uv_buf_init(x->buffer, PIECE_BYTES);
    x->is_busy = true;
    x->read.data = x;
    uv_fs_read(x->tcp.loop, &x->read, file, &buffer, 1, x->at, on_file);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct connection *x = handle->data;
    (void)suggested;
    *ret_buffer = uv_buf_init(&x->asked, 1);
}

static void on_asked(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *x = stream->data;
    (void)buffer;
    if (count < 0) {
        if (!x->is_busy && !uv_is_closing((uv_handle_t *)&x->tcp))
            uv_close((uv_handle_t *)&x->tcp, on_closed);
    } else if (count > 0) {
        x->at = 0;
        connection_read(x);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *x = peer_allocate(sizeof *x);
    if (status < 0 || uv_tcp_init(listener->loop, &x->tcp) != 0 ||
        uv_accept(listener, (uv_stream_t *)&x->tcp) != 0)
        peer_die("accept", 0);
    x->tcp.data = x;
    uv_tcp_nodelay(&x->tcp, 1);
    peer_connection_opened();
    uv_read_start((uv_stream_t *)&x->tcp, on_allocate, on_asked);
}

static void file_open(const char *path)
{
    struct stat st;
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) != 0)
        peer_die(path, 0);
    file_bytes = st.st_size;
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int length = sizeof bound;
    if (argc > 2)
        file_open(argv[2]);
    uv_ip4_addr("127.0.0.1", 0, &address);
    if (uv_tcp_init(loop, &listener) != 0 ||
        uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, PEER_BACKLOG, on_connection) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&bound, &length) != 0)
        peer_die("listen", 0);
    peer_ready(ntohs(((struct sockaddr_in *)&bound)->sin_port), "libuv", uv_version_string());
    return uv_run(loop, UV_RUN_DEFAULT);
}
