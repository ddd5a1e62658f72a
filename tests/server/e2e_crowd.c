/* Connections beyond what a table of fixed size, or a descriptor above 1023, would bear: the last is served as the first. */
#include "e2e.h"
#include "os.h"

#include <stdlib.h>

#define CROWD_DEFAULT    500u
#define SOURCES          8u /* addresses to come from: none runs out of ports */
#define DESCRIPTORS_KEPT 100u

static void the_last_is_served_as_the_first(void **state)
{
    (void)state;
    const char *wanted = getenv("CROWD");
    uint32_t count = wanted ? (uint32_t)strtoul(wanted, NULL, 10) : CROWD_DEFAULT;
    if (sys_descriptors_max() < count + DESCRIPTORS_KEPT)
        fail_msg("%u connections need a higher limit on open files (ulimit -Hn)", count);
    cport_os_handle *fds = calloc(count, sizeof(*fds));
    assert_non_null(fds);
    struct e2e_server server;
    E2E_START(&server, "--workers", "2", "--preface-timeout", "1h");
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = net_connect_from((uint8_t)(1 + i % SOURCES), 0, server.tcp_port);
        if (fds[i] == CPORT_OS_HANDLE_INVALID)
            fail_msg("connection %u was refused", i + 1);
        uint8_t preface = i % 2 ? 0x10 : 0x05;
        e2e_send(fds[i], &preface, 1);
    }
    /* All of them are there at once, and each has a word to say. */
    for (uint32_t i = 0; i < count; i++) {
        if (i % 2)
            e2e_message_send(fds[i], MESSAGE_REQUEST, 0, VERB_ECHO, i, &i, sizeof(i));
        else
            e2e_packet_send(fds[i], "[Request]\r\nCommand=CyclePacket\r\nCount=7", &i, sizeof(i));
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i % 2)
            e2e_message_expect(fds[i], MESSAGE_REPLY, 0, STATUS_OK, i, &i, sizeof(i));
        else
            e2e_packet_expect(
                fds[i], "[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=8", &i, sizeof(i));
    }
    for (uint32_t i = 0; i < count; i++)
        net_reset(fds[i]);
    free(fds);
    e2e_stop(&server);
    assert_int_equal(e2e_count(&server, "accepted"), count);
    assert_int_equal(e2e_count(&server, "refused_full"), 0);
    assert_int_equal(e2e_count(&server, "frames"), count);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(the_last_is_served_as_the_first),
    };
    return e2e_run("e2e_crowd", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
