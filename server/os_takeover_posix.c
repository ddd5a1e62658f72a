#include "takeover.h"

#include "log.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_BYTES 32u
#define HELLO         "cport-takeover 1"

/* For a message that its sender has no reason to think about, and for a server that opens its ports and files. */
#define PROMPT_MS     10000
#define READY_MS      120000

/* ---- Messages, one packet each ---- */

static bool message_send(int stream, const char *text, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    }
    ssize_t sent;
    do
        sent = sendmsg(stream, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)part.iov_len;
}

/* What came with it: at most one descriptor, since there is room for no more and the system drops the others. */
static int descriptor_of(struct msghdr *message)
{
    int fd = -1;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
            head->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&fd, CMSG_DATA(head), sizeof(fd));
    }
    return fd;
}

/* False: the end, an error, too late, or `stop` (-1: none) became readable. ret_fd NULL: descriptors are dropped unseen. */
static bool message_recv(
    int stream, int stop, int patience_ms, char text[MESSAGE_BYTES], int *ret_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = text, .iov_len = MESSAGE_BYTES - 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct pollfd either[] = {{.fd = stream, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
    if (poll(either, 2, patience_ms) <= 0 || either[1].revents)
        return false;
    if (ret_fd) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
    }
    ssize_t len = recvmsg(stream, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (ret_fd)
        *ret_fd = len >= 0 ? descriptor_of(&message) : -1;
    if (len <= 0 || (message.msg_flags & MSG_TRUNC))
        return false;
    text[len] = '\0';
    return true;
}

/* Reads one message, which must be that. */
static bool message_expect(int stream, int stop, int patience_ms, const char *expected)
{
    char text[MESSAGE_BYTES];
    return message_recv(stream, stop, patience_ms, text, NULL) && strcmp(text, expected) == 0;
}

/* Of the process at the other end. Returns its number; 0: it is somebody else's. */
static pid_t peer_of_ours(int stream)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(stream, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.uid != geteuid())
        return 0;
    return peer.pid;
}

static bool address_of(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(ret_address->sun_path))
        return false;
    memcpy(ret_address->sun_path, path, strlen(path) + 1);
    return true;
}

static bool failed(char error[TAKEOVER_ERROR_BYTES], const char *what)
{
    snprintf(error, TAKEOVER_ERROR_BYTES, "%s: %s", what, strerror(errno));
    return false;
}

static bool refused(char error[TAKEOVER_ERROR_BYTES], const char *what)
{
    snprintf(error, TAKEOVER_ERROR_BYTES, "%s", what);
    return false;
}

/* ---- The new server ---- */

static bool heritage_add(struct heritage *heritage, int fd)
{
    cport_os_handle *more = heritage->count < TAKEOVER_SOCKETS_MAX
                                ? realloc(heritage->clients, (heritage->count + 1) * sizeof(*more))
                                : NULL;
    if (!more)
        return false;
    heritage->clients = more;
    heritage->clients[heritage->count++] = fd;
    return true;
}

static bool heritage_recv(struct heritage *heritage)
{
    for (;;) {
        char text[MESSAGE_BYTES];
        int fd;
        bool good = message_recv(heritage->stream, -1, PROMPT_MS, text, &fd);
        if (good && fd >= 0 && strcmp(text, "socket") == 0) {
            good = heritage_add(heritage, fd);
            fd = good ? -1 : fd;
        } else if (good && fd >= 0 && strcmp(text, "admin") == 0 && heritage->admin < 0) {
            heritage->admin = fd;
            fd = -1;
        } else if (good && fd < 0 && strcmp(text, "all") == 0) {
            return heritage->count > 0;
        } else {
            good = false;
        }
        if (fd >= 0)
            close(fd);
        if (!good)
            return false;
    }
}

