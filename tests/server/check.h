/* CMocka and what its header forgets to include. */
#ifndef CPORT_TESTS_SERVER_CHECK_H
#define CPORT_TESTS_SERVER_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bytes.h"

static inline struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline void assert_bytes(struct bytes bytes, const void *expected, size_t len)
{
    assert_int_equal(bytes.len, len);
    if (len > 0)
        assert_memory_equal(bytes.data, expected, len);
}

#endif
