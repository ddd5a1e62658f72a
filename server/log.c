#include "log.h"

#include "os.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_BYTES ((size_t)256 << 10)

static atomic_int log_least = LOG_INFO;
static const char *log_name = ""; /* constant after log_open */

/* Two queues of lines, each ended by a newline: one fills while the writer has the other. */
static struct {
    struct sys_lock *lock;
    struct sys_signal *more; /* of the lock */
    struct sys_thread *thread;
    char *filling;
    size_t filled;
    char *writing;
    unsigned long long lost;
    bool reopen;
    bool ending;
    FILE *file; /* the writer's, while there is one */
    void (*listen)(void *ctx, const char *line, size_t len);
    void *listen_ctx;
} writer;

bool log_open(enum log_level least, const char *file)
{
    log_level_set(least);
    log_name = file;
    writer.file = file[0] != '\0' ? fopen(file, "ab") : stderr;
    return writer.file != NULL;
}

void log_level_set(enum log_level least)
{
    atomic_store_explicit(&log_least, least, memory_order_relaxed);
}

size_t log_escape(const char *text, size_t len, char *ret_text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        /* A backslash too, or it could not be told from our own. */
        size_t needed = c < 0x20 || c > 0x7E || c == '\\' ? 4 : 1;
        if (used + needed >= size)
            break;
        if (needed == 1) {
            ret_text[used++] = (char)c;
        } else {
            ret_text[used++] = '\\';
            ret_text[used++] = 'x';
            ret_text[used++] = digits[c >> 4];
            ret_text[used++] = digits[c & 15];
        }
    }
    if (size > 0)
        ret_text[used] = '\0';
    return used;
}

/* ---- Writing ---- */

static void file_reopen(void)
{
    if (log_name[0] == '\0')
        return;
    FILE *file = fopen(log_name, "ab");
    if (!file)
        return; /* the old one, under whatever name, is better than none */
    if (writer.file != stderr)
        (void)fclose(writer.file);
    writer.file = file;
}

static void listeners_tell(const char *lines, size_t len)
{
    while (writer.listen && len > 0) {
        const char *end = memchr(lines, '\n', len);
        size_t line = end ? (size_t)(end - lines) : len;
        writer.listen(writer.listen_ctx, lines, line);
        line += end ? 1 : 0;
        lines += line;
        len -= line;
    }
}

static void writer_main(void *arg)
{
    (void)arg;
    sys_lock_take(writer.lock);
    while (writer.filled > 0 || writer.reopen || !writer.ending) {
        if (writer.filled == 0 && !writer.reopen) {
            sys_signal_wait(writer.more, writer.lock);
            continue;
        }
        char *lines = writer.filling;
        size_t len = writer.filled;
        unsigned long long lost = writer.lost;
        bool reopen = writer.reopen;
        writer.filling = writer.writing;
        writer.writing = lines;
        writer.filled = 0;
        writer.lost = 0;
        writer.reopen = false;
        sys_lock_give(writer.lock);

        if (reopen)
            file_reopen();
        (void)fwrite(lines, 1, len, writer.file);
        if (lost > 0)
            fprintf(
                writer.file, "*** %llu lines lost: the log could not be written as fast\n", lost);
        (void)fflush(writer.file);
        listeners_tell(lines, len);
        sys_lock_take(writer.lock);
    }
    sys_lock_give(writer.lock);
}

static void writer_free(void)
{
    sys_signal_free(writer.more);
    sys_lock_free(writer.lock);
    free(writer.filling);
    free(writer.writing);
    writer.more = NULL;
    writer.lock = NULL;
    writer.filling = NULL;
    writer.writing = NULL;
}

bool log_start(void (*listen)(void *ctx, const char *line, size_t len), void *ctx)
{
    writer.lock = sys_lock_new();
    writer.more = sys_signal_new();
    writer.filling = malloc(QUEUE_BYTES);
    writer.writing = malloc(QUEUE_BYTES);
    writer.listen = listen;
    writer.listen_ctx = ctx;
    writer.ending = false;
    if (writer.lock && writer.more && writer.filling && writer.writing &&
        sys_thread_start(writer_main, NULL, &writer.thread))
        return true;
    writer_free();
    return false;
}

void log_stop(void)
{
    if (!writer.lock)
        return;
    sys_lock_take(writer.lock);
    writer.ending = true;
    sys_signal_all(writer.more);
    sys_lock_give(writer.lock);
    sys_thread_join(writer.thread);
    writer_free();
}

void log_reopen(void)
{
    if (!writer.lock)
        return;
    sys_lock_take(writer.lock);
    writer.reopen = true;
    sys_signal_one(writer.more);
    sys_lock_give(writer.lock);
}

static void line_queue(const char *line, size_t len)
{
    sys_lock_take(writer.lock);
    if (len > QUEUE_BYTES - writer.filled) {
        writer.lost++;
    } else {
        memcpy(writer.filling + writer.filled, line, len);
        if (writer.filled == 0)
            sys_signal_one(writer.more);
        writer.filled += len;
    }
    sys_lock_give(writer.lock);
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    if ((int)level < atomic_load_explicit(&log_least, memory_order_relaxed))
        return;

    char pairs[LOG_LINE_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(pairs, sizeof(pairs), format, arguments);
    va_end(arguments);
    size_t len = wanted < 0                       ? 0
                 : (size_t)wanted < sizeof(pairs) ? (size_t)wanted
                                                  : sizeof(pairs) - 1;

    char line[LOG_LINE_BYTES];
    char time[SYS_TIME_TEXT_BYTES];
    sys_time_text(sys_unix_ns(), time);
    size_t used =
        (size_t)snprintf(line, sizeof(line), "%s %s event=%s ", time, names[level], event);
    used += log_escape(pairs, len, line + used, sizeof(line) - 1 - used);
    line[used++] = '\n';
    if (writer.lock)
        line_queue(line, used);
    else
        fwrite(line, 1, used, writer.file ? writer.file : stderr);
}
