/* pool_under_test.h for Linux. */
#include "pool_under_test.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void os_pause(void)
{
    struct timespec pause = {0, 100000};
    nanosleep(&pause, NULL);
}

void os_env_set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

unsigned os_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

void os_name(char *text, size_t size)
{
    if (pthread_getname_np(pthread_self(), text, size) != 0)
        text[0] = '\0';
}

void os_affinity(char *text, size_t size)
{
    cpu_set_t set;
    size_t len = 0;
    text[0] = '\0';
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return;
    for (unsigned i = 0; i < CPU_SETSIZE && len < size; i++) {
        unsigned last = i;
        if (!CPU_ISSET(i, &set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set))
            last++;
        len += (size_t)snprintf(
            text + len, size - len, last > i ? "%s%u-%u" : "%s%u", len ? "," : "", i, last);
        i = last;
    }
}
