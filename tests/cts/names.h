/*
 * What the names that end in ".cts" stand for: this program's own resolver, where the system lets it have one (names_posix.c
 * stands before the C library's). No name server is ever asked.
 *
 *   ADDRESS[,ADDRESS]….cts   those, numeric, in that order
 *   none.cts again.cts fail.cts memory.cts   the resolver's errors
 *   held.ADDRESS….cts        the same as without "held.", but not before names_release
 *
 * All other names are the system's affair. Threading: any thread.
 */
#ifndef CTS_NAMES_H
#define CTS_NAMES_H

void names_hold(void);             /* from here on */
void names_release(void);          /* those that are held, and all that come */
void names_until_held(unsigned n); /* waits until n lookups are held */
unsigned names_asked(void);        /* lookups of such names so far */

#endif
