/*
 * os_file_windows.c: the files of os.h for Windows.
 */
#include "error.h"
#include "os.h"

#include <windows.h>

/* The longest path there is, in UTF-16 units. */
#define PATH_MOST 32768

static DWORD access_of(uint32_t flags)
{
    return (flags & CPORT_FILE_READ ? GENERIC_READ : 0u) |
           (flags & CPORT_FILE_WRITE ? GENERIC_WRITE : 0u);
}

static DWORD disposition_of(uint32_t flags)
{
    if (flags & CPORT_FILE_EXCLUSIVE)
        return CREATE_NEW;
    if (flags & CPORT_FILE_CREATE)
        return flags & CPORT_FILE_TRUNCATE ? CREATE_ALWAYS : OPEN_ALWAYS;
    return flags & CPORT_FILE_TRUNCATE ? TRUNCATE_EXISTING : OPEN_EXISTING;
}

static int last_error(void)
{
    return error_from_win32(GetLastError());
}

static int path_wide(const char *path, wchar_t **ret_wide)
{
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    if (length <= 0 || length > PATH_MOST)
        return CPORT_EINVAL;
    wchar_t *wide = os_alloc((size_t)length * sizeof(*wide), _Alignof(wchar_t));
    if (!wide)
        return CPORT_ENOMEM;
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, length);
    *ret_wide = wide;
    return 0;
}

int os_file_open(const char *path, uint32_t flags, uint32_t mode, cport_os_handle *ret_fd)
{
    (void)mode;
    wchar_t *wide;
    int r = path_wide(path, &wide);
    if (r < 0)
        return r;
    /* Others may open, rename and delete it meanwhile, as they may elsewhere. */
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    const DWORD how =
        FILE_FLAG_OVERLAPPED | (flags & CPORT_FILE_DIRECT ? FILE_FLAG_NO_BUFFERING : 0u);
    HANDLE file =
        CreateFileW(wide, access_of(flags), share, NULL, disposition_of(flags), how, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();
        DWORD attributes = GetFileAttributesW(wide);
        bool folder = attributes != INVALID_FILE_ATTRIBUTES &&
                      (attributes & FILE_ATTRIBUTE_DIRECTORY) && error == ERROR_ACCESS_DENIED;
        r = folder ? CPORT_EINVAL : error_from_win32(error);
    } else if (GetFileType(file) != FILE_TYPE_DISK) {
        CloseHandle(file);
        r = CPORT_EINVAL;
    } else {
        *ret_fd = (cport_os_handle)file;
    }
    os_free(wide);
    return r;
}

int cport_file_close(cport_os_handle fd)
{
    return CloseHandle((HANDLE)fd) ? 0 : last_error();
}

int os_file_size(cport_os_handle fd, uint64_t *ret_size)
{
    LARGE_INTEGER size;
    if (!GetFileSizeEx((HANDLE)fd, &size))
        return last_error();
    *ret_size = (uint64_t)size.QuadPart;
    return 0;
}
