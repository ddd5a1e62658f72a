/*
 * The error table, entry by entry. What is expected is listed here by public code; any number that
 * is not listed must become CPORT_EIO.
 */
#include "error.h"

#include <cport/cport.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

struct expectation {
    int code;
    uint32_t numbers[16]; /* up to the first 0 */
};

static const struct expectation win32_expected[] = {
    {CPORT_ENOTSUP, {1, 50, 120, 10042, 10043, 10044, 10045, 10046, 10047}},
    {CPORT_ENOENT, {2, 3, 1168, 11001, 11004}},
    {CPORT_EMFILE, {4, 10024, 10067}},
    {CPORT_EACCES, {5, 19, 1314, 10013}},
    {CPORT_EINVAL,
        {6, 87, 122, 123, 161, 206, 998, 1784, 10009, 10014, 10022, 10038, 10041, 10063}},
    {CPORT_ENOMEM, {8, 14, 1453, 1454, 1455, 1816}},
    {CPORT_EBUSY, {32, 33, 170, 231, 10035}},
    {CPORT_ENOSPC, {39, 112, 223}},
    {CPORT_ECONNRESET, {64, 10052, 10054}},
    {CPORT_EEXIST, {80, 183}},
    {CPORT_EPIPE, {109, 232, 233, 1226, 10058, 10101}},
    {CPORT_ETIMEDOUT, {121, 258, 1460, 10060, 11002}},
    {CPORT_EMSGSIZE, {234, 10040}},
    {CPORT_ECANCELED, {676, 995, 1223, 1235, 10004, 10103, 10111}},
    {CPORT_EABANDONED, {735}},
    {CPORT_ECONNREFUSED, {1225, 1234, 10061}},
    {CPORT_EADDRINUSE, {1227, 10048}},
    {CPORT_EADDRNOTAVAIL, {1228, 10049}},
    {CPORT_ENOTCONN, {1229, 10039, 10057}},
    {CPORT_EALREADY, {1230, 10036, 10037, 10056}},
    {CPORT_ENETUNREACH, {1231, 10050, 10051}},
    {CPORT_EHOSTUNREACH, {1232, 10064, 10065}},
    {CPORT_ECONNABORTED, {1236, 10053}},
    {CPORT_ENOBUFS, {1450, 10055}},
};

static const struct expectation ntstatus_expected[] = {
    {CPORT_ETIMEDOUT, {0x00000102, 0xC00000B5, 0xC000013F}},
    {CPORT_EMSGSIZE, {0x80000005, 0xC0000206}},
    {CPORT_ECANCELED, {0x8000000A, 0xC0000120, 0xC0000240}},
    {CPORT_EBUSY, {0x80000011, 0xC0000043, 0xC0000054, 0xC0000055, 0xC00000AC, 0xC00000AE}},
    {CPORT_ENOTSUP, {0xC0000002, 0xC0000010, 0xC00000BB}},
    {CPORT_EINVAL, {0xC0000005, 0xC0000008, 0xC000000D, 0xC0000023, 0xC0000024, 0xC0000033}},
    {CPORT_ENOMEM, {0xC0000007, 0xC0000017, 0xC0000044, 0xC00000A1, 0xC000012C, 0xC000012D}},
    {CPORT_ENOENT, {0xC000000F, 0xC0000034, 0xC000003A, 0xC0000225}},
    {CPORT_EACCES, {0xC0000022, 0xC0000061, 0xC00000A2}},
    {CPORT_EEXIST, {0xC0000035}},
    {CPORT_ENOSPC, {0xC000007F, 0xC0000904}},
    {CPORT_ENOBUFS, {0xC000009A, 0xC000013D}},
    {CPORT_EPIPE, {0xC00000B0, 0xC00000B1, 0xC000014B, 0xC0000237}},
    {CPORT_ECONNRESET, {0xC00000C9, 0xC000013C, 0xC000013E, 0xC000020B, 0xC000020C, 0xC000020D}},
    {CPORT_EMFILE, {0xC000011F}},
    {CPORT_ECONNABORTED, {0xC000013B, 0xC0000241}},
    {CPORT_ENOTCONN, {0xC0000140, 0xC000023A}},
    {CPORT_EADDRNOTAVAIL, {0xC0000141, 0xC0000207, 0xC0000239}},
    {CPORT_EADDRINUSE, {0xC0000209, 0xC000020A, 0xC0000238}},
    {CPORT_ECONNREFUSED, {0xC0000236, 0xC000023F}},
    {CPORT_EALREADY, {0xC000023B}},
    {CPORT_ENETUNREACH, {0xC000023C}},
    {CPORT_EHOSTUNREACH, {0xC000023D, 0xC000A012}},
};

