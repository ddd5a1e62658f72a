#include "cport-cli-os.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <shellapi.h>

/* malloc'ed; NULL: no memory, or no text. */
static char *narrow(const wchar_t *wide)
{
    int len = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = len > 0 ? malloc((size_t)len) : NULL;
    if (text)
        (void)WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, len, NULL, NULL);
    return text;
}

static wchar_t *widen(const char *text)
{
    int len = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *wide = len > 0 ? malloc((size_t)len * sizeof(*wide)) : NULL;
    if (wide)
        (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, len);
    return wide;
}

/* What main gets is in the code page of the system, which lacks most characters. The list stays as long as the process. */
static void arguments_narrow(int *argc, char ***argv)
{
    int count;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **list = wide ? calloc((size_t)count + 1, sizeof(*list)) : NULL;
    bool whole = list != NULL;
    for (int i = 0; whole && i < count; i++) {
        list[i] = narrow(wide[i]);
        whole = list[i] != NULL;
    }
    if (wide)
        LocalFree(wide);
    if (!whole)
        return;
    *argc = count;
    *argv = list;
}

void cli_os_start(int *argc, char ***argv)
{
    arguments_narrow(argc, argv);
    (void)SetConsoleOutputCP(CP_UTF8);
}

void cli_binary_streams(void)
{
    (void)_setmode(_fileno(stdin), _O_BINARY);
    (void)_setmode(_fileno(stdout), _O_BINARY);
}

bool cli_shows_progress(void)
{
    return _isatty(_fileno(stderr)) != 0;
}

enum cli_path cli_path_kind(const char *name)
{
    wchar_t *wide = widen(name);
    DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    free(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return CLI_PATH_NONE;
    if (attributes & FILE_ATTRIBUTE_DIRECTORY)
        return CLI_PATH_FOLDER;
    return attributes & FILE_ATTRIBUTE_DEVICE ? CLI_PATH_OTHER : CLI_PATH_FILE;
}

const char *cli_path_base(const char *name)
{
    const char *base = name;
    for (; *name != '\0'; name++) {
        if (*name == '/' || *name == '\\' || *name == ':')
            base = name + 1;
    }
    return base;
}

FILE *cli_file_open(const char *name, const char *mode)
{
    wchar_t *wide_name = widen(name), *wide_mode = widen(mode);
    FILE *file = wide_name && wide_mode ? _wfopen(wide_name, wide_mode) : NULL;
    free(wide_name);
    free(wide_mode);
    if (file)
        (void)setvbuf(file, NULL, _IONBF, 0);
    return file;
}

bool cli_file_size(FILE *file, int64_t *ret_size)
{
    *ret_size = _filelengthi64(_fileno(file));
    return *ret_size >= 0;
}

bool cli_file_seek(FILE *file, int64_t offset)
{
    return _fseeki64(file, offset, SEEK_SET) == 0;
}
