/*
 * output: what others wrote, made fit for a terminal or for JSON.
 *
 * Threading: one thread; it all goes to standard output.
 */
#ifndef CPORT_TOOLS_CPORT_CLI_OUTPUT_H
#define CPORT_TOOLS_CPORT_CLI_OUTPUT_H

#include "bytes.h"

/* As it is, but `?` for a control character other than TAB: no text of another client moves the cursor. */
void output_text(struct bytes text);

/* A string in quotes; bytes that are no UTF-8 become U+FFFD. */
void output_json(struct bytes text);

#endif
