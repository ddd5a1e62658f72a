/* Files on Windows. */
#include "cts.h"

#include <stdio.h>
#include <windows.h>
#include <winioctl.h>

static HANDLE create(DWORD access, DWORD flags)
{
    char path[CTS_PATH_MOST];
    cts_file_name(path, "");
    HANDLE file = CreateFileA(path, access, 0, NULL, CREATE_NEW,
        FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE | flags, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    return file;
}

cport_os_handle cts_file_open(void)
{
    return (cport_os_handle)create(GENERIC_READ | GENERIC_WRITE | DELETE, 0);
}

cport_os_handle cts_folder_open(void)
{
    HANDLE folder = CreateFileA("C:\\", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
        OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
    CHECK(folder != INVALID_HANDLE_VALUE);
    return (cport_os_handle)folder;
}

cport_os_handle cts_appending_open(void)
{
    return (cport_os_handle)create(FILE_APPEND_DATA | SYNCHRONIZE | DELETE, FILE_FLAG_OVERLAPPED);
}

void cts_file_close(cport_os_handle file)
{
    CHECK(CloseHandle((HANDLE)file));
}

void cts_file_name(char ret_path[CTS_PATH_MOST], const char *ending)
{
    char folder[MAX_PATH];
    CHECK(GetTempPathA(sizeof folder, folder) > 0);
    snprintf(ret_path, CTS_PATH_MOST, "%scport-cts-%lu-%lld%s", folder, GetCurrentProcessId(),
        (long long)cts_now_ns(), ending);
}

void cts_file_remove(const char *path)
{
    wchar_t wide[CTS_PATH_MOST];
    CHECK(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, CTS_PATH_MOST) > 0);
    CHECK(DeleteFileW(wide));
}

void cts_file_truncate(cport_os_handle file, uint64_t size)
{
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)size};
    CHECK(SetFileInformationByHandle((HANDLE)file, FileEndOfFileInfo, &end, sizeof end));
}

void cts_file_sparse(cport_os_handle file)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    DWORD n;
    /* Where it cannot be had, the case takes longer. */
    if (!DeviceIoControl((HANDLE)file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &n, &overlapped) &&
        GetLastError() == ERROR_IO_PENDING)
        (void)GetOverlappedResult((HANDLE)file, &overlapped, &n, TRUE);
    CloseHandle(overlapped.hEvent);
}

void cts_disk_limit(uint64_t bytes, char ret_path[CTS_PATH_MOST])
{
    cts_fail(
        __FILE__, __LINE__, "no disk of %llu bytes for %s", (unsigned long long)bytes, ret_path);
}
