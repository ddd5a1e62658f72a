/*
 * e2e: a server of one's own, started with the options that a test wants, and the words of both protocols.
 *
 * Usage of a program that is made with it: NAME BACKEND SERVER [ARGUMENT...]. What goes before the options, a wrapper
 * perhaps, is taken as given.
 */
#ifndef CPORT_TESTS_SERVER_E2E_H
#define CPORT_TESTS_SERVER_E2E_H

#include "check.h"
#include "frame.h"
#include "peer.h"

struct e2e_server {
    struct child *child;
    uint16_t tcp_port;
    uint16_t admin_port; /* 0: it has none */
    char line[512];      /* what it said when it listened */
    char errors[8192];   /* its standard error, once it has ended */
};

/* Runs the tests of a program; its exit status. */
int e2e_run(const char *name, const struct CMUnitTest *tests, size_t count, int argc, char **argv);

/* A test that failed leaves its children behind; this ends them. */
int e2e_clean(void **state);
#define E2E_TEST(test) cmocka_unit_test_teardown(test, e2e_clean)

const char *e2e_backend(void);

/* Starts a child with the options given, ended by NULL, and whatever the program was told; no --listen of its own. Ends
 * with e2e_wait. */
struct child *e2e_child(const char *const *options);
int e2e_wait(struct child *child, char *errors, size_t size);

/* The same on a free port, and waits until it listens. */
void e2e_start(struct e2e_server *server, const char *const *options);
#define E2E_START(server, ...)  e2e_start(server, (const char *const[]){__VA_ARGS__, NULL})
#define E2E_START_PLAIN(server) e2e_start(server, (const char *const[]){NULL})

/* Asks it to stop; it must drain and exit with 0. Its errors are then at hand. */
void e2e_stop(struct e2e_server *server);
/* The same, but it has been asked already. */
void e2e_join(struct e2e_server *server);

/* A number in the last log line, as `name=7`. */
unsigned long e2e_count(const struct e2e_server *server, const char *name);

/* A users file with ann (admin) and bob, whose passwords are their names; its name. Gone with e2e_clean. */
const char *e2e_users(void);

cport_os_handle e2e_connect(const struct e2e_server *server, uint8_t preface);

/* Everything or the test fails. */
void e2e_send(cport_os_handle fd, const void *data, size_t len);
void e2e_recv(cport_os_handle fd, void *data, size_t len);
void e2e_expect_end(cport_os_handle fd); /* the end of the stream, and not a reset */

/* ---- Message ---- */

void e2e_message_send(cport_os_handle fd, uint8_t type, uint8_t flags, uint16_t code, uint32_t id,
    const void *payload, size_t len);
void e2e_message_expect(cport_os_handle fd, uint8_t type, uint8_t flags, uint16_t code, uint32_t id,
    const void *payload, size_t len);
void e2e_echo(
    cport_os_handle fd, uint32_t id, const void *payload, size_t len); /* there and back */

/* The next frame, whatever it is; its payload, malloc'ed. */
struct message e2e_message_next(cport_os_handle fd);
void e2e_message_login(cport_os_handle fd, const char *user); /* whose password is the name */
void e2e_subscribe(cport_os_handle fd, const char *topic);
void e2e_publish(cport_os_handle fd, uint32_t id, const char *topic, const void *data, size_t len);

/* ---- Command family ---- */

/* A reply's text, to be freed; its data is dropped. */
char *e2e_packet_next(cport_os_handle fd);
void e2e_login(cport_os_handle fd, const char *user); /* whose password is the name */

void e2e_packet_send(cport_os_handle fd, const char *command, const void *data, size_t len);
void e2e_packet_expect(cport_os_handle fd, const char *reply, const void *data, size_t len);

/* Bytes that repeat only after a long while; free them. */
uint8_t *e2e_bytes(size_t len, uint32_t seed);

#endif
