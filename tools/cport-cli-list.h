/*
 * list: what a server tells about folders, clients and counters, printed. Nothing of it is believed: names may hold anything, and
 * what should be a number may be none.
 *
 * Threading: one thread; it all goes to standard output.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_LIST_H
#define CPORT_TOOLS_CPORT_CLI_LIST_H

#include "command.h"

#include <stdbool.h>

/* Folders or files, as lines or as elements of an array that begins elsewhere. *first: nothing goes before. */
void list_items(const struct command *command, bool folders, bool json, bool *first);

void list_clients(const struct command *command, bool json);
void list_stats(const struct command *command, bool json);

#endif
