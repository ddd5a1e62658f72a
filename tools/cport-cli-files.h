/*
 * files: names on the server, as its commands want them.
 *
 * Ownership: a remote borrows the text that it was split from, until remote_clear. Threading: one thread.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_FILES_H
#define CPORT_TOOLS_CPORT_CLI_FILES_H

#include <stdbool.h>

/* Everything before the last '/', and the rest. */
struct remote {
    char *folder;
    const char *name;
};

bool remote_split(const char *text, struct remote *ret_remote); /* false: no memory */
void remote_clear(struct remote *remote);

#endif
