#include "sample.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static bool entries(long pid, const char *folder, unsigned *ret_count)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/%s", pid, folder);
    DIR *list = opendir(path);
    if (!list)
        return false;
    *ret_count = 0;
    for (const struct dirent *entry; (entry = readdir(list));)
        *ret_count += entry->d_name[0] != '.';
    closedir(list);
    return true;
}

static bool line_value(const char *path, const char *key, uint64_t *ret_kib)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file)) {
        found = strncmp(line, key, strlen(key)) == 0;
        if (found)
            *ret_kib = strtoull(line + strlen(key), NULL, 10);
    }
    fclose(file);
    return found;
}

bool sample_take(long pid, struct sample *ret_sample)
{
    char rollup[64], status[64];
    snprintf(rollup, sizeof(rollup), "/proc/%ld/smaps_rollup", pid);
    snprintf(status, sizeof(status), "/proc/%ld/status", pid);
    return (line_value(rollup, "Rss:", &ret_sample->rss_kib) ||
               line_value(status, "VmRSS:", &ret_sample->rss_kib)) &&
           entries(pid, "fd", &ret_sample->descriptors) &&
           entries(pid, "task", &ret_sample->threads);
}

bool metrics_ask(uint16_t admin_port, struct metrics *ret_metrics)
{
    static const char question[] = "GET /metrics HTTP/1.1\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(admin_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 60};
    size_t used = 0;
    ssize_t got = -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) > 0) {
        while (
            (got = recv(fd, ret_metrics->text + used, sizeof(ret_metrics->text) - 1 - used, 0)) > 0)
            used += (size_t)got;
    }
    ret_metrics->text[used] = '\0';
    close(fd);
    return got == 0 && used > 0;
}

uint64_t metrics_value(const struct metrics *metrics, const char *name)
{
    char key[96];
    int len = snprintf(key, sizeof(key), "\ncport_server_%s", name);
    const char *at = strstr(metrics->text, key);
    if (!at)
        return UINT64_MAX;
    at += len;
    if (strncmp(at, "_total", 6) == 0)
        at += 6;
    return *at == ' ' ? strtoull(at, NULL, 10) : UINT64_MAX;
}
