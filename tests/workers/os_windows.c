/* pool_under_test.h for Windows. */
#include "pool_under_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

void os_pause(void)
{
    Sleep(1);
}

void os_env_set(const char *name, const char *value)
{
    char text[256];
    snprintf(text, sizeof(text), "%s=%s", name, value ? value : "");
    _putenv(text); /* what hwloc reads; without a value it takes the name out */
}

unsigned os_descriptors(void)
{
    return 0; /* handles come and go with threads of the system's own */
}

typedef HRESULT(WINAPI *get_description_fn)(HANDLE thread, PWSTR *ret_text);

void os_name(char *text, size_t size)
{
    FARPROC found = GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "GetThreadDescription");
    get_description_fn get_description;
    PWSTR wide;
    text[0] = '\0';
    memcpy(&get_description, &found, sizeof(get_description));
    if (!get_description || FAILED(get_description(GetCurrentThread(), &wide)))
        return;
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int)size, NULL, NULL);
    LocalFree(wide);
}

void os_affinity(char *text, size_t size)
{
    GROUP_AFFINITY affinity;
    size_t len = 0;
    text[0] = '\0';
    if (!GetThreadGroupAffinity(GetCurrentThread(), &affinity))
        return;
    for (unsigned i = 0; i < 64 && len < size; i++) {
        unsigned last = i;
        if (!(affinity.Mask >> i & 1))
            continue;
        while (last + 1 < 64 && (affinity.Mask >> (last + 1) & 1))
            last++;
        len += (size_t)snprintf(text + len, size - len, last > i ? "%s%u-%u" : "%s%u",
            len ? "," : "", 64u * affinity.Group + i, 64u * affinity.Group + last);
        i = last;
    }
}
