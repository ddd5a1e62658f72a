/*
 * The intrusive lists: every operation on lists of no, one and several nodes.
 */
#include "list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { NODES = 4 };

static void check_fifo(struct fifo *fifo, struct fifo_node *nodes, const char *order)
{
    for (const char *at = order; *at != '\0'; at++) {
        assert_false(fifo_empty(fifo));
        assert_ptr_equal(fifo_pop(fifo), &nodes[*at - '0']);
    }
    assert_true(fifo_empty(fifo));
    assert_null(fifo_pop(fifo));
}

static void fill_fifo(struct fifo *fifo, struct fifo_node *nodes, int from, int to)
{
    for (int i = from; i < to; i++)
        fifo_push(fifo, &nodes[i]);
}

static void a_fifo_is_first_in_first_out(void **state)
{
    (void)state;
    struct fifo fifo;
    struct fifo_node nodes[NODES];
    fifo_init(&fifo);
    check_fifo(&fifo, nodes, "");
    for (int round = 0; round < 2; round++) {
        fill_fifo(&fifo, nodes, 0, NODES);
        check_fifo(&fifo, nodes, "0123");
    }
}

static void a_fifo_takes_nodes_back_at_its_front(void **state)
{
    (void)state;
    struct fifo fifo = {0};
    struct fifo_node nodes[NODES];
    fifo_push_front(&fifo, &nodes[0]); /* into an empty one: it is the tail, too */
    fifo_push(&fifo, &nodes[1]);
    fifo_push_front(&fifo, &nodes[2]);
    check_fifo(&fifo, nodes, "201");
}

static void splicing_fifos_keeps_both_orders(void **state)
{
    (void)state;
    struct fifo to = {0}, from = {0};
    struct fifo_node nodes[NODES];
    fifo_splice(&to, &from);
    check_fifo(&to, nodes, "");

    fill_fifo(&from, nodes, 0, 2);
    fifo_splice(&to, &from);
    assert_true(fifo_empty(&from));
    fill_fifo(&from, nodes, 2, 3);
    fifo_splice(&to, &from);
    fifo_splice(&to, &from);
    fifo_push(&to, &nodes[3]);
    check_fifo(&to, nodes, "0123");
    check_fifo(&from, nodes, "");
}

static void a_fifo_gives_up_any_node(void **state)
{
    (void)state;
    static const char *const rest[] = {"123", "023", "013", "012"};
    struct fifo fifo = {0};
    struct fifo_node nodes[NODES + 1];
    for (int i = 0; i < NODES; i++) {
        fill_fifo(&fifo, nodes, 0, NODES);
        assert_true(fifo_remove(&fifo, &nodes[i]));
        assert_false(fifo_remove(&fifo, &nodes[i]));
        check_fifo(&fifo, nodes, rest[i]);
    }

    fill_fifo(&fifo, nodes, 0, NODES); /* the tail must have moved */
    assert_true(fifo_remove(&fifo, &nodes[NODES - 1]));
    fifo_push(&fifo, &nodes[NODES]);
    check_fifo(&fifo, nodes, "0124");

    fifo_push(&fifo, &nodes[0]); /* the only one */
    assert_true(fifo_remove(&fifo, &nodes[0]));
    fifo_push(&fifo, &nodes[1]);
    check_fifo(&fifo, nodes, "1");
}

static void check_list(struct list *list, struct list *nodes, const char *order)
{
    struct list *back = list->prev;
    for (const char *at = order; *at != '\0'; at++)
        back = at[1] == '\0' ? back : back->prev;
    if (*order != '\0')
        assert_ptr_equal(back, &nodes[*order - '0']);
    for (const char *at = order; *at != '\0'; at++) {
        assert_false(list_empty(list));
        assert_true(list_linked(&nodes[*at - '0']));
        assert_ptr_equal(list_pop_front(list), &nodes[*at - '0']);
        assert_false(list_linked(&nodes[*at - '0']));
    }
    assert_true(list_empty(list));
    assert_null(list_pop_front(list));
}

static void a_list_takes_nodes_at_both_ends(void **state)
{
    (void)state;
    struct list list, nodes[NODES];
    list_init(&list);
    check_list(&list, nodes, "");
    list_push_back(&list, &nodes[0]);
    check_list(&list, nodes, "0");
    list_push_front(&list, &nodes[1]);
    list_push_back(&list, &nodes[2]);
    list_push_front(&list, &nodes[3]);
    list_push_back(&list, &nodes[0]);
    check_list(&list, nodes, "3120");
}

static void a_list_gives_up_any_node(void **state)
{
    (void)state;
    static const char *const rest[] = {"123", "023", "013", "012"};
    struct list list, nodes[NODES];
    list_init(&list);
    for (int i = 0; i < NODES; i++) {
        for (int j = 0; j < NODES; j++)
            list_push_back(&list, &nodes[j]);
        list_remove(&nodes[i]);
        assert_false(list_linked(&nodes[i]));
        list_remove(&nodes[i]); /* harmless: it is linked to itself alone */
        check_list(&list, nodes, rest[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fifo_is_first_in_first_out),
        cmocka_unit_test(a_fifo_takes_nodes_back_at_its_front),
        cmocka_unit_test(splicing_fifos_keeps_both_orders),
        cmocka_unit_test(a_fifo_gives_up_any_node),
        cmocka_unit_test(a_list_takes_nodes_at_both_ends),
        cmocka_unit_test(a_list_gives_up_any_node),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
