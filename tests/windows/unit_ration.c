/*
 * Windows that works on two TransmitFile calls at a time: none is made there, and a file arrives all the same, whoever else does
 * not read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "functions.h"

#define MS         INT64_C(1000000)
#define PATIENT_NS (INT64_C(60000) * MS)

enum { UNREAD_MOST = 3, FILE_BYTES = 8000000 };

static LPFN_TRANSMITFILE system_transmit_file;
static unsigned asked;

static BOOL PASCAL count_transmit(SOCKET s, HANDLE file, DWORD bytes, DWORD each,
    OVERLAPPED *overlapped, TRANSMIT_FILE_BUFFERS *around, DWORD flags)
{
    asked++;
    return system_transmit_file(s, file, bytes, each, overlapped, around, flags);
}

/* As if the system were one that rations, or not. */
static void stand_in(bool rationed)
{
    assert_int_equal(functions_load(), 0);
    struct functions *f = (struct functions *)(uintptr_t)functions();
    if (!system_transmit_file)
        system_transmit_file = f->transmit_file;
    f->transmit_file = count_transmit;
    f->transmits_rationed = rationed;
    asked = 0;
}

static void expect_event(cport_port *port, const cport_op *op, int64_t result)
{
    cport_event ev;
    assert_int_equal(cport_wait(port, &ev, 1, PATIENT_NS), 1);
    assert_ptr_equal(ev.op, op);
    assert_int_equal(ev.result, result);
}

static void open_file(cport_port *port, cport_handle **ret_file)
{
    static uint8_t bytes[FILE_BYTES];
    char folder[MAX_PATH], path[MAX_PATH];
    cport_os_handle fd;
    cport_op op = {0};
    assert_true(GetTempPathA(sizeof(folder), folder));
    assert_true(GetTempFileNameA(folder, "cp", 0, path));
    HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
        FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    assert_true(file != INVALID_HANDLE_VALUE);
    fd = (cport_os_handle)file;
    assert_int_equal(cport_attach(port, fd, 1, 0, ret_file), 0);
    for (size_t i = 0; i < FILE_BYTES; i++)
        bytes[i] = (uint8_t)(i % 251);
    assert_int_equal(cport_write(*ret_file, &op, bytes, FILE_BYTES, 0, 0), 0);
    expect_event(port, &op, FILE_BYTES);
}

static cport_handle *open_pair(cport_port *port, SOCKET *ret_peer)
{
    cport_handle *h;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(at);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *ret_peer = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*ret_peer, (struct sockaddr *)&at, sizeof(at)), 0);
    SOCKET s = accept(listener, NULL, NULL);
    assert_true(s != INVALID_SOCKET);
    closesocket(listener);
    assert_int_equal(cport_attach(port, s, 2, 0, &h), 0);
    return h;
}

static DWORD WINAPI read_file(void *peer)
{
    static char scrap[65536];
    size_t at = 0;
    int n;
    while (at < FILE_BYTES && (n = recv(*(SOCKET *)peer, scrap, sizeof(scrap), 0)) > 0)
        for (int i = 0; i < n; i++, at++)
            if ((uint8_t)scrap[i] != at % 251)
                return 0;
    return (DWORD)at;
}

/* Sends a file to some who do not read, and to one who does. Returns how often the system was asked to. */
static unsigned send_files(bool rationed, int unread)
{
    static cport_op stalled[UNREAD_MOST];
    cport_port_options opt = {.size = sizeof(opt), .flags = CPORT_PORT_SINGLE};
    cport_port_info info = {.size = sizeof(info)};
    cport_handle *handles[UNREAD_MOST + 1], *file;
    SOCKET peers[UNREAD_MOST + 1];
    cport_port *port;
    cport_op op = {0};
    DWORD got = 0;
    stand_in(rationed);
    assert_int_equal(cport_port_open(&opt, &port), 0);
    assert_int_equal(cport_port_get_info(port, &info), 0);
    assert_int_equal((info.native & CPORT_CAP_SENDFILE) != 0, !rationed);
    assert_true(info.caps & CPORT_CAP_SENDFILE);
    open_file(port, &file);
    for (int i = 0; i <= unread; i++)
        handles[i] = open_pair(port, &peers[i]);
    for (int i = 0; i < unread; i++)
        assert_int_equal(cport_sendfile(handles[i], &stalled[i], file, 0, 0, NULL, 0), 0);
    HANDLE reader = CreateThread(NULL, 0, read_file, &peers[unread], 0, NULL);
    assert_int_equal(cport_sendfile(handles[unread], &op, file, 0, 0, NULL, 0), 0);
    expect_event(port, &op, FILE_BYTES);
    WaitForSingleObject(reader, INFINITE);
    assert_true(GetExitCodeThread(reader, &got));
    assert_int_equal(got, FILE_BYTES);
    CloseHandle(reader);
    for (int i = 0; i <= unread; i++) {
        memset(&op, 0, sizeof(op));
        assert_int_equal(cport_close(handles[i], &op, CPORT_ABORT), 0);
        if (i < unread)
            expect_event(port, &stalled[i], CPORT_ECANCELED);
        expect_event(port, &op, 0);
        closesocket(peers[i]);
    }
    memset(&op, 0, sizeof(op));
    assert_int_equal(cport_close(file, &op, 0), 0);
    expect_event(port, &op, 0);
    assert_int_equal(cport_port_close(port), 0);
    return asked;
}

static void a_rationed_call_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(send_files(true, UNREAD_MOST), 0);
}

/* To one alone: this system may really be one that rations. */
static void another_is_made(void **state)
{
    (void)state;
    assert_true(send_files(false, 0) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rationed_call_is_not_made),
        cmocka_unit_test(another_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
