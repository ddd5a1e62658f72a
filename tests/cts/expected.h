/*
 * expected.h: cases that are known to fail on the system at hand, from wine-expected.txt.
 *
 * Ownership: constant. Threading: any.
 */
#ifndef CTS_EXPECTED_H
#define CTS_EXPECTED_H

#include <stdbool.h>

/* Why the case fails here, or NULL: it has to pass. */
const char *cts_expected_reason(const char *config, const char *case_name);

/* Whether this process is one in which the case has to fail. */
bool cts_expected_plain(void);

/* Runs the case in a process of its own, where it has to fail a check, soon or late: 0 if it does. A crash or a hang is no such failure. */
int cts_expected_run(
    const char *program, const char *config, const char *case_name, const char *reason);

#endif
