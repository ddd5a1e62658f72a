/*
 * functions.h: what Windows offers by pointer only, and what older or other Windows lack.
 *
 * Ownership: constant once loaded, for the life of the process. Threading: any.
 */
#ifndef CPORT_IOCP_FUNCTIONS_H
#define CPORT_IOCP_FUNCTIONS_H

#include "iocp.h"

typedef NTSTATUS(NTAPI *device_io_control_fn)(HANDLE file, HANDLE event, PIO_APC_ROUTINE apc,
    void *apc_context, IO_STATUS_BLOCK *status, ULONG code, void *in, ULONG in_len, void *out,
    ULONG out_len);
typedef NTSTATUS(NTAPI *query_information_file_fn)(
    HANDLE file, IO_STATUS_BLOCK *status, void *information, ULONG len, int information_class);
typedef NTSTATUS(NTAPI *set_information_file_fn)(
    HANDLE file, IO_STATUS_BLOCK *status, void *information, ULONG len, int information_class);
typedef NTSTATUS(NTAPI *get_version_fn)(OSVERSIONINFOEXW *ret_version);
typedef NTSTATUS(NTAPI *create_wait_packet_fn)(HANDLE *packet, ULONG access, void *attributes);
typedef NTSTATUS(NTAPI *associate_wait_packet_fn)(HANDLE packet, HANDLE queue, HANDLE target,
    void *key, void *apc_context, NTSTATUS status, ULONG_PTR information,
    BOOLEAN *already_signaled);
typedef NTSTATUS(NTAPI *cancel_wait_packet_fn)(HANDLE packet, BOOLEAN remove_signaled);

typedef BOOL(WINAPI *post_packet_fn)(
    HANDLE queue, DWORD bytes, ULONG_PTR key, OVERLAPPED *overlapped);

typedef INT(WSAAPI *get_addr_info_fn)(const WCHAR *name, const WCHAR *service, DWORD name_space,
    GUID *provider, const ADDRINFOEXW *hints, ADDRINFOEXW **ret_info, struct timeval *timeout,
    OVERLAPPED *overlapped, void *completion, HANDLE *ret_cancel);
typedef INT(WSAAPI *get_addr_info_result_fn)(OVERLAPPED *overlapped);
typedef INT(WSAAPI *cancel_addr_info_fn)(HANDLE *cancel);
typedef void(WSAAPI *free_addr_info_fn)(ADDRINFOEXW *info);
typedef INT(WSAAPI *send_msg_fn)(
    SOCKET s, WSAMSG *msg, DWORD flags, DWORD *bytes, OVERLAPPED *overlapped, void *routine);

struct functions {
    post_packet_fn
        post_packet; /* always there; by pointer for tests of what happens when it fails */
    LPFN_ACCEPTEX accept_ex;
    LPFN_CONNECTEX connect_ex;
    LPFN_TRANSMITFILE transmit_file;
    bool transmits_rationed; /* the system works on two calls of transmit_file at a time */
    LPFN_WSARECVMSG recv_msg;
    send_msg_fn send_msg;
    device_io_control_fn device_io_control;
    query_information_file_fn query_information_file; /* may be NULL, as may the rest */
    set_information_file_fn set_information_file; /* there only if sockets can leave their port */
    create_wait_packet_fn create_wait_packet;
    associate_wait_packet_fn associate_wait_packet;
    cancel_wait_packet_fn cancel_wait_packet;
    get_addr_info_fn get_addr_info; /* this and the next three: all of them, or none */
    get_addr_info_result_fn get_addr_info_result;
    cancel_addr_info_fn cancel_addr_info;
    free_addr_info_fn free_addr_info;
};

/* Takes the association with a completion port off the socket. 0, or an error. */
int port_association_remove(set_information_file_fn set, HANDLE file);

/* Loads them; later calls find it done. 0, or an error: then the next call tries again. */
int functions_load(void);

/* After a successful functions_load. */
const struct functions *functions(void);

#endif
