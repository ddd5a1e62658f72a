/* A server that is stopped and started a hundred times in one process, at the same address. */
#include "e2e.h"
#include "inside.h"

#include <dirent.h>
#include <time.h>

static unsigned entries(const char *folder)
{
    unsigned count = 0;
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (const struct dirent *entry; (entry = readdir(list));)
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

/* A thread that was joined may be listed for another moment. */
static void expect_no_more(const char *folder, unsigned count)
{
    time_t end = time(NULL) + 60;
    while (entries(folder) > count && time(NULL) < end)
        continue;
    assert_true(entries(folder) <= count);
}

static void a_hundred_times_at_the_same_address(void **state)
{
    (void)state;
    static struct inside inside;
    unsigned descriptors = 0, threads = 0;
    uint16_t tcp_port = 0;
    for (unsigned round = 0; round < 100; round++) {
        const char *const options[] = {"--workers", round % 2 ? "1" : "2", "--backend",
            round % 4 < 2 ? "auto" : "epoll", "--drain-timeout", "1m", NULL};
        inside_start(&inside, tcp_port, NULL, options);
        tcp_port = inside.tcp_port;
        cport_os_handle fd = net_connect(tcp_port);
        assert_true(fd != CPORT_OS_HANDLE_INVALID);
        e2e_send(fd, "\x10", 1);
        e2e_echo(fd, round, "hello", 5);
        /* Now the client closes first, now the server: either leaves its side waiting for stragglers. */
        if (round % 3 == 0)
            net_close(fd);
        inside_ask_to_stop(&inside);
        if (round % 3 != 0) {
            e2e_message_expect(fd, MESSAGE_GOAWAY, 0, STATUS_SHUTTING_DOWN, 0, "", 0);
            e2e_expect_end(fd);
            net_close(fd);
        }
        assert_int_equal(inside_join(&inside), 0);
        if (round == 0) { /* sanitizers have threads of their own by now */
            descriptors = entries("/proc/self/fd");
            threads = entries("/proc/self/task");
        }
        expect_no_more("/proc/self/fd", descriptors);
        expect_no_more("/proc/self/task", threads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_times_at_the_same_address),
    };
    if (!inside_prepare())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
