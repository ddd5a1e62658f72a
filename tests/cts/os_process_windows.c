/* Processes and handles on Windows. */
#include "cts.h"

#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

unsigned cts_descriptors_open(void)
{
    DWORD count = 0;
    CHECK(GetProcessHandleCount(GetCurrentProcess(), &count));
    return count;
}

bool cts_descriptor_is_open(cport_os_handle fd)
{
    int type, len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, (char *)&type, &len) == 0;
}

int cts_run_self(const char *program, const char *config, const char *case_name)
{
    return (int)_spawnl(
        _P_WAIT, program, "cts", "--config", config, "--case", case_name, (char *)NULL);
}

void cts_setenv(const char *name, const char *value)
{
    SetEnvironmentVariableA(name, value);
    _putenv_s(name, value != NULL ? value : "");
}

void cts_exit_now(int code)
{
    fflush(NULL);
    _exit(code);
}

void cts_os_start(void)
{
    WSADATA data;
    CHECK_EQ(WSAStartup(MAKEWORD(2, 2), &data), 0);
    SetErrorMode(
        SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* a crash must not wait for a click */
}
