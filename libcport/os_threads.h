/*
 * os_threads.h: where threads run, and what the system tells of them. Not for systems whose kernel is the completion port.
 * Threading. From any thread.
 */
#ifndef CPORT_OS_THREADS_H
#define CPORT_OS_THREADS_H

#include "os.h"

/* From now on it runs only while its processor has nothing else to do. There may be no way back. 0, or CPORT_ENOTSUP. */
int os_thread_set_idle(const struct os_thread *thread);
/* Lets it run on every processor of the process, as far as that can be told. */
void os_thread_unbind(const struct os_thread *thread);

/* The calling thread's number, by which others ask for it; and the one processor that it may use, or -1. */
uint32_t os_thread_number(void);
int os_thread_only_cpu(void);

/* The processor time that a thread of this process has used. False: it has ended. */
bool os_thread_cpu_ns(uint32_t number, int64_t *ret_ns);
/* Is it off the processor, waiting for something, and not merely for its turn? */
bool os_thread_sleeps(uint32_t number);
/* Whether the system tells. */
bool os_threads_can_be_watched(void);

#endif