static const struct expectation errno_expected[] = {
    {CPORT_EINVAL,
        {EINVAL, EBADF, EFAULT, ENOTSOCK, EPROTOTYPE, EISDIR, ESPIPE, ENAMETOOLONG, EOVERFLOW}},
    {CPORT_ENOMEM, {ENOMEM}},
    {CPORT_ENOBUFS, {ENOBUFS}},
    {CPORT_EMFILE, {EMFILE, ENFILE}},
    {CPORT_ECANCELED, {ECANCELED, EINTR}},
    {CPORT_ENOENT, {ENOENT, ENOTDIR}},
    {CPORT_EALREADY, {EALREADY, EINPROGRESS, EISCONN}},
    {CPORT_EBUSY, {EBUSY, EAGAIN, EWOULDBLOCK}},
    {CPORT_ETIMEDOUT, {ETIMEDOUT, ETIME}},
    {CPORT_ECONNREFUSED, {ECONNREFUSED}},
    {CPORT_ECONNRESET, {ECONNRESET, ENETRESET}},
    {CPORT_ECONNABORTED, {ECONNABORTED}},
    {CPORT_EPIPE, {EPIPE}},
    {CPORT_ENETUNREACH, {ENETUNREACH, ENETDOWN}},
    {CPORT_EHOSTUNREACH, {EHOSTUNREACH}},
    {CPORT_EADDRINUSE, {EADDRINUSE}},
    {CPORT_EADDRNOTAVAIL, {EADDRNOTAVAIL}},
    {CPORT_EMSGSIZE, {EMSGSIZE}},
    {CPORT_ENOTSUP, {ENOTSUP, EOPNOTSUPP, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT, ENOPROTOOPT}},
    {CPORT_EACCES, {EACCES, EPERM, EROFS}},
    {CPORT_EEXIST, {EEXIST}},
    {CPORT_ENOTCONN, {ENOTCONN, EDESTADDRREQ}},
    {CPORT_ENOSPC, {ENOSPC, EFBIG}},
/* Not every system has these. */
#ifdef EDQUOT
    {CPORT_ENOSPC, {EDQUOT}},
#endif
#ifdef ESHUTDOWN
    {CPORT_EPIPE, {ESHUTDOWN}},
#endif
#ifdef EHOSTDOWN
    {CPORT_EHOSTUNREACH, {EHOSTDOWN}},
#endif
#ifdef ESOCKTNOSUPPORT
    {CPORT_ENOTSUP, {ESOCKTNOSUPPORT}},
#endif
#ifdef EPFNOSUPPORT
    {CPORT_ENOTSUP, {EPFNOSUPPORT}},
#endif
};

static int errno_code(uint32_t number)
{
    return error_from_errno((int)number);
}

static int expected_code(const struct expectation *expected, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; expected[i].numbers[j] != 0; j++) {
            if (expected[i].numbers[j] == number)
                return expected[i].code;
        }
    }
    return CPORT_EIO;
}

static void check_range(int (*code_of)(uint32_t), const struct expectation *expected, size_t count,
    uint32_t from, uint32_t to)
{
    for (uint32_t number = from; number < to; number++) {
        int code = expected_code(expected, count, number);
        if (code_of(number) != code)
            fail_msg("0x%lx becomes %s and not %s", (unsigned long)number,
                cport_error_name(code_of(number)), cport_error_name(code));
    }
}

static void every_errno_has_its_code(void **state)
{
    (void)state;
    check_range(errno_code, errno_expected, COUNT_OF(errno_expected), 1, 4096);
    assert_int_equal(error_from_errno(0), 0);
    assert_int_equal(error_from_errno(-EINVAL), CPORT_EIO);
}

static void every_win32_error_has_its_code(void **state)
{
    (void)state;
    check_range(error_from_win32, win32_expected, COUNT_OF(win32_expected), 1, 20000);
    assert_int_equal(error_from_win32(0), 0);
    assert_int_equal(error_from_win32(UINT32_MAX), CPORT_EIO);
}

static void every_ntstatus_has_its_code(void **state)
{
    (void)state;
    static const uint32_t severities[] = {0x00000000, 0x40000000, 0x80000000, 0xC0000000};
    for (size_t i = 0; i < COUNT_OF(severities); i++)
        check_range(error_from_ntstatus, ntstatus_expected, COUNT_OF(ntstatus_expected),
            severities[i] + 1, severities[i] + 0x10000);
    assert_int_equal(error_from_ntstatus(0), 0);
    assert_int_equal(error_from_ntstatus(UINT32_MAX), CPORT_EIO);
}

