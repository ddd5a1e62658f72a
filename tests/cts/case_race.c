/* S25 where the kernel itself decides between a completion and a cancel: each of them wins some of the races. */
#include "cts.h"

#include <stdatomic.h>

enum { ROUNDS = 500 };

typedef struct sender {
    cport_os_handle peer;
    int head_start;   /* turns that the cancel has before the byte is sent, if > 0 */
    atomic_int round; /* the round that may begin */
} sender;

static void spin(int turns)
{
    for (int i = 0; i < turns; i++)
        cts_spin();
}

static void send_each_round(void *arg)
{
    sender *s = arg;
    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&s->round) < round)
            cts_spin();
        spin(s->head_start);
        cts_sock_send_all(s->peer, "x", 1);
    }
}

/* Asks for the end of a receive while its byte is on the way. True: the byte was first. */
static bool race(cts_pair *pair, sender *s, int round)
{
    char byte = 0;
    cport_op op = {0};
    CHECK_EQ(cts_recv(pair->a, &op, &byte, 1, 0), 0);
    int head_start = s->head_start;
    atomic_store(&s->round, round);
    spin(-head_start);
    int ret = cts_cancel(&op);
    CHECK(ret == 0 || ret == CPORT_ENOENT);
    int64_t result = cts_result(pair->port, &op);
    bool received = result == 1;
    if (!received) {
        CHECK_EQ(result, CPORT_ECANCELED);
        CHECK_EQ(cts_recv(pair->a, &op, &byte, 1, 0), 0);
        CHECK_EQ(cts_result(pair->port, &op), 1);
    }
    CHECK_EQ(byte, 'x');
    return received;
}

/* Who loses a race gets a better start in the next, so that neither wins them all. */
void s25_both_outcomes_of_five_hundred_races(void)
{
    cts_pair pair;
    sender s = {0};
    int received = 0;
    cport_port *port = cts_port_open();
    cts_pair_open(port, &pair);
    s.peer = pair.peer;
    cts_thread *t = cts_thread_start(send_each_round, &s, 0);
    for (int round = 1; round <= ROUNDS; round++) {
        bool won = race(&pair, &s, round);
        received += won;
        s.head_start += won ? 1 : -1;
    }
    cts_thread_join(t);
    printf("%d of %d were received\n", received, ROUNDS);
    CHECK(received > 0 && received < ROUNDS);
    cts_pair_close(&pair);
    cts_port_close(port);
}
