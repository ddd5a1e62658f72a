/* Pushes to the same topic that lie in a mailbox one behind the other are handed out together; nobody sees but the same frames in
 * the same order. */
#include "check.h"
#include "hub.h"

#include <stdio.h>
#include <string.h>

struct listener {
    struct subscriptions list;
    char got[256]; /* "topic=data#number " for each frame, and "|" behind what came together */
};

static struct mailbox box;
static struct hub *hub;
static struct listener early, late;

static void deliver(void *who, struct bytes frames, unsigned count)
{
    struct listener *listener = who;
    struct message push;
    size_t need;
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(message_parse(frames, 1u << 20, &push, &need), FRAME_OK);
        assert_int_equal(push.type, MESSAGE_PUSH);
        const uint8_t *p = push.payload.data;
        size_t used = strlen(listener->got);
        snprintf(listener->got + used, sizeof(listener->got) - used, "%.*s=%.*s#%u ", p[0],
            (const char *)p + 1, (int)(push.payload.len - 1 - p[0]), (const char *)p + 1 + p[0],
            (unsigned)push.id);
        frames.data += push.bytes;
        frames.len -= push.bytes;
    }
    assert_int_equal(frames.len, 0);
    strncat(listener->got, "|", 2);
}

static struct bytes text(const char *of)
{
    return (struct bytes){(const uint8_t *)of, strlen(of)};
}

static void subscribe(struct listener *listener, const char *topic)
{
    assert_int_equal(hub_subscribe(hub, 0, &listener->list, 8, text(topic), listener), STATUS_OK);
}

static void publish(const char *topic, const char *data)
{
    uint32_t receivers;
    assert_int_equal(hub_publish(hub, text(topic), text(data), &receivers), STATUS_OK);
}

static int prepare(void **state)
{
    (void)state;
    memset(&early, 0, sizeof(early));
    memset(&late, 0, sizeof(late));
    if (!mailbox_init(&box))
        return -1;
    hub = hub_open(&box, 1, SIZE_MAX / 2, deliver);
    return hub ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    hub_leave(hub, 0, &early.list);
    hub_leave(hub, 0, &late.list);
    mailbox_free(&box);
    hub_close(hub);
    return 0;
}

static void what_lies_together_is_handed_out_together(void **state)
{
    (void)state;
    subscribe(&early, "a");
    subscribe(&early, "b");
    publish("a", "1");
    publish("a", "2");
    publish("a", "3");
    publish("b", "1");
    publish("a", "4");
    mail_read(&box, &box, SIZE_MAX);
    assert_string_equal(early.got, "a=1#1 a=2#2 a=3#3 |b=1#1 |a=4#4 |");
}

static void who_comes_between_gets_what_comes_after(void **state)
{
    (void)state;
    subscribe(&early, "a");
    publish("a", "1");
    publish("a", "2");
    subscribe(&late, "a");
    publish("a", "3");
    publish("a", "4");
    mail_read(&box, &box, SIZE_MAX);
    assert_string_equal(early.got, "a=1#1 a=2#2 a=3#3 a=4#4 |");
    assert_string_equal(late.got, "a=3#3 a=4#4 |");
}

static void what_is_addressed_keeps_its_place(void **state)
{
    (void)state;
    uint8_t line[] =
        "\x09\0\0\0\x03\0\0\0\0\0\0\0"; /* a frame that was made elsewhere, of a topic "" */
    subscribe(&early, "a");
    publish("a", "1");
    assert_true(hub_publish_raw(hub, text("a"), (struct bytes){line, sizeof(line)}));
    publish("a", "2");
    mail_read(&box, &box, SIZE_MAX);
    assert_string_equal(early.got, "a=1#1 |=#0 |a=2#2 |");
}

static void what_is_left_over_is_let_go(void **state)
{
    (void)state;
    subscribe(&early, "a");
    publish("a", "1");
    publish("a", "2");
    mailbox_close(&box);
    assert_string_equal(early.got, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_lies_together_is_handed_out_together, prepare, clean),
        cmocka_unit_test_setup_teardown(who_comes_between_gets_what_comes_after, prepare, clean),
        cmocka_unit_test_setup_teardown(what_is_addressed_keeps_its_place, prepare, clean),
        cmocka_unit_test_setup_teardown(what_is_left_over_is_let_go, prepare, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
