/*
 * What the handlers of `cport-bench blocked` do: nothing but the echo, or in one message of a hundred something that takes long.
 * Threading: every call from any thread.
 */
#ifndef BENCH_HANDLERS_H
#define BENCH_HANDLERS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "none", "sleep" (5 ms) or "burn" (2 ms of processor time). NULL: "none". Before any thread is started. */
void handlers_choose(const char *name);
/* For handlers_run alone. */
extern bool handlers_do_something;
void handlers_run_chosen(void (*begin)(void), void (*end)(void));
/* Once per message. told: where this sleeps, it says so with these; both may be NULL. */
static inline void handlers_run(void (*begin)(void), void (*end)(void))
{
    if (handlers_do_something)
        handlers_run_chosen(begin, end);
}

#ifdef __cplusplus
}
#endif

#endif
