#include "cport-cli-progress.h"

#include "cport-cli-os.h"

#include <stdio.h>

#define WIDTH       40
#define INTERVAL_NS INT64_C(100000000)

static bool line_open;

void progress_begin(
    struct progress *progress, bool wanted, int64_t first, int64_t all, int64_t now_ns)
{
    *progress = (struct progress){.shown = wanted && cli_shows_progress(),
        .all = all,
        .first = first,
        .started_ns = now_ns,
        .drawn_ns = now_ns - INTERVAL_NS};
}

void progress_text(char text[PROGRESS_TEXT_BYTES], int64_t done, int64_t all, double bytes_per_s)
{
    double share = all > 0 ? (double)done / (double)all : 1;
    int part = share >= 1 ? WIDTH : (int)(share * WIDTH);
    snprintf(text, PROGRESS_TEXT_BYTES, "[%.*s%*s] %3d %% %9.1f MB %7.1f MB/s", part,
        "########################################", WIDTH - part, "",
        share >= 1 ? 100 : (int)(share * 100), (double)done / 1e6, bytes_per_s / 1e6);
}

void progress_show(struct progress *progress, int64_t done, int64_t now_ns)
{
    char text[PROGRESS_TEXT_BYTES];
    if (!progress->shown || (done < progress->all && now_ns - progress->drawn_ns < INTERVAL_NS))
        return;
    double seconds = (double)(now_ns - progress->started_ns) / 1e9;
    progress->drawn_ns = now_ns;
    progress_text(
        text, done, progress->all, seconds > 0 ? (double)(done - progress->first) / seconds : 0);
    fprintf(stderr, "\r%s", text);
    (void)fflush(stderr);
    line_open = true;
}

void progress_end(void)
{
    if (!line_open)
        return;
    fputc('\n', stderr);
    line_open = false;
}
