#include "files.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#define NAME_CHARS ((DWORD)(2 * PATH_BYTES_MAX))
#define DEPTH_MAX  128u /* folders within folders that are deleted */

struct files {
    wchar_t root[NAME_CHARS]; /* canonical, as the system says it: \\?\C:\folder */
    size_t root_len;
};

struct file {
    HANDLE handle;
    struct file_id id;
};

static enum files_result result_of(DWORD error)
{
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_DIRECTORY:
        return FILES_NONE;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_CANT_ACCESS_FILE:
        return FILES_REFUSED;
    default:
        return FILES_FAILED;
    }
}

/* Whatever the path says beyond path.h that means something to this system alone: refused. */
static bool part_is_plain(const char *part, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)part[i] < 0x20 || strchr("<>:\"|?*", part[i]))
            return false;
    }
    return len == 0 || (part[len - 1] != '.' && part[len - 1] != ' ');
}

/* The name for the system: the root, then the path. False: it is no name here. */
static bool name_of(const struct files *files, const char *text, wchar_t ret_name[NAME_CHARS])
{
    for (const char *part = text; *part;) {
        size_t len = strcspn(part, "/");
        if (!part_is_plain(part, len))
            return false;
        part += part[len] == '/' ? len + 1 : len;
    }
    size_t at = files->root_len;
    wmemcpy(ret_name, files->root, at);
    if (text[0] != '\0')
        ret_name[at++] = L'\\';
    int len = MultiByteToWideChar(
        CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, ret_name + at, (int)(NAME_CHARS - at - 2));
    if (len == 0)
        return false;
    for (wchar_t *p = ret_name + at; *p; p++) {
        if (*p == L'/')
            *p = L'\\';
    }
    return true;
}

static bool is_beneath(const struct files *files, HANDLE handle)
{
    wchar_t name[NAME_CHARS];
    DWORD len = GetFinalPathNameByHandleW(handle, name, NAME_CHARS, FILE_NAME_NORMALIZED);
    return len > 0 && len < NAME_CHARS && _wcsnicmp(name, files->root, files->root_len) == 0 &&
           (name[files->root_len] == L'\0' || name[files->root_len] == L'\\');
}

static HANDLE handle_open(const wchar_t *name, DWORD access, DWORD creation, DWORD flags)
{
    return CreateFileW(name, access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
        creation, flags, NULL);
}

