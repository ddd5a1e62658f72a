#include "handlers.h"

#include "peer.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVERY    100
#define SLEEP_NS 5000000
#define BURN_NS  2000000

static enum { HANDLERS_NONE, HANDLERS_SLEEP, HANDLERS_BURN } kind;
static atomic_uint messages;
bool handlers_do_something;

void handlers_choose(const char *name)
{
    if (name == NULL || strcmp(name, "none") == 0)
        kind = HANDLERS_NONE;
    else if (strcmp(name, "sleep") == 0)
        kind = HANDLERS_SLEEP;
    else if (strcmp(name, "burn") == 0)
        kind = HANDLERS_BURN;
    else
        peer_die("no such handlers", 0);
    handlers_do_something = kind != HANDLERS_NONE;
}

static int64_t used_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void burn(void)
{
    for (int64_t end = used_ns() + BURN_NS; used_ns() < end;)
        continue;
}

void handlers_run_chosen(void (*begin)(void), void (*end)(void))
{
    static const struct timespec pause = {0, SLEEP_NS};
    if ((atomic_fetch_add_explicit(&messages, 1, memory_order_relaxed) + 1) % EVERY != 0)
        return;
    if (kind == HANDLERS_BURN) {
        burn();
        return;
    }
    if (begin != NULL)
        begin();
    nanosleep(&pause, NULL);
    if (end != NULL)
        end();
}
