#include "report.h"

#include <stdlib.h>
#include <string.h>

struct report_row *report_add_row(struct report *r)
{
    struct report_row *grown = realloc(r->rows, (r->row_count + 1) * sizeof *grown);
    if (grown == NULL) {
        fprintf(stderr, "no memory for the report\n");
        return NULL;
    }
    r->rows = grown;
    struct report_row *row = &grown[r->row_count++];
    memset(row, 0, sizeof *row);
    return row;
}

void report_free(struct report *r)
{
    free(r->rows);
    r->rows = NULL;
    r->row_count = 0;
}
