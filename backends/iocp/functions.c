#include "functions.h"
#include "error.h"

#ifndef WSAID_WSASENDMSG /* older headers */
#define WSAID_WSASENDMSG                                                                           \
    {                                                                                              \
        0xa441e712, 0x754f, 0x43ca,                                                                \
        {                                                                                          \
            0x84, 0xa7, 0x0d, 0xee, 0x44, 0xcf, 0x60, 0x6d                                         \
        }                                                                                          \
    }
#endif

static struct functions loaded;
static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

const struct functions *functions(void)
{
    return &loaded;
}

typedef void (*any_fn)(void);

static any_fn find(HMODULE module, const char *name)
{
    return module ? (any_fn)GetProcAddress(module, name) : (any_fn)NULL;
}

static int find_extension(SOCKET s, GUID id, void *ret_fn, DWORD size)
{
    DWORD n = 0;
    int r = WSAIoctl(
        s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), ret_fn, size, &n, NULL, NULL);
    return r != 0 ? os_socket_error() : 0;
}

int port_association_remove(set_information_file_fn set, HANDLE file)
{
    enum { FILE_REPLACE_COMPLETION_INFORMATION = 61 };
    struct {
        HANDLE port;
        void *key;
    } none = {NULL, NULL};
    IO_STATUS_BLOCK status;
    NTSTATUS r = set(file, &status, &none, sizeof(none), FILE_REPLACE_COMPLETION_INFORMATION);
    return r == 0 ? 0 : error_from_ntstatus((uint32_t)r);
}

/* Windows 8.1 and later take sockets off their ports, others and Wine do not; so it is tried: from one port and onto the next. */
static bool try_moving(SOCKET s, set_information_file_fn set)
{
    HANDLE first = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    HANDLE second = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    bool moves = first && second && CreateIoCompletionPort((HANDLE)s, first, 0, 0) &&
                 port_association_remove(set, (HANDLE)s) == 0 &&
                 CreateIoCompletionPort((HANDLE)s, second, 0, 0);
    if (second)
        CloseHandle(second);
    if (first)
        CloseHandle(first);
    return moves;
}

/* Of a socket that they are for. */
static int load_datagram_extensions(void)
{
    const GUID recv_msg = WSAID_WSARECVMSG;
    const GUID send_msg = WSAID_WSASENDMSG;
    cport_os_handle s;
    int r = os_socket_open(AF_INET, SOCK_DGRAM, &s);
    if (r < 0)
        return r;
    r = find_extension(s, recv_msg, &loaded.recv_msg, sizeof(loaded.recv_msg));
    if (r == 0)
        r = find_extension(s, send_msg, &loaded.send_msg, sizeof(loaded.send_msg));
    cport_socket_close(s);
    return r;
}

static int load_extensions(set_information_file_fn set)
{
    const GUID accept_ex = WSAID_ACCEPTEX;
    const GUID connect_ex = WSAID_CONNECTEX;
    const GUID transmit_file = WSAID_TRANSMITFILE;
    int r = os_socket_start();
    if (r < 0)
        return r;
    cport_os_handle s;
    r = os_socket_open(AF_INET, SOCK_STREAM, &s);
    if (r < 0)
        return r;
    r = find_extension(s, accept_ex, &loaded.accept_ex, sizeof(loaded.accept_ex));
    if (r == 0)
        r = find_extension(s, connect_ex, &loaded.connect_ex, sizeof(loaded.connect_ex));
    if (r == 0)
        r = find_extension(s, transmit_file, &loaded.transmit_file, sizeof(loaded.transmit_file));
    if (r == 0 && set && try_moving((SOCKET)s, set))
        loaded.set_information_file = set;
    cport_socket_close(s);
    return r < 0 ? r : load_datagram_extensions();
}

/* Windows for clients rations TransmitFile. Wine, whatever Windows it claims to be, does not. */
static bool is_rationed(HMODULE ntdll)
{
    OSVERSIONINFOEXW version = {.dwOSVersionInfoSize = sizeof(version)};
    get_version_fn get_version = (get_version_fn)find(ntdll, "RtlGetVersion");
    return get_version && get_version(&version) == 0 &&
           version.wProductType == VER_NT_WORKSTATION && !find(ntdll, "wine_get_version");
}

/* Lookups that can be interrupted: since Windows 8. */
static void load_lookups(HMODULE winsock)
{
    get_addr_info_fn start = (get_addr_info_fn)find(winsock, "GetAddrInfoExW");
    loaded.get_addr_info_result =
        (get_addr_info_result_fn)find(winsock, "GetAddrInfoExOverlappedResult");
    loaded.cancel_addr_info = (cancel_addr_info_fn)find(winsock, "GetAddrInfoExCancel");
    loaded.free_addr_info = (free_addr_info_fn)find(winsock, "FreeAddrInfoExW");
    if (loaded.get_addr_info_result && loaded.cancel_addr_info && loaded.free_addr_info)
        loaded.get_addr_info = start;
}

static BOOL CALLBACK load(INIT_ONCE *self, void *ret_error, void **context)
{
    (void)self;
    (void)context;
    int *error = ret_error;
    loaded.post_packet = PostQueuedCompletionStatus;
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    loaded.device_io_control = (device_io_control_fn)find(ntdll, "NtDeviceIoControlFile");
    loaded.query_information_file =
        (query_information_file_fn)find(ntdll, "NtQueryInformationFile");
    loaded.create_wait_packet = (create_wait_packet_fn)find(ntdll, "NtCreateWaitCompletionPacket");
    loaded.associate_wait_packet =
        (associate_wait_packet_fn)find(ntdll, "NtAssociateWaitCompletionPacket");
    loaded.cancel_wait_packet = (cancel_wait_packet_fn)find(ntdll, "NtCancelWaitCompletionPacket");
    loaded.transmits_rationed = is_rationed(ntdll);
    load_lookups(GetModuleHandleW(L"ws2_32.dll"));
    set_information_file_fn set = (set_information_file_fn)find(ntdll, "NtSetInformationFile");
    *error = loaded.device_io_control ? load_extensions(set) : CPORT_ENOTSUP;
    return *error == 0;
}

int functions_load(void)
{
    int error = 0;
    InitOnceExecuteOnce(&once, load, &error, NULL);
    return error;
}
