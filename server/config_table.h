/*
 * config_table: the options, for those who parse them and those who describe them. Names are as in the file; on the command line
 * '-' stands for '_'.
 *
 * Threading: constant.
 */
#ifndef CPORT_SERVER_CONFIG_TABLE_H
#define CPORT_SERVER_CONFIG_TABLE_H

#include "config.h"

#include <stddef.h>

enum option_kind {
    OPTION_TEXT,
    OPTION_FLAG,
    OPTION_COUNT,
    OPTION_BYTES,
    OPTION_TIME,
    OPTION_CHOICE
};

struct option_choice {
    const char *name;
    int64_t value;
};

struct option {
    const char *section; /* NULL: on the command line alone */
    const char *name;
    enum option_kind kind;
    size_t offset;
    int64_t min, max;    /* of a text: its memory */
    const char *initial; /* text, so that the help shows what the parser reads */
    const struct option_choice *choices;
    const char *takes;
    const char *help;
};

extern const struct option options[];
extern const size_t option_count;

/* Case matters; '-' and '_' do not differ. NULL: there is none. */
const struct option *option_find(const char *name, size_t len);

/* False: the option does not take this, and the config is as it was. */
bool option_set(const struct option *option, const char *text, struct config *config);

/* Digits alone, for what is not an option of its own. */
bool option_number(const char *text, int64_t *ret_value);

bool config_reads_files(void); /* false: this build reads none, and says so */

/* Reads a file of the format INI over the config. */
bool config_file_read(const char *name, struct config *config, char error[CONFIG_ERROR_BYTES]);

/* The same of a text, for tests and fuzzers. */
bool config_text_read(const char *text, struct config *config, char error[CONFIG_ERROR_BYTES]);

#endif
