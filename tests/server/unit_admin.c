/* The admin port's protocol without a socket: every split of a request gets the same answer. */
#include "check.h"
#include "http.h"
#include "session.h"

static const char metrics[] = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept:\ttext/plain\r\n\r\n";

/* The answer to a request that comes in two pieces, terminated; "" while there is none. */
static const char *ask(struct world *world, struct bytes request, size_t first)
{
    static char answer[16384];
    struct session session;
    session_open(&session, world, &proto_admin);
    session_feed(&session, request.data, first);
    session_feed(&session, request.data + first, request.len - first);
    struct bytes out = buffer_bytes(&session.out);
    assert_true(out.len < sizeof(answer));
    assert_int_equal(session.closed, out.len > 0);
    if (out.data)
        memcpy(answer, out.data, out.len);
    answer[out.len] = '\0';
    session_close(&session);
    return answer;
}

static void expect(struct world *world, struct bytes request, const char *status)
{
    char line[64];
    snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
    for (size_t first = 0; first <= request.len; first++) {
        const char *answer = ask(world, request, first);
        assert_memory_equal(answer, line, strlen(line));
        const char *body = strstr(answer, "\r\n\r\n");
        const char *len = strstr(answer, "Content-Length: ");
        assert_true(body && len && len < body);
        assert_int_equal(strtoul(len + 16, NULL, 10), strlen(body + 4));
    }
}

static void each_split_gets_the_same_answer(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } cases[] = {{metrics, "200"}, {"GET /metrics?a=b HTTP/1.1\r\n\r\n", "200"},
        {"GET /healthz HTTP/1.0\r\n\r\n", "200"}, {"GET /readyz HTTP/1.1\r\n\r\n", "200"},
        {"GET / HTTP/1.1\r\n\r\n", "404"}, {"GET /metricsx HTTP/1.1\r\n\r\n", "404"},
        {"GET /metric HTTP/1.1\r\n\r\n", "404"}, {"POST /metrics HTTP/1.1\r\n\r\n", "405"},
        {"GETX /metrics HTTP/1.1\r\n\r\n", "405"}, {"GET /metrics HTTP/2.0\r\n\r\n", "505"},
        {"\r\n\r\n", "400"}, {"GET\r\n\r\n", "400"}, {"GET /metrics\r\n\r\n", "400"},
        {" /metrics HTTP/1.1\r\n\r\n", "400"}, {"GET  /metrics HTTP/1.1\r\n\r\n", "400"},
        {"GET metrics HTTP/1.1\r\n\r\n", "400"}, {"G@T /metrics HTTP/1.1\r\n\r\n", "400"},
        {"GET /metrics HTTP/1.1 \r\n\r\n", "400"}, {"GET /metrics HTTP/1.x\r\n\r\n", "400"},
        {"GET /\x7F HTTP/1.1\r\n\r\n", "400"}, {"GET /metrics HTTP/1.1\nA: b\r\n\r\n", "400"},
        {"GET /metrics HTTP/1.1\r\nA\r\n\r\n", "400"},
        {"GET /metrics HTTP/1.1\r\n: b\r\n\r\n", "400"},
        {"GET /metrics HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400"},
        {"GET /metrics HTTP/1.1\r\nA: b\rc\r\n\r\n", "400"}};
    struct world world;
    world_open(&world, 1024);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(&world, text_bytes(cases[i].request), cases[i].status);
    static const uint8_t nul[] = "GET /\0 HTTP/1.1\r\n\r\n";
    expect(&world, (struct bytes){nul, sizeof(nul) - 1}, "400");
    world_close(&world);
}

static void unfinished_heads_are_waited_for(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1024);
    for (size_t len = 0; len + 1 < sizeof(metrics); len++)
        assert_string_equal(
            ask(&world, (struct bytes){text_bytes(metrics).data, len}, len / 2), "");
    world_close(&world);
}

/* One byte too many is refused however it comes, and the last byte allowed is taken. */
static void heads_have_a_limit(void **state)
{
    (void)state;
    static char head[2 * HTTP_HEAD_BYTES_MAX];
    static const char first[] = "GET /healthz HTTP/1.1\r\nA: ";
    struct world world;
    world_open(&world, 1024);
    memset(head, 'a', sizeof(head));
    memcpy(head, first, sizeof(first) - 1);
    for (unsigned over = 0; over < 2; over++) {
        size_t len = HTTP_HEAD_BYTES_MAX + over;
        memset(head + HTTP_HEAD_BYTES_MAX - 4, 'a', 4);
        memcpy(head + len - 4, "\r\n\r\n", 4);
        struct bytes request = {(const uint8_t *)head, sizeof(head)};
        const char *line = over ? "HTTP/1.1 431 " : "HTTP/1.1 200 ";
        size_t firsts[] = {0, 1, len - 5, len - 4, len - 3, len - 2, len - 1, len, sizeof(head)};
        for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
            assert_memory_equal(ask(&world, request, firsts[i]), line, strlen(line));
    }
    world_close(&world);
}

static void metrics_have_every_counter(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1024);
    const char *answer = ask(&world, text_bytes(metrics), 0);
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        char line[128];
        snprintf(line, sizeof(line), "\ncport_server_%s_total 0\n", counter_names[i]);
        assert_non_null(strstr(answer, line));
    }
    assert_non_null(strstr(answer, "\ncport_server_connections 1\n"));
    world_close(&world);
}

static void who_stops_is_not_ready(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1024);
    atomic_store(&world.shared.stopping, true);
    expect(&world, text_bytes("GET /readyz HTTP/1.1\r\n\r\n"), "503");
    expect(&world, text_bytes("GET /healthz HTTP/1.1\r\n\r\n"), "200");
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_split_gets_the_same_answer),
        cmocka_unit_test(unfinished_heads_are_waited_for),
        cmocka_unit_test(heads_have_a_limit),
        cmocka_unit_test(metrics_have_every_counter),
        cmocka_unit_test(who_stops_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
