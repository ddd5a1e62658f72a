#include "commit.h"
#include "report.h"

#include <string.h>
#include <time.h>

void report_start(struct report *ret_report, const char *bench)
{
    time_t now = time(NULL);
    memset(ret_report, 0, sizeof *ret_report);
    snprintf(ret_report->bench, sizeof ret_report->bench, "%s", bench);
    strftime(ret_report->date, sizeof ret_report->date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    snprintf(ret_report->commit, sizeof ret_report->commit, "%s", BENCH_COMMIT);
    snprintf(ret_report->compiler, sizeof ret_report->compiler, "%s", BENCH_COMPILER);
    sys_facts_read(&ret_report->facts);
}