/* FILES_OK: it is a folder within the root. */
static enum files_result folder_check(const struct files *files, const wchar_t *name)
{
    HANDLE handle =
        handle_open(name, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (handle == INVALID_HANDLE_VALUE)
        return result_of(GetLastError());
    BY_HANDLE_FILE_INFORMATION info;
    enum files_result result = is_beneath(files, handle) ? FILES_OK : FILES_REFUSED;
    if (result == FILES_OK && (!GetFileInformationByHandle(handle, &info) ||
                                  !(info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)))
        result = FILES_NONE;
    CloseHandle(handle);
    return result;
}

/* The name of a path, whose folder is there and within the root. */
static enum files_result name_checked(
    const struct files *files, const struct path *path, wchar_t ret_name[NAME_CHARS])
{
    if (path->len == 0 || !name_of(files, path->text, ret_name))
        return FILES_REFUSED;
    wchar_t *last = wcsrchr(ret_name, L'\\');
    *last = L'\0';
    enum files_result result = folder_check(files, ret_name);
    *last = L'\\';
    return result;
}

struct files *files_open(const char *root)
{
    struct files *files = calloc(1, sizeof(*files));
    wchar_t name[NAME_CHARS];
    if (!files ||
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, root, -1, name, NAME_CHARS) == 0)
        goto free_files;
    HANDLE handle =
        handle_open(name, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (handle == INVALID_HANDLE_VALUE)
        goto free_files;
    DWORD len = GetFinalPathNameByHandleW(handle, files->root, NAME_CHARS, FILE_NAME_NORMALIZED);
    BY_HANDLE_FILE_INFORMATION info;
    bool is_folder = GetFileInformationByHandle(handle, &info) &&
                     (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY);
    CloseHandle(handle);
    if (!is_folder || len == 0 || len > NAME_CHARS - PATH_BYTES_MAX - 4)
        goto free_files;
    /* Of a drive's own folder the name ends in a backslash. */
    files->root_len = files->root[len - 1] == L'\\' ? len - 1 : len;
    return files;

free_files:
    free(files);
    return NULL;
}

void files_close(struct files *files)
{
    free(files);
}

/* ---- One file ---- */

enum files_result file_open(
    struct files *files, const struct path *path, enum file_mode mode, struct file **ret_file)
{
    wchar_t name[NAME_CHARS];
    enum files_result result = name_checked(files, path, name);
    if (result != FILES_OK)
        return result;
    DWORD access = mode == FILE_READ ? GENERIC_READ : GENERIC_READ | GENERIC_WRITE;
    DWORD creation = mode == FILE_READ ? OPEN_EXISTING : OPEN_ALWAYS;
    HANDLE handle = handle_open(name, access, creation, FILE_ATTRIBUTE_NORMAL);
    if (handle == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();
        DWORD attributes = GetFileAttributesW(name);
        bool is_folder =
            attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
        return is_folder ? FILES_REFUSED : result_of(error);
    }
    BY_HANDLE_FILE_INFORMATION info;
    struct file *file = calloc(1, sizeof(*file));
    if (!file || GetFileType(handle) != FILE_TYPE_DISK || !is_beneath(files, handle) ||
        !GetFileInformationByHandle(handle, &info)) {
        CloseHandle(handle);
        free(file);
        return file ? FILES_REFUSED : FILES_FAILED;
    }
    file->handle = handle;
    file->id = (struct file_id){.device = info.dwVolumeSerialNumber,
        .number = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow};
    *ret_file = file;
    return FILES_OK;
}

void file_close(struct file *file)
{
    if (!file)
        return;
    CloseHandle(file->handle);
    free(file);
}

struct file_id file_identity(const struct file *file)
{
    return file->id;
}

enum files_result file_size(struct file *file, int64_t *ret_size)
{
    LARGE_INTEGER size;
    if (!GetFileSizeEx(file->handle, &size))
        return FILES_FAILED;
    *ret_size = size.QuadPart;
    return FILES_OK;
}

enum files_result file_resize(struct file *file, int64_t size)
{
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = size};
    if (SetFileInformationByHandle(file->handle, FileEndOfFileInfo, &end, sizeof(end)))
        return FILES_OK;
    return GetLastError() == ERROR_INVALID_PARAMETER ? FILES_SIZE : FILES_FAILED;
}

#define PIECE_BYTES ((size_t)1 << 30)

static OVERLAPPED at_offset(int64_t offset)
{
    return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)((uint64_t)offset >> 32)};
}

enum files_result file_read(
    struct file *file, void *data, size_t len, int64_t offset, size_t *ret_len)
{
    size_t done = 0;
    while (done < len) {
        DWORD got = 0, piece = (DWORD)(len - done < PIECE_BYTES ? len - done : PIECE_BYTES);
        OVERLAPPED place = at_offset(offset + (int64_t)done);
        if (!ReadFile(file->handle, (char *)data + done, piece, &got, &place) &&
            GetLastError() != ERROR_HANDLE_EOF)
            return FILES_FAILED;
        if (got == 0)
            break;
        done += got;
    }
    *ret_len = done;
    return FILES_OK;
}

enum files_result file_write(struct file *file, const void *data, size_t len, int64_t offset)
{
    size_t done = 0;
    while (done < len) {
        DWORD put = 0, piece = (DWORD)(len - done < PIECE_BYTES ? len - done : PIECE_BYTES);
        OVERLAPPED place = at_offset(offset + (int64_t)done);
        if (!WriteFile(file->handle, (const char *)data + done, piece, &put, &place))
            return GetLastError() == ERROR_INVALID_PARAMETER ? FILES_SIZE : FILES_FAILED;
        done += put;
    }
    return FILES_OK;
}

enum files_result file_sync(struct file *file)
{
    return FlushFileBuffers(file->handle) ? FILES_OK : FILES_FAILED;
}