bool heritage_ask(const char *path, struct heritage *ret_heritage, char error[TAKEOVER_ERROR_BYTES])
{
    struct heritage *heritage = ret_heritage;
    struct sockaddr_un address;
    *heritage = (struct heritage){.stream = -1, .admin = CPORT_OS_HANDLE_INVALID};
    if (!address_of(path, &address))
        return refused(error, "the name is too long for a socket");
    int stream = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (stream < 0)
        return failed(error, "no socket");
    if (connect(stream, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int why = errno;
        close(stream);
        errno = why;
        return why == ENOENT || why == ECONNREFUSED || failed(error, path);
    }
    heritage->stream = stream;
    if (peer_of_ours(stream) == 0)
        refused(error, "a process of another user listens there");
    else if (!message_send(stream, HELLO, -1) || !heritage_recv(heritage))
        refused(error, "the server that listens there does not hand over its sockets");
    else
        return true;
    heritage_close(heritage);
    return false;
}

bool heritage_claim(struct heritage *heritage, char error[TAKEOVER_ERROR_BYTES])
{
    char text[MESSAGE_BYTES];
    if (!message_send(heritage->stream, "ready", -1) ||
        !message_expect(heritage->stream, -1, PROMPT_MS, "yours"))
        return refused(error, "the running server keeps its sockets");
    /* The end of the stream, however it comes: who has said "yours" stops. */
    (void)message_recv(heritage->stream, -1, READY_MS, text, NULL);
    return true;
}

void heritage_close(struct heritage *heritage)
{
    if (heritage->stream >= 0)
        close(heritage->stream);
    for (unsigned i = 0; i < heritage->count; i++) {
        if (heritage->clients[i] >= 0)
            close(heritage->clients[i]);
    }
    free(heritage->clients);
    if (heritage->admin >= 0)
        close(heritage->admin);
    *heritage = (struct heritage){.stream = -1, .admin = CPORT_OS_HANDLE_INVALID};
}

/* ---- The running server ---- */

struct takeover {
    struct sys_thread *thread;
    struct sockaddr_un address;
    struct stat identity; /* of the file there: another server may have put its own in the place */
    int listener;
    int stop;         /* an eventfd */
    int successor;    /* -1, or who has been told "yours"; the thread's until it has been joined */
    atomic_bool held; /* the successor waits */
    cport_os_handle admin;
    unsigned count;
    cport_os_handle clients[];
};

static bool sockets_send(const struct takeover *takeover, int stream)
{
    for (unsigned i = 0; i < takeover->count; i++) {
        if (!message_send(stream, "socket", takeover->clients[i]))
            return false;
    }
    return (takeover->admin < 0 || message_send(stream, "admin", takeover->admin)) &&
           message_send(stream, "all", -1);
}

static void tell_manager(pid_t pid)
{
    char state[64];
    snprintf(state, sizeof(state), "MAINPID=%ld", (long)pid);
    sys_notify(state);
}

/* NULL: the peer takes over. */
static const char *serve(struct takeover *takeover, int stream)
{
    struct timeval patience = {.tv_sec = PROMPT_MS / 1000};
    pid_t pid = peer_of_ours(stream);
    if (pid == 0)
        return "another user";
    if (setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        !message_expect(stream, takeover->stop, PROMPT_MS, HELLO))
        return "no word, or not the right one";
    log_line(LOG_INFO, "takeover", "pid=%ld sockets=%u", (long)pid, takeover->count);
    if (!sockets_send(takeover, stream))
        return "it does not take the sockets";
    if (!message_expect(stream, takeover->stop, READY_MS, "ready"))
        return "it did not get ready";
    /* First the manager: what the new server says to it counts only then. */
    tell_manager(pid);
    if (!message_send(stream, "yours", -1)) {
        tell_manager(getpid());
        return "it has gone";
    }
    return NULL;
}

static void thread_main(void *arg)
{
    struct takeover *takeover = arg;
    for (;;) {
        struct pollfd either[] = {
            {.fd = takeover->listener, .events = POLLIN}, {.fd = takeover->stop, .events = POLLIN}};
        if (poll(either, 2, -1) < 0 && errno != EINTR)
            return;
        if (either[1].revents)
            return;
        int stream = accept4(takeover->listener, NULL, NULL, SOCK_CLOEXEC);
        if (stream < 0)
            continue;
        const char *why = serve(takeover, stream);
        if (!why) {
            takeover->successor = stream;
            sys_stop_request();
            return;
        }
        close(stream);
        log_line(LOG_WARN, "takeover_failed", "why=%s", why);
    }
}

/* Nobody but us may connect, from the first moment on: so the mode is the socket's before it has a name, and the name is given
 * to a socket that listens. */
static bool path_listen(struct takeover *takeover, char error[TAKEOVER_ERROR_BYTES])
{
    struct sockaddr_un early = takeover->address;
    const char *path = takeover->address.sun_path;
    struct stat there;
    int len = snprintf(early.sun_path, sizeof(early.sun_path), "%s.%ld", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof(early.sun_path))
        return refused(error, "the name is too long for a socket");
    if (lstat(path, &there) == 0 && !S_ISSOCK(there.st_mode))
        return refused(error, "there is something else of that name");
    takeover->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (takeover->listener < 0 || fchmod(takeover->listener, S_IRUSR | S_IWUSR) != 0)
        return failed(error, "no socket");
    (void)unlink(early.sun_path); /* of a process that had our number */
    if (bind(takeover->listener, (const struct sockaddr *)&early, sizeof(early)) != 0)
        return failed(error, early.sun_path);
    if (listen(takeover->listener, 8) == 0 && lstat(early.sun_path, &takeover->identity) == 0 &&
        rename(early.sun_path, path) == 0)
        return true;
    failed(error, path);
    (void)unlink(early.sun_path);
    return false;
}

static cport_os_handle duplicate(cport_os_handle fd)
{
    return fd < 0 ? CPORT_OS_HANDLE_INVALID : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static bool sockets_keep(struct takeover *takeover, const cport_os_handle *clients, unsigned count,
    cport_os_handle admin)
{
    takeover->admin = duplicate(admin);
    for (; takeover->count < count; takeover->count++) {
        takeover->clients[takeover->count] = duplicate(clients[takeover->count]);
        if (takeover->clients[takeover->count] < 0)
            return false;
    }
    return admin < 0 || takeover->admin >= 0;
}

bool takeover_open(const char *path, const cport_os_handle *clients, unsigned count,
    cport_os_handle admin, struct takeover **ret_takeover, char error[TAKEOVER_ERROR_BYTES])
{
    struct takeover *takeover = calloc(1, sizeof(*takeover) + count * sizeof(takeover->clients[0]));
    if (!takeover)
        return refused(error, "no memory");
    takeover->listener = takeover->successor = -1;
    takeover->stop = eventfd(0, EFD_CLOEXEC);
    if (takeover->stop < 0 || !sockets_keep(takeover, clients, count, admin))
        failed(error, "no descriptors");
    else if (!address_of(path, &takeover->address))
        refused(error, "the name is too long for a socket");
    else if (path_listen(takeover, error)) {
        if (sys_thread_start(thread_main, takeover, &takeover->thread)) {
            *ret_takeover = takeover;
            return true;
        }
        refused(error, "no threads left");
    }
    takeover_close(takeover);
    return false;
}

/* What we have kept of the sockets would go on listening, unheard. */
static void sockets_forget(struct takeover *takeover)
{
    for (; takeover->count > 0; takeover->count--) {
        if (takeover->clients[takeover->count - 1] >= 0)
            close(takeover->clients[takeover->count - 1]);
    }
    if (takeover->admin >= 0)
        close(takeover->admin);
    takeover->admin = CPORT_OS_HANDLE_INVALID;
}

bool takeover_end(struct takeover *takeover)
{
    if (!takeover)
        return false;
    const uint64_t one = 1;
    if (write(takeover->stop, &one, sizeof(one)) != sizeof(one))
        abort(); /* an eventfd takes it: the thread could not be ended otherwise */
    sys_thread_join(takeover->thread);
    takeover->thread = NULL;
    sockets_forget(takeover);
    close(takeover->listener); /* whoever comes now is told so */
    takeover->listener = -1;
    /* relaxed: whoever lets go is told so by a post that comes after this */
    atomic_store_explicit(&takeover->held, takeover->successor >= 0, memory_order_relaxed);
    return takeover->successor >= 0;
}

void takeover_let_go(struct takeover *takeover)
{
    if (takeover && atomic_exchange_explicit(&takeover->held, false, memory_order_relaxed))
        (void)shutdown(takeover->successor, SHUT_RDWR);
}

void takeover_close(struct takeover *takeover)
{
    struct stat there;
    if (!takeover)
        return;
    if (takeover->thread)
        (void)takeover_end(takeover);
    takeover_let_go(takeover);
    sockets_forget(takeover);
    if (takeover->identity.st_ino != 0 && lstat(takeover->address.sun_path, &there) == 0 &&
        there.st_ino == takeover->identity.st_ino && there.st_dev == takeover->identity.st_dev)
        (void)unlink(takeover->address.sun_path);
    if (takeover->successor >= 0)
        close(takeover->successor);
    if (takeover->listener >= 0)
        close(takeover->listener);
    if (takeover->stop >= 0)
        close(takeover->stop);
    free(takeover);
}
