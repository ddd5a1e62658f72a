#include "json.h"
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json *parse(const char *text)
{
    return json_parse(text, strlen(text));
}

static void json_reads_what_the_grammar_allows(void **state)
{
    (void)state;
    struct json *root = parse(" { \"a\" : [1, -2.5e2, true, null, {}, []], "
                              "\"b\":\"\\\"\\\\\\n\\u00e9\\ud83d\\ude00\" } ");
    assert_non_null(root);
    const struct json *item = json_get(root, "a")->child;
    assert_true(item->number == 1);
    assert_true(item->next->number == -250);
    assert_int_equal(item->next->next->kind, JSON_BOOL);
    assert_string_equal(json_get_string(root, "b"), "\"\\\n\xc3\xa9\xf0\x9f\x98\x80");
    assert_string_equal(json_get_string(root, "absent"), "");
    assert_true(json_get_number(json_get(root, "b"), "c") == 0);
    json_free(root);
}

static void json_refuses_everything_else(void **state)
{
    static const char *const broken[] = {"", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}",
        "\"a", "\"\\", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\u12\"", "\"\\u0000\"",
        "\"\n\"", "+1", ".5", "1x", "-", "tru", "1 2", "{} {}"};
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_null(parse(broken[i]));
}

static void json_depth_is_bounded(void **state)
{
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    (void)state;
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct json *root = json_parse(text, 2 * depth);
        assert_int_equal(root != NULL, depth == JSON_DEPTH_MAX);
        json_free(root);
    }
}

static void fill(struct report *r)
{
    static const double rates[] = {100000, 98765.4, 123456789};
    *r = (struct report){.bench = "echo",
        .commit = "v0-1-gabc",
        .client = "epoll",
        .facts = {.os = "An \"OS\" \\ 1",
            .kernel = "k\t1",
            .emulation = "Wine 8.0",
            .host = "h 2",
            .mitigations = "caf\xc3\xa9",
            .cpus = 2,
            .is_virtual = true},
        .seconds = 2,
        .warmup_seconds = 0.5,
        .foreign_max = 0.25,
        .client_core = 1,
        .verify = true};
    struct report_row *row = report_add_row(r);
    assert_non_null(row);
    strcpy(row->peer, "raw-epoll");
    strcpy(row->engine, "epoll");
    strcpy(row->mode, "direct");
    strcpy(row->handlers, "sleep");
    row->connections = 32;
    row->message_bytes = 64;
    row->depth = 16;
    row->rounds = 3;
    row->repeated = 1;
    row->metrics = 1u << METRIC_RATE;
    memcpy(row->values[METRIC_RATE], rates, sizeof rates);
}

static void report_survives_json(void **state)
{
    struct report written, read;
    char path[256];
    (void)state;
    assert_int_equal(sys_temporary_file(path, sizeof path), 0);
    fill(&written);
    assert_int_equal(report_write(&written, path), 0);
    assert_int_equal(report_read(path, &read), 0);
    assert_memory_equal(&written.facts, &read.facts, sizeof read.facts);
    assert_string_equal(read.commit, "v0-1-gabc");
    assert_true(read.seconds == 2 && read.warmup_seconds == 0.5 && read.foreign_max == 0.25);
    assert_true(read.verify && read.client_core == 1 && read.server_core == 0);
    assert_int_equal(read.row_count, 1);
    assert_memory_equal(written.rows, read.rows, sizeof *read.rows);
    report_free(&written);
    report_free(&read);
    remove(path);
}

static void report_refuses_other_json(void **state)
{
    static const char *const others[] = {"[]", "{\"schema\":2,\"results\":[]}",
        "{\"schema\":1,\"results\":3}", "{\"schema\":1,\"results\":[{\"rounds\":65}]}",
        "{\"schema\":1,\"results\":[{}]}"};
    struct report read = {.row_count = 77};
    char path[256];
    (void)state;
    assert_int_equal(sys_temporary_file(path, sizeof path), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(others[i], out);
        fclose(out);
        assert_int_equal(report_read(path, &read), -1);
        assert_int_equal(read.row_count, 77);
    }
    remove(path);
    assert_int_equal(report_read(path, &read), -1);
}

/* The table's lines, joined. */
static void print_to_text(const struct report *reports, unsigned count, char *ret_text, size_t size)
{
    char path[256];
    assert_int_equal(sys_temporary_file(path, sizeof path), 0);
    FILE *file = fopen(path, "w+");
    assert_non_null(file);
    report_print(reports, count, file);
    rewind(file);
    ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
    fclose(file);
    remove(path);
}

static void table_tells_systems_apart(void **state)
{
    static char text[8192];
    struct report reports[2];
    (void)state;
    fill(&reports[0]);
    fill(&reports[1]);
    strcpy(reports[1].facts.kernel, "Linux 6");
    reports[1].facts.emulation[0] = '\0';
    reports[1].rows[0].metrics |= 1u << METRIC_SERVER_CPU;
    for (unsigned i = 0; i < reports[1].rows[0].rounds; i++)
        reports[1].rows[0].values[METRIC_SERVER_CPU][i] = 4321;
    print_to_text(reports, 2, text, sizeof text);
    /* What only the second system tells has a column all the same, which the first leaves open. */
    assert_non_null(strstr(text, "server ns/msg"));
    char *wine = strstr(text, "\n1 Wine 8.0 "), *linux_row = strstr(text, "\n2 Linux 6 ");
    assert_true(wine != NULL && linux_row > wine);
    *linux_row = '\0';
    assert_non_null(strstr(wine, " -"));
    assert_null(strstr(wine, "4321"));
    assert_non_null(strstr(linux_row + 1, " 4321 [4321-4321]"));
    assert_non_null(strstr(linux_row + 1, " 1.000"));
    report_free(&reports[0]);
    report_free(&reports[1]);
}

static void summary_takes_the_middle(void **state)
{
    static const double odd[] = {5, 1, 3}, even[] = {4, 1, 2, 9};
    (void)state;
    struct summary s = summary_of(odd, 3);
    assert_true(s.median == 3 && s.min == 1 && s.max == 5);
    assert_true(summary_of(even, 4).median == 3);
    assert_true(summary_of(odd, 1).median == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_reads_what_the_grammar_allows),
        cmocka_unit_test(json_refuses_everything_else),
        cmocka_unit_test(json_depth_is_bounded),
        cmocka_unit_test(report_survives_json),
        cmocka_unit_test(report_refuses_other_json),
        cmocka_unit_test(table_tells_systems_apart),
        cmocka_unit_test(summary_takes_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
