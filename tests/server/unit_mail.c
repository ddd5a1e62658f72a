/* Mail for a worker: in order, one event for all that has come, and not too much of it at a time. */
#include "check.h"
#include "mail.h"

#define PARCELS 10u
#define BYTES   1000u

struct letter {
    struct parcel parcel;
    unsigned number;
};

static struct letter letters[PARCELS];
static unsigned opened;
static bool without_worker;

static void letter_open(struct parcel *parcel, void *worker)
{
    const struct letter *letter = CPORT_CONTAINER_OF(parcel, struct letter, parcel);
    assert_int_equal(letter->number, opened);
    without_worker = worker == NULL;
    opened++;
}

static cport_port *port;
static struct mailbox box;

static int prepare(void **state)
{
    (void)state;
    cport_port_options options = {.size = sizeof(options), .flags = CPORT_PORT_SINGLE};
    opened = 0;
    return cport_port_open(&options, &port) == 0 && mailbox_init(&box) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    mailbox_free(&box);
    return cport_port_close(port);
}

static void put_all(void)
{
    for (unsigned i = 0; i < PARCELS; i++) {
        letters[i] = (struct letter){{.bytes = BYTES, .open = letter_open}, i};
        mail_put(&box, &letters[i].parcel);
    }
    assert_int_equal(mail_waiting(&box), PARCELS * BYTES);
}

/* Whether the box has an event. It has one at most. */
static bool told(void)
{
    cport_event events[2];
    int count = cport_wait(port, events, 2, 0);
    assert_true(count == 0 || count == 1);
    if (count == 1)
        assert_ptr_equal(events[0].op, &box.op);
    return count == 1;
}

static void all_that_has_come_has_one_event(void **state)
{
    (void)state;
    mailbox_open(&box, port, NULL);
    put_all();
    assert_true(told());
    assert_false(told());
    mail_read(&box, &box, SIZE_MAX);
    assert_int_equal(opened, PARCELS);
    assert_int_equal(mail_waiting(&box), 0);
    assert_false(told());
}

static void what_came_before_the_port_waits_for_it(void **state)
{
    (void)state;
    put_all();
    assert_false(told());
    mailbox_open(&box, port, NULL);
    assert_true(told());
    mail_read(&box, &box, SIZE_MAX);
    assert_int_equal(opened, PARCELS);
    assert_false(without_worker);
}

/* Between two handfuls the worker gets to do other things: what is left has an event of its own. */
static void no_more_than_a_handful_at_a_time(void **state)
{
    (void)state;
    mailbox_open(&box, port, NULL);
    put_all();
    for (unsigned turn = 1; told(); turn++) {
        mail_read(&box, &box, 3 * BYTES + BYTES / 2);
        assert_int_equal(opened, turn * 3 < PARCELS ? turn * 3 : PARCELS);
        assert_int_equal(mail_waiting(&box), (PARCELS - opened) * BYTES);
        if (turn == 2) { /* what comes meanwhile comes behind */
            static struct letter last;
            last = (struct letter){{.bytes = BYTES, .open = letter_open}, PARCELS};
            mail_put(&box, &last.parcel);
            assert_true(told());
            mail_read(&box, &box, 4 * BYTES);
            assert_int_equal(opened, PARCELS);
            break;
        }
    }
    assert_int_equal(mail_waiting(&box), BYTES);
}

static void a_parcel_that_is_too_large_comes_alone(void **state)
{
    (void)state;
    mailbox_open(&box, port, NULL);
    put_all();
    for (unsigned i = 1; i <= PARCELS; i++) {
        assert_true(told());
        mail_read(&box, &box, 1);
        assert_int_equal(opened, i);
    }
    assert_false(told());
}

static void a_closed_box_keeps_nothing(void **state)
{
    (void)state;
    mailbox_open(&box, port, NULL);
    put_all();
    assert_true(told());
    mail_read(&box, &box, BYTES);
    mailbox_close(&box);
    assert_int_equal(opened, PARCELS);
    assert_true(without_worker);
    letters[0].number = PARCELS;
    mail_put(&box, &letters[0].parcel);
    assert_int_equal(opened, PARCELS + 1);
    (void)told(); /* of the event that was on its way */
}

int main(void)
{
#define MAIL_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, clean)
    const struct CMUnitTest tests[] = {
        MAIL_TEST(all_that_has_come_has_one_event),
        MAIL_TEST(what_came_before_the_port_waits_for_it),
        MAIL_TEST(no_more_than_a_handful_at_a_time),
        MAIL_TEST(a_parcel_that_is_too_large_comes_alone),
        MAIL_TEST(a_closed_box_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