/* ---- Folders ---- */

static bool is_dots(const wchar_t *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

/* The pattern for all that is in the folder. */
static HANDLE first_in(wchar_t *name, WIN32_FIND_DATAW *found)
{
    size_t len = wcslen(name);
    if (len + 3 > NAME_CHARS)
        return INVALID_HANDLE_VALUE;
    wcscpy(name + len, L"\\*");
    HANDLE search = FindFirstFileW(name, found);
    name[len] = L'\0';
    return search;
}

enum files_result files_list(
    struct files *files, const struct path *path, bool folders, files_visit *visit, void *ctx)
{
    wchar_t name[NAME_CHARS];
    if (!name_of(files, path->text, name))
        return FILES_REFUSED;
    enum files_result result = folder_check(files, name);
    if (result != FILES_OK)
        return result;
    WIN32_FIND_DATAW found;
    HANDLE search = first_in(name, &found);
    if (search == INVALID_HANDLE_VALUE)
        return result_of(GetLastError());
    bool on = true;
    do {
        char text[4 * MAX_PATH];
        bool is_folder = (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        /* A link is neither: what it leads to may be outside. */
        if (is_dots(found.cFileName) || is_folder != folders ||
            (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT))
            continue;
        int len = WideCharToMultiByte(
            CP_UTF8, 0, found.cFileName, -1, text, (int)sizeof(text), NULL, NULL);
        int64_t size = (int64_t)((uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow);
        if (len > 1)
            on = visit(ctx, (struct bytes){(const uint8_t *)text, (size_t)len - 1}, size);
    } while (on && FindNextFileW(search, &found));
    FindClose(search);
    return on ? FILES_OK : FILES_FAILED;
}

enum files_result files_make_folder(struct files *files, const struct path *path)
{
    wchar_t name[NAME_CHARS];
    if (path->len == 0)
        return FILES_OK;
    enum files_result result = name_checked(files, path, name);
    if (result != FILES_OK)
        return result;
    if (CreateDirectoryW(name, NULL))
        return FILES_OK;
    return GetLastError() == ERROR_ALREADY_EXISTS && folder_check(files, name) == FILES_OK
               ? FILES_OK
               : FILES_FAILED;
}

/* The folder and everything in it. A link is deleted and not followed, wherever it lies. */
static bool folder_delete(wchar_t *name, DWORD attributes, unsigned depth)
{
    WIN32_FIND_DATAW found;
    bool done = depth < DEPTH_MAX;
    HANDLE search = INVALID_HANDLE_VALUE;
    if (done && !(attributes & FILE_ATTRIBUTE_REPARSE_POINT))
        search = first_in(name, &found);
    size_t len = wcslen(name);
    if (search != INVALID_HANDLE_VALUE) {
        do {
            if (is_dots(found.cFileName))
                continue;
            if (len + 2 + wcslen(found.cFileName) > NAME_CHARS) {
                done = false;
                break;
            }
            name[len] = L'\\';
            wcscpy(name + len + 1, found.cFileName);
            done = found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY
                       ? folder_delete(name, found.dwFileAttributes, depth + 1)
                       : DeleteFileW(name) != 0;
            name[len] = L'\0';
        } while (done && FindNextFileW(search, &found));
        FindClose(search);
    }
    return done && RemoveDirectoryW(name) != 0;
}

enum files_result files_delete_folder(struct files *files, const struct path *path)
{
    wchar_t name[NAME_CHARS];
    enum files_result result = name_checked(files, path, name);
    if (result != FILES_OK)
        return result;
    DWORD attributes = GetFileAttributesW(name);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return result_of(GetLastError());
    if (!(attributes & FILE_ATTRIBUTE_DIRECTORY))
        return FILES_NONE;
    return folder_delete(name, attributes, 0) ? FILES_OK : FILES_FAILED;
}

enum files_result files_delete(struct files *files, const struct path *path)
{
    wchar_t name[NAME_CHARS];
    enum files_result result = name_checked(files, path, name);
    if (result != FILES_OK)
        return result;
    return DeleteFileW(name) ? FILES_OK : result_of(GetLastError());
}
