/* Control and LogOutput, over real connections; and the time that clients have. */
#include "e2e.h"
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>

static char *ask(cport_os_handle fd, const char *command)
{
    char text[256];
    snprintf(text, sizeof(text), "[Request]\r\nCommand=%s", command);
    e2e_packet_send(fd, text, "", 0);
    return e2e_packet_next(fd);
}

static void expect_code(cport_os_handle fd, const char *command, const char *code)
{
    char *reply = ask(fd, command);
    assert_non_null(strstr(reply, code));
    free(reply);
}

static void control_answers_who_has_logged_in(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--users", e2e_users(), "--workers", "2");
    cport_os_handle fd = e2e_connect(&server, 0x08), echo = e2e_connect(&server, 0x10);
    e2e_echo(echo, 1, "hello", 5);
    expect_code(fd, "Active", "Code=0");
    expect_code(fd, "Stats", "Code=8\r\n");
    expect_code(
        fd, "Login\r\nUserName=bob\r\nPassword=21232f297a57a5a743894a0e4a801fc3", "Code=7\r\n");
    e2e_login(fd, "bob");

    char *reply = ask(fd, "GetClients");
    assert_non_null(strstr(reply, "\tcontrol\tbob\t"));
    char *item = strstr(reply, "\tmessage\t\t");
    assert_non_null(item);
    *item = '\0';
    while (*item != '\t')
        item--;
    char kick[128];
    snprintf(kick, sizeof(kick), "Kick\r\nRemote=%s", item + 1);
    free(reply);

    reply = ask(fd, "Stats");
    assert_non_null(strstr(reply, "\r\naccepted=2\r\n"));
    assert_non_null(strstr(reply, "\r\nillegal_preface=0\r\n"));
    assert_non_null(strstr(reply, "\r\nlogin_failed=1\r\n"));
    free(reply);
    expect_code(fd, kick, "Code=5\r\n");
    e2e_login(fd, "ann");
    expect_code(fd, "Kick\r\nRemote=1.2.3.4:5", "Code=6\r\n");
    expect_code(fd, kick, "Code=0");
    e2e_message_expect(echo, MESSAGE_GOAWAY, 0, STATUS_NOT_ALLOWED, 0, "", 0);
    e2e_expect_end(echo);
    net_close(echo);
    net_close(fd);
    e2e_stop(&server);
}

/* A line of what LogOutput sends, without its end. */
static void line_next(cport_os_handle fd, char *line, size_t size)
{
    size_t len = 0;
    do {
        assert_true(len + 1 < size);
        e2e_recv(fd, line + len, 1);
        len++;
    } while (line[len - 1] != '\n');
    assert_true(len >= 2 && line[len - 2] == '\r');
    line[len - 2] = '\0';
}

static void log_output_tells_what_happens(void **state)
{
    (void)state;
    char line[1100];
    struct e2e_server server;
    E2E_START(&server, "--workers", "2");
    cport_os_handle fd = e2e_connect(&server, 0x09);
    line_next(fd, line, sizeof(line));
    assert_memory_equal(line, "cport-server ", 13);
    for (int i = 0; i < 5; i++) {
        cport_os_handle illegal = e2e_connect(&server, 'G');
        e2e_expect_end(illegal);
        net_close(illegal);
        line_next(fd, line, sizeof(line));
        assert_non_null(strstr(line, "info event=illegal_preface remote=127.0.0.1:"));
        assert_non_null(strstr(line, "byte=71"));
    }
    e2e_send(fd, "x", 1);
    line_next(fd, line, sizeof(line));
    assert_memory_equal(line, "cport-server ", 13);
    e2e_send(fd, "\x1B", 1);
    while (net_recv(fd, line, sizeof(line)) > 0)
        continue;
    net_close(fd);
    e2e_stop(&server);

    E2E_START(&server, "--log-output", "no");
    fd = e2e_connect(&server, 0x09);
    e2e_expect_end(fd);
    net_close(fd);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "illegal_preface"), 1);
}

