/* For the static analyser alone: what CMocka's header does not tell it. */
__attribute__((noreturn)) void _fail(const char *file, int line);
