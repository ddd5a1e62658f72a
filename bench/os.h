/*
 * What the benchmark asks of the operating system: os_posix.c (Linux in the details), os_windows.c.
 *
 * Ownership: a process is a plain value of the caller from a successful start to sys_process_wait or sys_process_kill.
 * Threading: one thread at a time.
 * Returns: 0 or more for success and -1 for failure, after a message on standard error that names the cause.
 */
#ifndef BENCH_OS_H
#define BENCH_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sys_process {
    intptr_t id;
    intptr_t output; /* the reading end of its standard output */
};

struct sys_facts {
    char os[96];
    char kernel[160];
    char emulation[32]; /* what stands in for the system, "Wine 8.0"; "": nothing does */
    char host[160];     /* the kernel under that */
    char machine[72];
    char cpu[96];
    char mitigations[2048]; /* "": the system does not tell */
    unsigned cpus;          /* that this process may use */
    bool is_virtual;
};

/* What a program's file name ends with. */
extern const char sys_program_suffix[];

int64_t sys_now_ns(void);
int64_t sys_self_cpu_ns(void);
int sys_pin_self(int core);
void sys_facts_read(struct sys_facts *ret_facts);

/* Path of a file beside the running program. */
int sys_path_beside(const char *relative, char *ret_path, size_t size);
bool sys_can_run(const char *path);
/* A new empty file, for a child to write to; the caller removes it. */
int sys_temporary_file(char *ret_path, size_t size);

/* argv[0] is looked up in PATH when it has no separator. core -1: any. The child ends when this process does. */
int sys_process_start(const char *const argv[], int core, struct sys_process *ret_process);
/* One line without its end. Waits for it, and fails when the child ends or stays silent for 60 s. */
int sys_process_read_line(struct sys_process *p, char *ret_line, size_t size);
/* Whether sys_process_cpu_ns tells the truth about other processes. */
bool sys_tells_process_cpu(void);
/* CPU time of all threads of the process, user and system; on Windows in steps of up to 16 ms. */
int sys_process_cpu_ns(const struct sys_process *p, int64_t *ret_ns);
/* Memory that is the process's alone, and no file's: what it has written to. */
int sys_process_memory(const struct sys_process *p, int64_t *ret_bytes);
/* As many open files for this process, and those it starts, as the system lets it have. */
void sys_files_raise(void);
/* Waits until the process ends by itself; 0 when it did so without a fault. One that takes 30 s is killed. */
int sys_process_wait(struct sys_process *p);
/* Asks it to end and waits in the same way; on Windows, which has no such request, ends it. */
int sys_process_stop(struct sys_process *p);
void sys_process_kill(struct sys_process *p);

/* Time these cores have spent busy with anything at all, stolen time included, in steps of 10 to 16 ms. */
int sys_cores_busy_ns(int core_a, int core_b, int64_t *ret_ns);

#endif