/* A counter, by the STATS of a Message connection. */
static int64_t stat(cport_os_handle fd, const char *name)
{
    struct field field;
    e2e_message_send(fd, MESSAGE_REQUEST, 0, VERB_STATS, 1, "", 0);
    struct message reply = e2e_message_next(fd);
    assert_true(fields_check(reply.payload));
    assert_true(field_find(reply.payload, name, FIELD_I64, &field));
    int64_t value = (int64_t)load_u64(field.value.data);
    free((void *)(uintptr_t)reply.payload.data);
    return value;
}

/* A reader that does not read costs its queue and no more; when it reads again it is told what it has missed, and goes on. */
static void a_slow_log_reader_loses_lines(void **state)
{
    (void)state;
    char line[1100];
    struct e2e_server server;
    E2E_START(&server, "--workers", "1", "--log-queue", "1K", "--message-anonymous", "yes",
        "--memory", "16M");
    cport_os_handle fd = e2e_connect(&server, 0x09);
    net_small_buffers(fd);
    line_next(fd, line, sizeof(line));
    /* The system's own buffers take some megabytes before the server's queue fills at all: long lines, and many. A name of 64
     * bytes that are not ASCII takes 256 in the log. */
    enum { BATCHES_MAX = 300, BATCH = 500 };
    char login[256];
    int len = snprintf(login, sizeof(login), "%s",
        "[Request]\r\nCommand=Login\r\nPassword=21232f297a57a5a743894a0e4a801fc3\r\nUserName=");
    for (int i = 0; i < 32; i++)
        len += snprintf(login + len, sizeof(login) - (size_t)len, "\xC3\xBC");
    cport_os_handle control = e2e_connect(&server, 0x08), message = e2e_connect(&server, 0x10);
    for (int batch = 0; stat(message, "lines_lost") == 0; batch++) {
        assert_true(batch < BATCHES_MAX);
        for (int i = 0; i < BATCH; i++)
            e2e_packet_send(control, login, "", 0);
        for (int i = 0; i < BATCH; i++)
            free(e2e_packet_next(control));
    }
    do
        line_next(fd, line, sizeof(line));
    while (strncmp(line, "*** ", 4) != 0);
    assert_true(strtoul(line + 4, NULL, 10) > 0);
    assert_non_null(strstr(line, " lines lost"));

    cport_os_handle illegal = e2e_connect(&server, 'G');
    e2e_expect_end(illegal);
    net_close(illegal);
    do
        line_next(fd, line, sizeof(line));
    while (!strstr(line, "event=illegal_preface"));
    net_close(message);
    net_close(control);
    net_close(fd);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "memory"), 0);
}

static void clients_have_only_so_much_time(void **state)
{
    (void)state;
    struct e2e_server server;
    E2E_START(&server, "--workers", "1", "--login-timeout", "50ms", "--frame-timeout", "50ms",
        "--idle-timeout", "500ms");
    cport_os_handle login = e2e_connect(&server, 0x08);
    e2e_expect_end(login);
    net_close(login);

    cport_os_handle frame = e2e_connect(&server, 0x05);
    e2e_send(frame, "\x40\0\0\0", 4);
    e2e_expect_end(frame);
    net_close(frame);

    cport_os_handle idle = e2e_connect(&server, 0x10), listener = e2e_connect(&server, 0x09);
    e2e_message_expect(idle, MESSAGE_GOAWAY, 0, STATUS_NOT_ALLOWED, 0, "", 0);
    e2e_expect_end(idle);
    net_close(idle);
    char line[1100];
    line_next(listener, line, sizeof(line)); /* who only listens may be silent */
    do
        line_next(listener, line, sizeof(line));
    while (!strstr(line, "event=idle_timeout"));
    net_close(listener);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "login_timeout"), 1);
    assert_int_equal(e2e_count(&server, "frame_timeout"), 1);
    assert_int_equal(e2e_count(&server, "idle_timeout"), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(control_answers_who_has_logged_in),
        E2E_TEST(log_output_tells_what_happens),
        E2E_TEST(a_slow_log_reader_loses_lines),
        E2E_TEST(clients_have_only_so_much_time),
    };
    return e2e_run("e2e_control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
