/* One server follows another on the same sockets, and clients do not notice. */
#include "e2e.h"
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[80];

static int clean(void **state)
{
    int status = e2e_clean(state);
    (void)remove(path);
    (void)rmdir(folder);
    return status;
}

static int prepare(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/cport-takeover-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    return chmod(folder, 0755); /* whom the socket itself keeps out is seen below */
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, prepare, clean)

static unsigned files(void)
{
    unsigned count = 0;
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (const struct dirent *entry; (entry = readdir(list));)
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

/* ---- Clients without a pause ---- */

#define CLIENTS 2u

struct crowd {
    uint16_t tcp_port; /* constant after the start */
    struct sys_thread *threads[CLIENTS];
    atomic_bool enough;
    atomic_uint answered, refused, unanswered;
};

/* From an address of their own, so many connections take no port that another test would listen on. */
static cport_os_handle connect_from_elsewhere(uint16_t tcp_port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(tcp_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
    struct timeval patience = {.tv_sec = NET_PATIENCE_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return CPORT_OS_HANDLE_INVALID;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
        bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0 &&
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return CPORT_OS_HANDLE_INVALID;
}

static bool ask(uint16_t tcp_port, struct crowd *crowd)
{
    static const uint8_t preface = 0x10, ping[] = {8, 0, 0, 0, MESSAGE_PING, 0, 0, 0, 9, 0, 0, 0};
    uint8_t pong[sizeof(ping)] = {0};
    size_t have = 0;
    cport_os_handle fd = connect_from_elsewhere(tcp_port);
    if (fd == CPORT_OS_HANDLE_INVALID) {
        atomic_fetch_add(&crowd->refused, 1);
        return false;
    }
    /* In two pieces: what has sent but its first byte is a client too. */
    bool sent = net_send(fd, &preface, 1) == 1 && net_send(fd, ping, sizeof(ping)) == sizeof(ping);
    for (int64_t n; sent && have < sizeof(pong); have += (size_t)n) {
        n = net_recv(fd, pong + have, sizeof(pong) - have);
        if (n <= 0)
            break;
    }
    bool answered = have == sizeof(pong) && pong[4] == MESSAGE_PONG && pong[8] == 9;
    atomic_fetch_add(answered ? &crowd->answered : &crowd->unanswered, 1);
    net_reset(fd); /* so that no port waits for stragglers: there are many */
    return answered;
}

static void crowd_main(void *arg)
{
    struct crowd *crowd = arg;
    while (!atomic_load(&crowd->enough))
        (void)ask(crowd->tcp_port, crowd);
}

static void crowd_start(struct crowd *crowd, uint16_t tcp_port)
{
    crowd->tcp_port = tcp_port;
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_true(sys_thread_start(crowd_main, crowd, &crowd->threads[i]));
}

static void crowd_join(struct crowd *crowd)
{
    atomic_store(&crowd->enough, true);
    for (unsigned i = 0; i < CLIENTS; i++)
        sys_thread_join(crowd->threads[i]);
}

static void await_answers(struct crowd *crowd, unsigned more)
{
    unsigned least = atomic_load(&crowd->answered) + more;
    while (atomic_load(&crowd->answered) < least && atomic_load(&crowd->refused) == 0 &&
           atomic_load(&crowd->unanswered) == 0)
        continue;
}

/* ---- Tests ---- */

/* From one server to the next, of more workers, of fewer, with one acceptor, on another engine. */
static void no_connection_is_refused(void **state)
{
    (void)state;
    enum { SERVERS = 5 };
    static const char *const options[SERVERS][4] = {{"--workers", "2", "--acceptor", "auto"},
        {"--workers", "3", "--acceptor", "auto"}, {"--workers", "1", "--acceptor", "auto"},
        {"--workers", "2", "--acceptor", "one"}, {"--workers", "2", "--acceptor", "per-worker"}};
    struct e2e_server servers[SERVERS];
    struct crowd crowd = {0};
    for (unsigned i = 0; i < SERVERS; i++) {
        const char *const *o = options[i];
        const char *backend = e2e_backend();
        if (i % 2)
            backend = strcmp(backend, "epoll") == 0 ? "auto" : "epoll";
        E2E_START(&servers[i], "--takeover", path, "--admin", "127.0.0.1:0", "--backend", backend,
            o[0], o[1], o[2], o[3]);
        assert_int_equal(servers[i].tcp_port, servers[0].tcp_port);
        assert_int_equal(servers[i].admin_port, servers[0].admin_port);
        if (i > 0)
            e2e_join(&servers[i - 1]); /* the one before ends by itself, well */
        if (i == 0)
            crowd_start(&crowd, servers[0].tcp_port);
        await_answers(&crowd, 50);
        assert_int_equal(files(), 1);
    }
    crowd_join(&crowd);
    assert_int_equal(atomic_load(&crowd.refused), 0);
    assert_int_equal(atomic_load(&crowd.unanswered), 0);
    e2e_stop(&servers[SERVERS - 1]);
    assert_int_equal(files(), 0);
    assert_false(ask(servers[0].tcp_port, &crowd)); /* no one has kept a socket */
    for (unsigned i = 0; i + 1 < SERVERS; i++)
        assert_non_null(strstr(servers[i].errors, "because=taken_over"));
}

/* Who was there is told to go, as when a server stops; who has sent nothing yet is answered by the server that has it. */
static void connections_end_on_the_old_server(void **state)
{
    (void)state;
    struct e2e_server old, new;
    E2E_START(&old, "--takeover", path, "--drain-timeout", "60s", "--preface-timeout", "60s");
    cport_os_handle talker = e2e_connect(&old, 0x10), silent = e2e_connect(&old, 0),
                    chooser = e2e_connect(&old, 0x10);
    e2e_echo(talker, 1, "hello", 5);
    E2E_START(&new, "--takeover", path);
    e2e_message_expect(talker, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    e2e_expect_end(talker);
    e2e_send(silent, "\x10", 1);
    e2e_echo(silent, 2, "late", 4);
    e2e_message_expect(silent, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    e2e_echo(chooser, 3, "later", 5);
    e2e_message_expect(chooser, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
    net_close(talker);
    net_close(silent);
    net_close(chooser);
    e2e_join(&old);
    e2e_stop(&new);
}

static int end_of(const char *const *options, char *errors, size_t size)
{
    char line[256];
    struct child *child = e2e_child(options);
    while (child_line(child, line, sizeof(line)))
        continue;
    return e2e_wait(child, errors, size);
}

static void expect_served(const struct e2e_server *server)
{
    struct crowd crowd = {0};
    for (int i = 0; i < 10; i++)
        assert_true(ask(server->tcp_port, &crowd));
}

static void one_that_cannot_serve_changes_nothing(void **state)
{
    (void)state;
    struct e2e_server old, new;
    char errors[8192];
    E2E_START(&old, "--takeover", path);
    assert_int_equal(
        end_of((const char *const[]){"--listen", "127.0.0.2:0", "--takeover", path, NULL}, errors,
            sizeof(errors)),
        1);
    assert_non_null(strstr(errors, "listens elsewhere than on 127.0.0.2:0"));
    assert_int_equal(end_of((const char *const[]){"--listen", "127.0.0.1:0", "--takeover", path,
                                "--backend", "iocp", NULL},
                         errors, sizeof(errors)),
        1);
    assert_non_null(strstr(errors, "cannot open a port"));
    expect_served(&old);
    E2E_START(&new, "--takeover", path);
    e2e_join(&old);
    expect_served(&new);
    e2e_stop(&new);
    assert_non_null(strstr(old.errors, "event=takeover_failed why=it did not get ready"));
}

static int connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 60};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -1;
    return fd;
}

static void expect_stream_end(int fd)
{
    char text[64];
    ssize_t len = recv(fd, text, sizeof(text), 0);
    assert_true(len == 0 || (len < 0 && errno == ECONNRESET));
    close(fd);
}

/* Messages from old to new; the descriptors that come along are dropped by the system. */
static void expect_word(int fd, const char *word)
{
    char text[64];
    ssize_t len = recv(fd, text, sizeof(text), 0);
    assert_int_equal(len, strlen(word));
    assert_memory_equal(text, word, strlen(word));
}

static void say(int fd, const char *word)
{
    assert_int_equal(send(fd, word, strlen(word), MSG_NOSIGNAL), strlen(word));
}

static void garbage_changes_nothing(void **state)
{
    (void)state;
    static const char *const rubbish[] = {"x", "ready", "cport-takeover 2", "cport-takeover 1\n",
        "cport-takeover 1 and a great deal more than a message may have"};
    struct e2e_server server;
    E2E_START(&server, "--takeover", path, "--workers", "2");
    for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
        int fd = connect_unix();
        say(fd, rubbish[i]);
        expect_stream_end(fd);
    }
    close(connect_unix()); /* goes without a word */

    int fd = connect_unix(); /* goes with the sockets */
    say(fd, "cport-takeover 1");
    expect_word(fd, "socket");
    expect_word(fd, "socket");
    expect_word(fd, "all");
    close(fd);

    fd = connect_unix(); /* says something else than that it is ready */
    say(fd, "cport-takeover 1");
    expect_word(fd, "socket");
    expect_word(fd, "socket");
    expect_word(fd, "all");
    say(fd, "steady");
    expect_stream_end(fd);
    expect_served(&server);
    e2e_stop(&server);
    assert_int_equal(files(), 0);
}

static void others_get_nothing(void **state)
{
    (void)state;
    struct e2e_server server;
    struct stat file;
    E2E_START(&server, "--takeover", path);
    assert_int_equal(lstat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    /* Only root can become somebody else; with the file open to all, the server itself has to look. */
    if (geteuid() == 0) {
        assert_int_equal(chmod(path, 0666), 0);
        pid_t pid = fork();
        if (pid == 0) {
            char text[64];
            int fd = setresuid(65534, 65534, 65534) == 0 ? connect_unix() : -1;
            if (fd < 0)
                _exit(2);
            (void)send(fd, "cport-takeover 1", 16, MSG_NOSIGNAL);
            _exit(recv(fd, text, sizeof(text), 0) > 0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    e2e_stop(&server);
    if (geteuid() == 0)
        assert_non_null(strstr(server.errors, "why=another user"));
}

/* What is left of a server that was killed is replaced, and what is no socket is not. */
static void names_that_are_taken(void **state)
{
    (void)state;
    struct e2e_server server;
    char errors[8192];
    E2E_START(&server, "--takeover", path);
    child_kill(server.child);
    (void)e2e_wait(server.child, errors, sizeof(errors));
    assert_int_equal(files(), 1);
    E2E_START(&server, "--takeover", path);
    e2e_stop(&server);
    assert_int_equal(files(), 0);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(
        end_of((const char *const[]){"--listen", "127.0.0.1:0", "--takeover", path, NULL}, errors,
            sizeof(errors)),
        1);
    assert_non_null(strstr(errors, path));
    assert_int_equal(files(), 1);
}

static void expect_state(int fd, const char *state, size_t len)
{
    char text[256] = "";
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    text[len] = '\0';
    assert_string_equal(text, state);
}

static void the_service_manager_is_told(void **state)
{
    (void)state;
    struct e2e_server old, new;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    struct timeval patience = {.tv_sec = 60};
    char name[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    snprintf(name, sizeof(name), "@%.*s", (int)(len - sizeof(address.sun_family) - 1),
        address.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    E2E_START(&old, "--takeover", path);
    expect_state(fd, "READY=1", 256 - 1);
    E2E_START(&new, "--takeover", path);
    expect_state(fd, "MAINPID=", 8);
    expect_state(fd, "READY=1", 256 - 1);
    e2e_join(&old); /* it does not say that the service stops */
    e2e_stop(&new);
    unsetenv("NOTIFY_SOCKET");
    expect_state(fd, "STOPPING=1", 256 - 1);
    close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(no_connection_is_refused),
        TEST(connections_end_on_the_old_server),
        TEST(one_that_cannot_serve_changes_nothing),
        TEST(garbage_changes_nothing),
        TEST(others_get_nothing),
        TEST(names_that_are_taken),
        TEST(the_service_manager_is_told),
    };
    return e2e_run("takeover", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
