/* The command line and the file: defaults, units, limits, and the first thing that is wrong. */
#include "check.h"
#include "config_table.h"

#include <cport/cport.h>

#define WORDS_MAX 8

static bool parse(struct config *config, char error[CONFIG_ERROR_BYTES], const char *const *words)
{
    char *argv[WORDS_MAX + 1] = {(char *)(uintptr_t) "cport-server"};
    int argc = 1;
    for (; *words; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    error[0] = '\0';
    return config_parse(argc, argv, config, error);
}
#define PARSE(...)              parse(&config, error, (const char *const[]){__VA_ARGS__, NULL})
#define SETS(field, value, ...) assert_true(PARSE(__VA_ARGS__) && config.field == (value))

static void defaults_hold_without_options(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    assert_true(parse(&config, error, (const char *const[]){NULL}));
    assert_string_equal(config.host, "127.0.0.1");
    assert_int_equal(config.tcp_port, 9999);
    assert_int_equal(config.workers, 0);
    assert_int_equal(config.backend, CPORT_BACKEND_AUTO);
    assert_int_equal(config.max_frame, 1 << 20);
    assert_int_equal(config.preface_timeout_ns, INT64_C(6000000000));
    assert_false(config.help || config.version);
}

static void values_have_units(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    SETS(max_frame, 4096, "--max-frame", "4096");
    SETS(max_frame, 4096, "--max-frame=4K");
    SETS(memory, INT64_C(3) << 30, "--memory", "3G");
    SETS(write_timeout_ns, INT64_C(250000000), "--write-timeout", "250ms");
    SETS(write_timeout_ns, INT64_C(2000000000), "--write-timeout", "2");
    SETS(write_timeout_ns, INT64_C(120000000000), "--write-timeout", "2m");
    SETS(write_timeout_ns, INT64_C(3600000000000), "--write-timeout=1h");
    SETS(drain_timeout_ns, 0, "--drain-timeout", "0");
    SETS(workers, 7, "--workers", "3", "--workers", "7"); /* the last one counts */
    SETS(backend, CPORT_BACKEND_EPOLL, "--backend", "epoll");
    SETS(acceptor, ACCEPTOR_ONE, "--acceptor=one");
    assert_true(PARSE("--version") && config.version);
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    assert_true(PARSE("--listen", "[::1]:80"));
    assert_string_equal(config.host, "[::1]");
    assert_int_equal(config.tcp_port, 80);
    assert_true(PARSE("--listen", "*:0"));
    assert_int_equal(config.tcp_port, 0);
    assert_false(PARSE("--listen", "localhost:80"));
    assert_false(PARSE("--listen", "127.0.0.1:"));
    assert_false(PARSE("--listen", "127.0.0.1:80x"));
    assert_false(PARSE("--listen", "127.0.0.1:65536"));
    assert_false(PARSE("--listen", ""));
    assert_non_null(strstr(error, "--listen"));
}

static void wrong_values_change_nothing(void **state)
{
    (void)state;
    struct config config = {.workers = 77};
    char error[CONFIG_ERROR_BYTES];
    static const char *const wrong[][2] = {{"--workers", "1025"}, {"--workers", "-1"},
        {"--workers", ""}, {"--workers", "1K"}, {"--max-frame", "63"}, {"--max-frame", "64M1"},
        {"--max-frame", "65M"}, {"--memory", "9223372036854775807G"}, {"--memory", "1023K"},
        {"--preface-timeout", "0"}, {"--preface-timeout", "6x"}, {"--preface-timeout", "s"},
        {"--backend", "EPOLL"}, {"--nonsense", "1"}, {"-workers", "1"}, {"--", "1"}, {"--=", "1"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(PARSE(wrong[i][0], wrong[i][1]));
        assert_string_not_equal(error, "");
    }
    assert_false(PARSE("--workers"));
    assert_false(PARSE("--help=1"));
    assert_int_equal(config.workers, 77);
}

static void names_take_both_dashes(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    SETS(max_frame, 4096, "--max_frame", "4096");
    assert_non_null(option_find("max-frame", 9));
    assert_non_null(option_find("max_frame", 9));
    assert_null(option_find("max_fram", 8));
    assert_null(option_find("max_frames", 10));
    assert_null(option_find("", 0));
}

static void builds_without_files_say_so(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    assert_false(PARSE("--config", "a file"));
    assert_non_null(strstr(error, "made without inih"));
}

static bool reads(const char *text, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    error[0] = '\0';
    return config_text_read(text, config, error);
}

static void files_are_read(void **state)
{
    (void)state;
    struct config config = {0};
    char error[CONFIG_ERROR_BYTES];
    assert_true(reads("; a comment\n[limits]\nmax_frame = 4K ; and why\nmemory=2M\n\n[server]\n"
                      "listen = [::1]:80\nworkers: 3\n",
        &config, error));
    assert_int_equal(config.max_frame, 4096);
    assert_int_equal(config.memory, 2 << 20);
    assert_int_equal(config.workers, 3);
    assert_string_equal(config.listen, "[::1]:80");
    assert_true(reads("", &config, error));
}

static void wrong_files_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } wrong[] = {{"[limits]\nmax_frame = many\n", "text:2: the option does not take"},
        {"[limits]\nmax_frames = 1M\n", "text:2: no such option"},
        {"[server]\nmax_frame = 1M\n", "another section"}, {"workers = 1\n", "another section"},
        {"[server]\nversion = 1\n", "no such option"}, {"[server]\nconfig = x\n", "no such option"},
        {"[server]\nworkers = 1\nworkers = 2\n", "text:3: the option is there twice"},
        {"[server\n", "text:1: neither"}, {"[server]\nworkers\n", "text:2: neither"},
        {"[server]\nlisten = \n  continued\n", "twice"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct config config = {0};
        char error[CONFIG_ERROR_BYTES];
        assert_false(reads(wrong[i].text, &config, error));
        if (!strstr(error, wrong[i].told))
            fail_msg("%s is told as: %s", wrong[i].text, error);
    }
}

/* The shipped file names every option that a file can have, each with its default. */
static void the_shipped_file_is_the_defaults(void **state)
{
    (void)state;
    struct config plain, config;
    char error[CONFIG_ERROR_BYTES];
    assert_true(parse(&plain, error, (const char *const[]){NULL}));
    if (!PARSE("--config", CPORT_SHIPPED_CONFIG))
        fail_msg("%s", error);
    assert_string_equal(config.config_file, CPORT_SHIPPED_CONFIG);
    memset(config.config_file, 0, sizeof(config.config_file));
    assert_memory_equal(&config, &plain, sizeof(config));

    static char text[65536];
    FILE *file = fopen(CPORT_SHIPPED_CONFIG, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    for (size_t i = 0; i < option_count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "\n%s = ", options[i].name);
        assert_int_equal(strstr(text, line) != NULL, options[i].section != NULL);
    }

    /* The command line goes over it, wherever it stands. */
    SETS(workers, 7, "--workers", "7", "--config", CPORT_SHIPPED_CONFIG);
    assert_false(PARSE("--config", "no/such/file"));
    assert_non_null(strstr(error, "no/such/file"));
}

int main(void)
{
    const struct CMUnitTest without_files[] = {
        cmocka_unit_test(defaults_hold_without_options),
        cmocka_unit_test(values_have_units),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(wrong_values_change_nothing),
        cmocka_unit_test(names_take_both_dashes),
        cmocka_unit_test(builds_without_files_say_so),
    };
    if (!config_reads_files())
        return cmocka_run_group_tests(without_files, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold_without_options),
        cmocka_unit_test(values_have_units),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(wrong_values_change_nothing),
        cmocka_unit_test(names_take_both_dashes),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(wrong_files_are_told),
        cmocka_unit_test(the_shipped_file_is_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
