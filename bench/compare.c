#include "commands.h"
#include "report.h"

#include <stdlib.h>

int command_compare(int argc, char **argv)
{
    unsigned count = 0;
    int status = 1;
    struct report *reports = calloc((size_t)argc, sizeof *reports);

    if (argc < 2) {
        fprintf(stderr, "usage: cport-bench compare FILE...\n");
        goto free_reports;
    }
    if (reports == NULL) {
        fprintf(stderr, "no memory\n");
        goto free_reports;
    }
    for (int i = 1; i < argc; i++, count++) {
        if (report_read(argv[i], &reports[count]) != 0)
            goto free_reports;
    }
    report_print(reports, count, stdout);
    status = 0;
free_reports:
    while (count > 0)
        report_free(&reports[--count]);
    free(reports);
    return status;
}
