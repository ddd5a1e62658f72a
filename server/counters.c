#include "counters.h"

#define COUNTER_TEXT(name, help) #name,
const char *const counter_names[COUNTER_COUNT] = {COUNTERS(COUNTER_TEXT)};
#undef COUNTER_TEXT

#define COUNTER_TEXT(name, help) help,
const char *const counter_helps[COUNTER_COUNT] = {COUNTERS(COUNTER_TEXT)};
