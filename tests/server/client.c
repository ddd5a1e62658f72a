#include "client.h"

#include <stdio.h>

#define WORDS_MAX 16

struct child *client_start(uint16_t tcp_port, const char *const *words)
{
    char number[8];
    const char *argv[WORDS_MAX + 1] = {getenv("CPORT_CLI"), "--port", number};
    size_t count = 3;
    snprintf(number, sizeof(number), "%u", tcp_port);
    for (; *words; words++) {
        assert_true(count < WORDS_MAX);
        argv[count++] = *words;
    }
    struct child *child = child_start(argv);
    assert_non_null(child);
    return child;
}

void client_wait(struct child *child, struct outcome *outcome)
{
    size_t used = 0;
    while (used + 1 < sizeof(outcome->output) &&
           child_line(child, outcome->output + used, sizeof(outcome->output) - used - 1)) {
        used += strlen(outcome->output + used);
        outcome->output[used++] = '\n';
    }
    outcome->output[used] = '\0';
    char more[256];
    while (child_line(child, more, sizeof(more)))
        continue; /* or it would wait for us */
    outcome->status = child_wait(child, outcome->errors, sizeof(outcome->errors));
}

void client_run(struct outcome *outcome, int status, uint16_t tcp_port, const char *const *words)
{
    client_wait(client_start(tcp_port, words), outcome);
    if (outcome->status != status)
        fail_msg("%s: status %d, not %d: %s", words[0], outcome->status, status, outcome->errors);
}
