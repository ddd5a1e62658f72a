/*
 * A web server for the test of an example: 127.0.0.1, a thread per connection, connections kept alive.
 *
 *     GET /bytes/N       N bytes
 *     GET /together/N    4 bytes, when N such requests wait at the same time
 *     GET anything else  404
 *
 * Prints its port, and ends when its input does.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static unsigned long together; /* requests so far that waited for each other */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool answer(int fd, const char *status, size_t len)
{
    static const char block[16384];
    char head[160];
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, len);
    bool ok = send_all(fd, head, (size_t)n);
    while (ok && len > 0) {
        size_t some = len < sizeof(block) ? len : sizeof(block);
        ok = send_all(fd, block, some);
        len -= some;
    }
    return ok;
}

static void wait_for_others(unsigned long count)
{
    pthread_mutex_lock(&lock);
    unsigned long round = together++ / count;
    pthread_cond_broadcast(&came);
    while (together < (round + 1) * count)
        pthread_cond_wait(&came, &lock);
    pthread_mutex_unlock(&lock);
}

static bool serve_request(int fd, const char *request)
{
    static const char get_bytes[] = "GET /bytes/", get_together[] = "GET /together/";
    if (strncmp(request, get_bytes, strlen(get_bytes)) == 0)
        return answer(fd, "200 OK", strtoul(request + strlen(get_bytes), NULL, 10));
    if (strncmp(request, get_together, strlen(get_together)) != 0)
        return answer(fd, "404 Not Found", 0);
    unsigned long count = strtoul(request + strlen(get_together), NULL, 10);
    if (count)
        wait_for_others(count);
    return answer(fd, "200 OK", 4);
}

/* One request at a time, as a client without pipelining sends them. */
static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[4096];
    size_t have = 0;
    while (have < sizeof(request) - 1) {
        ssize_t n = recv(fd, request + have, sizeof(request) - 1 - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
        request[have] = '\0';
        if (!strstr(request, "\r\n\r\n"))
            continue;
        if (!serve_request(fd, request))
            break;
        have = 0;
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            die("accept");
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
            die("thread");
        pthread_detach(thread);
    }
    return NULL;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) < 0 ||
        listen(listener, 64) < 0 || getsockname(listener, (struct sockaddr *)&address, &len) < 0)
        die("listen");
    if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) != 0)
        die("thread");
    printf("%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}
