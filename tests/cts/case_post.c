/* Posts: S07, S12. */
#include "cts.h"

void s12_post_carries_key_op_and_result(void)
{
    static const struct {
        uintptr_t key;
        int64_t result;
    } sent[] = {{0, 0}, {1, 1}, {UINTPTR_MAX, INT64_MAX}, {7, INT64_MIN}, {8, -1}, {9, CPORT_EIO}};
    cport_op ops[CTS_COUNT_OF(sent)] = {0};
    cport_event ev[CTS_COUNT_OF(sent)];
    cport_port *port = cts_port_open();
    for (size_t i = 0; i < CTS_COUNT_OF(sent); i++) {
        ops[i].user = &ops[i];
        CHECK_EQ(cts_post(port, &ops[i], sent[i].key, sent[i].result), 0);
    }
    for (size_t got = 0; got < CTS_COUNT_OF(sent);) {
        int n = cts_wait(port, ev, CTS_COUNT_OF(ev), CTS_PATIENCE_NS);
        CHECK(n > 0);
        for (int i = 0; i < n; i++, got++) {
            CHECK(ev[i].op == &ops[got]);
            CHECK(ev[i].key == sent[got].key);
            CHECK(ev[i].result == sent[got].result);
            CHECK(ev[i].op->user == ev[i].op);
        }
    }
    cts_port_close(port);
}

void s10_max_zero_is_refused(void)
{
    cport_event ev;
    cport_port *port = cts_port_open();
    CHECK_EQ(cts_wait(port, &ev, 0, 0), CPORT_EINVAL);
    CHECK_EQ(cts_wait(port, NULL, 1, 0), CPORT_EINVAL);
    cts_port_close(port);
}