/* The kernel's number and Winsock's for the same event. */
static void both_windows_domains_agree(void **state)
{
    (void)state;
    static const struct {
        uint32_t win32, winsock, ntstatus;
        int code;
    } events[] = {
        {64, 10054, 0xC000020D, CPORT_ECONNRESET},
        {1225, 10061, 0xC0000236, CPORT_ECONNREFUSED},
        {1236, 10053, 0xC0000241, CPORT_ECONNABORTED},
        {121, 10060, 0xC00000B5, CPORT_ETIMEDOUT},
        {1231, 10051, 0xC000023C, CPORT_ENETUNREACH},
        {1232, 10065, 0xC000023D, CPORT_EHOSTUNREACH},
        {234, 10040, 0x80000005, CPORT_EMSGSIZE},
        {1450, 10055, 0xC000009A, CPORT_ENOBUFS},
        {995, 10111, 0xC0000120, CPORT_ECANCELED},
    };
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        assert_int_equal(error_from_win32(events[i].win32), events[i].code);
        assert_int_equal(error_from_win32(events[i].winsock), events[i].code);
        assert_int_equal(error_from_ntstatus(events[i].ntstatus), events[i].code);
    }
}

struct named {
    int code;
    const char *name;
};

#define NAMED(code, number)                                                                        \
    {code, #code},                                                                                 \
    {                                                                                              \
        number, #code                                                                              \
    }

/* The numbers, too: they are the same for ever. */
static const struct named names[] = {
    NAMED(CPORT_EINVAL, -1001),
    NAMED(CPORT_ENOMEM, -1002),
    NAMED(CPORT_ENOBUFS, -1003),
    NAMED(CPORT_EMFILE, -1004),
    NAMED(CPORT_ECANCELED, -1005),
    NAMED(CPORT_ENOENT, -1006),
    NAMED(CPORT_EALREADY, -1007),
    NAMED(CPORT_EBUSY, -1008),
    NAMED(CPORT_ETIMEDOUT, -1009),
    NAMED(CPORT_ECONNREFUSED, -1010),
    NAMED(CPORT_ECONNRESET, -1011),
    NAMED(CPORT_ECONNABORTED, -1012),
    NAMED(CPORT_EPIPE, -1013),
    NAMED(CPORT_ENETUNREACH, -1014),
    NAMED(CPORT_EHOSTUNREACH, -1015),
    NAMED(CPORT_EADDRINUSE, -1016),
    NAMED(CPORT_EADDRNOTAVAIL, -1017),
    NAMED(CPORT_EMSGSIZE, -1018),
    NAMED(CPORT_ENOTSUP, -1019),
    NAMED(CPORT_EACCES, -1020),
    NAMED(CPORT_EEXIST, -1021),
    NAMED(CPORT_EABANDONED, -1022),
    NAMED(CPORT_EWRONGTHREAD, -1023),
    NAMED(CPORT_EIO, -1024),
    NAMED(CPORT_ENOTCONN, -1025),
    NAMED(CPORT_ENOSPC, -1026),
};

static void every_code_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(cport_error_name(names[i].code), names[i].name);
}

static void every_code_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int code = CPORT_EINVAL; code >= CPORT_ENOSPC; code--) {
        assert_true(strlen(cport_strerror(code)) > 8);
        assert_string_not_equal(cport_strerror(code), cport_strerror(INT32_MIN));
        assert_string_not_equal(cport_strerror(code), cport_strerror(0));
        for (int other = CPORT_EINVAL; other > code; other--)
            assert_string_not_equal(cport_strerror(code), cport_strerror(other));
    }
}

static void other_numbers_have_texts_too(void **state)
{
    (void)state;
    static const int unknown[] = {-1, -EINVAL, CPORT_EINVAL + 1, CPORT_ENOSPC - 1, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        assert_string_equal(cport_error_name(unknown[i]), "unknown");
        assert_string_equal(cport_strerror(unknown[i]), cport_strerror(-1));
    }
    static const int success[] = {0, 1, INT32_MAX};
    for (size_t i = 0; i < COUNT_OF(success); i++) {
        assert_string_equal(cport_error_name(success[i]), "success");
        assert_string_equal(cport_strerror(success[i]), cport_strerror(0));
    }
    assert_string_not_equal(cport_strerror(0), cport_strerror(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_errno_has_its_code),
        cmocka_unit_test(every_win32_error_has_its_code),
        cmocka_unit_test(every_ntstatus_has_its_code),
        cmocka_unit_test(both_windows_domains_agree),
        cmocka_unit_test(every_code_has_its_name),
        cmocka_unit_test(every_code_has_a_text_of_its_own),
        cmocka_unit_test(other_numbers_have_texts_too),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
