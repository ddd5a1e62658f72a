/*
 * What the benchmark asks of the operating system: os_posix.c (Linux in the details).
 *
 * Ownership: a process is a plain value of the caller from a successful start to os_process_wait or os_process_kill.
 * Threading: one thread at a time.
 * Returns: 0 or more for success and -1 for failure, after a message on standard error that names the cause.
 */
#ifndef BENCH_OS_H
#define BENCH_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct os_process {
    intptr_t id;
    intptr_t output; /* the reading end of its standard output */
};

struct os_facts {
    char os[96];
    char kernel[160];
    char machine[72];
    char cpu[96];
    char mitigations[2048];
    unsigned cpus; /* that this process may use */
    bool is_virtual;
};

/* What a program's file name ends with. */
extern const char os_program_suffix[];

int64_t os_now_ns(void);
int64_t os_self_cpu_ns(void);
int os_pin_self(int core);
void os_facts_read(struct os_facts *ret_facts);

/* Path of a file beside the running program. */
int os_path_beside(const char *relative, char *ret_path, size_t size);
bool os_can_run(const char *path);
/* A new empty file, for a child to write to; the caller removes it. */
int os_temporary_file(char *ret_path, size_t size);

/* argv[0] is looked up in PATH when it has no separator. core -1: any. The child ends when this process does. */
int os_process_start(const char *const argv[], int core, struct os_process *ret_process);
/* One line without its end. Waits for it, and fails when the child ends or stays silent for 60 s. */
int os_process_read_line(struct os_process *p, char *ret_line, size_t size);
/* CPU time of all threads of the process, user and system. */
int os_process_cpu_ns(const struct os_process *p, int64_t *ret_ns);
/* Waits until the process ends by itself; 0 when it did so without a fault. One that takes 30 s is killed. */
int os_process_wait(struct os_process *p);
void os_process_kill(struct os_process *p);

/* Time these cores have spent busy with anything at all, stolen time included, in steps of 10 ms. */
int os_cores_busy_ns(int core_a, int core_b, int64_t *ret_ns);

#endif
