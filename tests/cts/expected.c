#include "expected.h"

#include "cts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A case that passes as often as this is no failure. */
enum { RUNS_MAX = 8 };

struct expected {
    const char *system;
    const char *config; /* or * */
    const char *case_name;
    const char *reason;
};

static const struct expected list[] = {
#include "wine_expected.def"
    {NULL, NULL, NULL, NULL},
};

/* Set for the process that cts_expected_run starts: it runs the case as it is. */
static const char plain[] = "CTS_PLAIN";

bool cts_expected_plain(void)
{
    return getenv(plain) != NULL;
}

const char *cts_expected_reason(const char *config, const char *case_name)
{
    const char *system = cts_os_emulation();
    if (cts_expected_plain())
        return NULL;
    for (const struct expected *e = list; e->system != NULL; e++)
        if (strcmp(e->system, system) == 0 && strcmp(e->case_name, case_name) == 0 &&
            (strcmp(e->config, "*") == 0 || strcmp(e->config, config) == 0))
            return e->reason;
    return NULL;
}

int cts_expected_run(
    const char *program, const char *config, const char *case_name, const char *reason)
{
    cts_setenv(plain, "1");
    /* On a busy machine the fault may not show: threads that come late cannot do what they should not. */
    int code = 0;
    for (int run = 0; run < RUNS_MAX && code == 0; run++)
        code = cts_run_self(program, config, case_name);
    if (code == 1) {
        printf("fails as expected on %s: %s\n", cts_os_emulation(), reason);
        return 0;
    }
    fprintf(
        stderr, "%s is expected to fail on %s (%s), but ", case_name, cts_os_emulation(), reason);
    if (code == 0)
        fprintf(stderr, "it passes: take it off the list\n");
    else
        fprintf(stderr, "ended with code %d\n", code);
    return 1;
}
