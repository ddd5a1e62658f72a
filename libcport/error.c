/*
 * The one error table: names and texts of the public codes, and what the systems' numbers become.
 *
 * Windows says many things twice, once in Winsock's words and once in the kernel's (10054 and 64
 * are both a reset): which one comes depends on the call, so both must mean the same here. Its
 * numbers are written out, so that the table is the same, and tested, on every system.
 *
 * Some numbers mean different things to different operations. The table holds what they mean to a
 * send; engines know better for some: the end of a file or of a pipe is 0 bytes to a read, and
 * whatever a pending operation ends with while its handle is closed is CPORT_ECANCELED.
 */
#include "error.h"

#include <cport/cport.h>

#include <errno.h>
#include <stddef.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

struct description {
    const char *name;
    const char *text;
};

struct mapping {
    uint32_t number;
    int code;
};

/* Codes run down from CPORT_EINVAL without a gap. */
#define INDEX_OF(code)       ((size_t)(CPORT_EINVAL - (code)))
#define DESCRIBE(code, text) [INDEX_OF(code)] = {#code, text}

static const struct description descriptions[] = {
    DESCRIBE(CPORT_EINVAL, "an argument, a flag or the state of an object does not suit the call"),
    DESCRIBE(CPORT_ENOMEM, "out of memory"),
    DESCRIBE(CPORT_ENOBUFS, "out of buffers"),
    DESCRIBE(CPORT_EMFILE, "too many open descriptors"),
    DESCRIBE(CPORT_ECANCELED, "the operation was cancelled"),
    DESCRIBE(CPORT_ENOENT, "there is no such thing, or not any more"),
    DESCRIBE(CPORT_EALREADY, "it has been done already, or is being done"),
    DESCRIBE(CPORT_EBUSY, "it is in use"),
    DESCRIBE(CPORT_ETIMEDOUT, "the time allowed has passed"),
    DESCRIBE(CPORT_ECONNREFUSED, "the peer refused the connection"),
    DESCRIBE(CPORT_ECONNRESET, "the peer reset the connection"),
    DESCRIBE(CPORT_ECONNABORTED, "the connection was aborted"),
    DESCRIBE(CPORT_EPIPE, "the connection is closed for sending"),
    DESCRIBE(CPORT_ENETUNREACH, "the network cannot be reached"),
    DESCRIBE(CPORT_EHOSTUNREACH, "the host cannot be reached"),
    DESCRIBE(CPORT_EADDRINUSE, "the address is in use"),
    DESCRIBE(CPORT_EADDRNOTAVAIL, "the address does not belong to this machine"),
    DESCRIBE(CPORT_EMSGSIZE, "the message is too long for the buffer or the network"),
    DESCRIBE(CPORT_ENOTSUP, "not supported here"),
    DESCRIBE(CPORT_EACCES, "permission denied"),
    DESCRIBE(CPORT_EEXIST, "it exists already"),
    DESCRIBE(CPORT_EABANDONED, "the port was closed"),
    DESCRIBE(CPORT_EWRONGTHREAD, "the port belongs to another thread"),
    DESCRIBE(CPORT_EIO, "the system reported an error that has no code of its own"),
    DESCRIBE(CPORT_ENOTCONN, "the socket is not connected"),
    DESCRIBE(CPORT_ENOSPC, "no space left on the device"),
};

/* Not in order and not without repetition: which names exist and which share a number differs
 * from system to system. */
static const struct mapping errnos[] = {
    {EINVAL, CPORT_EINVAL},
    {EBADF, CPORT_EINVAL},
    {EFAULT, CPORT_EINVAL},
    {ENOTSOCK, CPORT_EINVAL},
    {EPROTOTYPE, CPORT_EINVAL},
    {EISDIR, CPORT_EINVAL},
    {ESPIPE, CPORT_EINVAL},
    {ENAMETOOLONG, CPORT_EINVAL},
    {EOVERFLOW, CPORT_EINVAL},
    {ENOMEM, CPORT_ENOMEM},
    {ENOBUFS, CPORT_ENOBUFS},
    {EMFILE, CPORT_EMFILE},
    {ENFILE, CPORT_EMFILE},
    {ECANCELED, CPORT_ECANCELED},
    {EINTR, CPORT_ECANCELED},
    {ENOENT, CPORT_ENOENT},
    {ENOTDIR, CPORT_ENOENT},
    {EALREADY, CPORT_EALREADY},
    {EINPROGRESS, CPORT_EALREADY},
    {EISCONN, CPORT_EALREADY},
    {EBUSY, CPORT_EBUSY},
    {EAGAIN, CPORT_EBUSY},
    {EWOULDBLOCK, CPORT_EBUSY},
    {ETIMEDOUT, CPORT_ETIMEDOUT},
    {ETIME, CPORT_ETIMEDOUT},
    {ECONNREFUSED, CPORT_ECONNREFUSED},
    {ECONNRESET, CPORT_ECONNRESET},
    {ENETRESET, CPORT_ECONNRESET},
    {ECONNABORTED, CPORT_ECONNABORTED},
    {EPIPE, CPORT_EPIPE},
    {ENETUNREACH, CPORT_ENETUNREACH},
    {ENETDOWN, CPORT_ENETUNREACH},
    {EHOSTUNREACH, CPORT_EHOSTUNREACH},
    {EADDRINUSE, CPORT_EADDRINUSE},
    {EADDRNOTAVAIL, CPORT_EADDRNOTAVAIL},
    {EMSGSIZE, CPORT_EMSGSIZE},
    {ENOTSUP, CPORT_ENOTSUP},
    {EOPNOTSUPP, CPORT_ENOTSUP},
    {ENOSYS, CPORT_ENOTSUP},
    {EPROTONOSUPPORT, CPORT_ENOTSUP},
    {EAFNOSUPPORT, CPORT_ENOTSUP},
    {ENOPROTOOPT, CPORT_ENOTSUP},
    {EACCES, CPORT_EACCES},
    {EPERM, CPORT_EACCES},
    {EROFS, CPORT_EACCES},
    {EEXIST, CPORT_EEXIST},
    {EIO, CPORT_EIO},
    {ENOTCONN, CPORT_ENOTCONN},
    {EDESTADDRREQ, CPORT_ENOTCONN},
    {ENOSPC, CPORT_ENOSPC},
    {EFBIG, CPORT_ENOSPC},
#ifdef EDQUOT
    {EDQUOT, CPORT_ENOSPC},
#endif
#ifdef ESHUTDOWN
    {ESHUTDOWN, CPORT_EPIPE},
#endif
#ifdef EHOSTDOWN
    {EHOSTDOWN, CPORT_EHOSTUNREACH},
#endif
#ifdef ESOCKTNOSUPPORT
    {ESOCKTNOSUPPORT, CPORT_ENOTSUP},
#endif
#ifdef EPFNOSUPPORT
    {EPFNOSUPPORT, CPORT_ENOTSUP},
#endif
};

/* clang-format off */
static const struct mapping win32_errors[] = {
    {1, CPORT_ENOTSUP},           /* ERROR_INVALID_FUNCTION */
    {2, CPORT_ENOENT},            /* ERROR_FILE_NOT_FOUND */
    {3, CPORT_ENOENT},            /* ERROR_PATH_NOT_FOUND */
    {4, CPORT_EMFILE},            /* ERROR_TOO_MANY_OPEN_FILES */
    {5, CPORT_EACCES},            /* ERROR_ACCESS_DENIED */
    {6, CPORT_EINVAL},            /* ERROR_INVALID_HANDLE */
    {8, CPORT_ENOMEM},            /* ERROR_NOT_ENOUGH_MEMORY */
    {14, CPORT_ENOMEM},           /* ERROR_OUTOFMEMORY */
    {19, CPORT_EACCES},           /* ERROR_WRITE_PROTECT */
    {32, CPORT_EBUSY},            /* ERROR_SHARING_VIOLATION */
    {33, CPORT_EBUSY},            /* ERROR_LOCK_VIOLATION */
    {39, CPORT_ENOSPC},           /* ERROR_HANDLE_DISK_FULL */
    {50, CPORT_ENOTSUP},          /* ERROR_NOT_SUPPORTED */
    {64, CPORT_ECONNRESET},       /* ERROR_NETNAME_DELETED */
    {80, CPORT_EEXIST},           /* ERROR_FILE_EXISTS */
    {87, CPORT_EINVAL},           /* ERROR_INVALID_PARAMETER */
    {109, CPORT_EPIPE},           /* ERROR_BROKEN_PIPE */
    {112, CPORT_ENOSPC},          /* ERROR_DISK_FULL */
    {120, CPORT_ENOTSUP},         /* ERROR_CALL_NOT_IMPLEMENTED */
    {121, CPORT_ETIMEDOUT},       /* ERROR_SEM_TIMEOUT */
    {122, CPORT_EINVAL},          /* ERROR_INSUFFICIENT_BUFFER */
    {123, CPORT_EINVAL},          /* ERROR_INVALID_NAME */
    {161, CPORT_EINVAL},          /* ERROR_BAD_PATHNAME */
    {170, CPORT_EBUSY},           /* ERROR_BUSY */
    {183, CPORT_EEXIST},          /* ERROR_ALREADY_EXISTS */
    {206, CPORT_EINVAL},          /* ERROR_FILENAME_EXCED_RANGE */
    {223, CPORT_ENOSPC},          /* ERROR_FILE_TOO_LARGE */
    {231, CPORT_EBUSY},           /* ERROR_PIPE_BUSY */
    {232, CPORT_EPIPE},           /* ERROR_NO_DATA */
    {233, CPORT_EPIPE},           /* ERROR_PIPE_NOT_CONNECTED */
    {234, CPORT_EMSGSIZE},        /* ERROR_MORE_DATA */
    {258, CPORT_ETIMEDOUT},       /* WAIT_TIMEOUT */
    {676, CPORT_ECANCELED},       /* ERROR_HANDLES_CLOSED */
    {735, CPORT_EABANDONED},      /* ERROR_ABANDONED_WAIT_0 */
    {995, CPORT_ECANCELED},       /* ERROR_OPERATION_ABORTED */
    {998, CPORT_EINVAL},          /* ERROR_NOACCESS */
    {1168, CPORT_ENOENT},         /* ERROR_NOT_FOUND */
    {1223, CPORT_ECANCELED},      /* ERROR_CANCELLED */
    {1225, CPORT_ECONNREFUSED},   /* ERROR_CONNECTION_REFUSED */
    {1226, CPORT_EPIPE},          /* ERROR_GRACEFUL_DISCONNECT */
    {1227, CPORT_EADDRINUSE},     /* ERROR_ADDRESS_ALREADY_ASSOCIATED */
    {1228, CPORT_EADDRNOTAVAIL},  /* ERROR_ADDRESS_NOT_ASSOCIATED */
    {1229, CPORT_ENOTCONN},       /* ERROR_CONNECTION_INVALID */
    {1230, CPORT_EALREADY},       /* ERROR_CONNECTION_ACTIVE */
    {1231, CPORT_ENETUNREACH},    /* ERROR_NETWORK_UNREACHABLE */
    {1232, CPORT_EHOSTUNREACH},   /* ERROR_HOST_UNREACHABLE */
    {1234, CPORT_ECONNREFUSED},   /* ERROR_PORT_UNREACHABLE */
    {1235, CPORT_ECANCELED},      /* ERROR_REQUEST_ABORTED */
    {1236, CPORT_ECONNABORTED},   /* ERROR_CONNECTION_ABORTED */
    {1314, CPORT_EACCES},         /* ERROR_PRIVILEGE_NOT_HELD */
    {1450, CPORT_ENOBUFS},        /* ERROR_NO_SYSTEM_RESOURCES */
    {1453, CPORT_ENOMEM},         /* ERROR_WORKING_SET_QUOTA */
    {1454, CPORT_ENOMEM},         /* ERROR_PAGEFILE_QUOTA */
    {1455, CPORT_ENOMEM},         /* ERROR_COMMITMENT_LIMIT */
    {1460, CPORT_ETIMEDOUT},      /* ERROR_TIMEOUT */
    {1784, CPORT_EINVAL},         /* ERROR_INVALID_USER_BUFFER */
    {1816, CPORT_ENOMEM},         /* ERROR_NOT_ENOUGH_QUOTA */
    {10004, CPORT_ECANCELED},     /* WSAEINTR */
    {10009, CPORT_EINVAL},        /* WSAEBADF */
    {10013, CPORT_EACCES},        /* WSAEACCES */
    {10014, CPORT_EINVAL},        /* WSAEFAULT */
    {10022, CPORT_EINVAL},        /* WSAEINVAL */
    {10024, CPORT_EMFILE},        /* WSAEMFILE */
    {10035, CPORT_EBUSY},         /* WSAEWOULDBLOCK */
    {10036, CPORT_EALREADY},      /* WSAEINPROGRESS */
    {10037, CPORT_EALREADY},      /* WSAEALREADY */
    {10038, CPORT_EINVAL},        /* WSAENOTSOCK */
    {10039, CPORT_ENOTCONN},      /* WSAEDESTADDRREQ */
    {10040, CPORT_EMSGSIZE},      /* WSAEMSGSIZE */
    {10041, CPORT_EINVAL},        /* WSAEPROTOTYPE */
    {10042, CPORT_ENOTSUP},       /* WSAENOPROTOOPT */
    {10043, CPORT_ENOTSUP},       /* WSAEPROTONOSUPPORT */
    {10044, CPORT_ENOTSUP},       /* WSAESOCKTNOSUPPORT */
    {10045, CPORT_ENOTSUP},       /* WSAEOPNOTSUPP */
    {10046, CPORT_ENOTSUP},       /* WSAEPFNOSUPPORT */
    {10047, CPORT_ENOTSUP},       /* WSAEAFNOSUPPORT */
    {10048, CPORT_EADDRINUSE},    /* WSAEADDRINUSE */
    {10049, CPORT_EADDRNOTAVAIL}, /* WSAEADDRNOTAVAIL */
    {10050, CPORT_ENETUNREACH},   /* WSAENETDOWN */
    {10051, CPORT_ENETUNREACH},   /* WSAENETUNREACH */
    {10052, CPORT_ECONNRESET},    /* WSAENETRESET */
    {10053, CPORT_ECONNABORTED},  /* WSAECONNABORTED */
    {10054, CPORT_ECONNRESET},    /* WSAECONNRESET */
    {10055, CPORT_ENOBUFS},       /* WSAENOBUFS */
    {10056, CPORT_EALREADY},      /* WSAEISCONN */
    {10057, CPORT_ENOTCONN},      /* WSAENOTCONN */
    {10058, CPORT_EPIPE},         /* WSAESHUTDOWN */
    {10060, CPORT_ETIMEDOUT},     /* WSAETIMEDOUT */
    {10061, CPORT_ECONNREFUSED},  /* WSAECONNREFUSED */
    {10063, CPORT_EINVAL},        /* WSAENAMETOOLONG */
    {10064, CPORT_EHOSTUNREACH},  /* WSAEHOSTDOWN */
    {10065, CPORT_EHOSTUNREACH},  /* WSAEHOSTUNREACH */
    {10067, CPORT_EMFILE},        /* WSAEPROCLIM */
    {10101, CPORT_EPIPE},         /* WSAEDISCON */
    {10103, CPORT_ECANCELED},     /* WSAECANCELLED */
    {10111, CPORT_ECANCELED},     /* WSA_E_CANCELLED */
    {11001, CPORT_ENOENT},        /* WSAHOST_NOT_FOUND */
    {11002, CPORT_ETIMEDOUT},     /* WSATRY_AGAIN: no name server has answered */
    {11004, CPORT_ENOENT},        /* WSANO_DATA */
};

static const struct mapping ntstatuses[] = {
    {0x00000102, CPORT_ETIMEDOUT},     /* STATUS_TIMEOUT */
    {0x80000005, CPORT_EMSGSIZE},      /* STATUS_BUFFER_OVERFLOW */
    {0x8000000A, CPORT_ECANCELED},     /* STATUS_HANDLES_CLOSED */
    {0x80000011, CPORT_EBUSY},         /* STATUS_DEVICE_BUSY */
    {0xC0000002, CPORT_ENOTSUP},       /* STATUS_NOT_IMPLEMENTED */
    {0xC0000005, CPORT_EINVAL},        /* STATUS_ACCESS_VIOLATION */
    {0xC0000007, CPORT_ENOMEM},        /* STATUS_PAGEFILE_QUOTA */
    {0xC0000008, CPORT_EINVAL},        /* STATUS_INVALID_HANDLE */
    {0xC000000D, CPORT_EINVAL},        /* STATUS_INVALID_PARAMETER */
    {0xC000000F, CPORT_ENOENT},        /* STATUS_NO_SUCH_FILE */
    {0xC0000010, CPORT_ENOTSUP},       /* STATUS_INVALID_DEVICE_REQUEST */
    {0xC0000017, CPORT_ENOMEM},        /* STATUS_NO_MEMORY */
    {0xC0000022, CPORT_EACCES},        /* STATUS_ACCESS_DENIED */
    {0xC0000023, CPORT_EINVAL},        /* STATUS_BUFFER_TOO_SMALL */
    {0xC0000024, CPORT_EINVAL},        /* STATUS_OBJECT_TYPE_MISMATCH */
    {0xC0000033, CPORT_EINVAL},        /* STATUS_OBJECT_NAME_INVALID */
    {0xC0000034, CPORT_ENOENT},        /* STATUS_OBJECT_NAME_NOT_FOUND */
    {0xC0000035, CPORT_EEXIST},        /* STATUS_OBJECT_NAME_COLLISION */
    {0xC000003A, CPORT_ENOENT},        /* STATUS_OBJECT_PATH_NOT_FOUND */
    {0xC0000043, CPORT_EBUSY},         /* STATUS_SHARING_VIOLATION */
    {0xC0000044, CPORT_ENOMEM},        /* STATUS_QUOTA_EXCEEDED */
    {0xC0000054, CPORT_EBUSY},         /* STATUS_FILE_LOCK_CONFLICT */
    {0xC0000055, CPORT_EBUSY},         /* STATUS_LOCK_NOT_GRANTED */
    {0xC0000061, CPORT_EACCES},        /* STATUS_PRIVILEGE_NOT_HELD */
    {0xC000007F, CPORT_ENOSPC},        /* STATUS_DISK_FULL */
    {0xC000009A, CPORT_ENOBUFS},       /* STATUS_INSUFFICIENT_RESOURCES */
    {0xC00000A1, CPORT_ENOMEM},        /* STATUS_WORKING_SET_QUOTA */
    {0xC00000A2, CPORT_EACCES},        /* STATUS_MEDIA_WRITE_PROTECTED */
    {0xC00000AC, CPORT_EBUSY},         /* STATUS_PIPE_NOT_AVAILABLE */
    {0xC00000AE, CPORT_EBUSY},         /* STATUS_PIPE_BUSY */
    {0xC00000B0, CPORT_EPIPE},         /* STATUS_PIPE_DISCONNECTED */
    {0xC00000B1, CPORT_EPIPE},         /* STATUS_PIPE_CLOSING */
    {0xC00000B5, CPORT_ETIMEDOUT},     /* STATUS_IO_TIMEOUT */
    {0xC00000BB, CPORT_ENOTSUP},       /* STATUS_NOT_SUPPORTED */
    {0xC00000C9, CPORT_ECONNRESET},    /* STATUS_NETWORK_NAME_DELETED */
    {0xC000011F, CPORT_EMFILE},        /* STATUS_TOO_MANY_OPENED_FILES */
    {0xC0000120, CPORT_ECANCELED},     /* STATUS_CANCELLED */
    {0xC000012C, CPORT_ENOMEM},        /* STATUS_PAGEFILE_QUOTA_EXCEEDED */
    {0xC000012D, CPORT_ENOMEM},        /* STATUS_COMMITMENT_LIMIT */
    {0xC000013B, CPORT_ECONNABORTED},  /* STATUS_LOCAL_DISCONNECT */
    {0xC000013C, CPORT_ECONNRESET},    /* STATUS_REMOTE_DISCONNECT */
    {0xC000013D, CPORT_ENOBUFS},       /* STATUS_REMOTE_RESOURCES */
    {0xC000013E, CPORT_ECONNRESET},    /* STATUS_LINK_FAILED */
    {0xC000013F, CPORT_ETIMEDOUT},     /* STATUS_LINK_TIMEOUT */
    {0xC0000140, CPORT_ENOTCONN},      /* STATUS_INVALID_CONNECTION */
    {0xC0000141, CPORT_EADDRNOTAVAIL}, /* STATUS_INVALID_ADDRESS */
    {0xC000014B, CPORT_EPIPE},         /* STATUS_PIPE_BROKEN */
    {0xC0000206, CPORT_EMSGSIZE},      /* STATUS_INVALID_BUFFER_SIZE */
    {0xC0000207, CPORT_EADDRNOTAVAIL}, /* STATUS_INVALID_ADDRESS_COMPONENT */
    {0xC0000209, CPORT_EADDRINUSE},    /* STATUS_TOO_MANY_ADDRESSES */
    {0xC000020A, CPORT_EADDRINUSE},    /* STATUS_ADDRESS_ALREADY_EXISTS */
    {0xC000020B, CPORT_ECONNRESET},    /* STATUS_ADDRESS_CLOSED */
    {0xC000020C, CPORT_ECONNRESET},    /* STATUS_CONNECTION_DISCONNECTED */
    {0xC000020D, CPORT_ECONNRESET},    /* STATUS_CONNECTION_RESET */
    {0xC0000225, CPORT_ENOENT},        /* STATUS_NOT_FOUND */
    {0xC0000236, CPORT_ECONNREFUSED},  /* STATUS_CONNECTION_REFUSED */
    {0xC0000237, CPORT_EPIPE},         /* STATUS_GRACEFUL_DISCONNECT */
    {0xC0000238, CPORT_EADDRINUSE},    /* STATUS_ADDRESS_ALREADY_ASSOCIATED */
    {0xC0000239, CPORT_EADDRNOTAVAIL}, /* STATUS_ADDRESS_NOT_ASSOCIATED */
    {0xC000023A, CPORT_ENOTCONN},      /* STATUS_CONNECTION_INVALID */
    {0xC000023B, CPORT_EALREADY},      /* STATUS_CONNECTION_ACTIVE */
    {0xC000023C, CPORT_ENETUNREACH},   /* STATUS_NETWORK_UNREACHABLE */
    {0xC000023D, CPORT_EHOSTUNREACH},  /* STATUS_HOST_UNREACHABLE */
    {0xC000023F, CPORT_ECONNREFUSED},  /* STATUS_PORT_UNREACHABLE */
    {0xC0000240, CPORT_ECANCELED},     /* STATUS_REQUEST_ABORTED */
    {0xC0000241, CPORT_ECONNABORTED},  /* STATUS_CONNECTION_ABORTED */
    {0xC0000904, CPORT_ENOSPC},        /* STATUS_FILE_TOO_LARGE */
    {0xC000A012, CPORT_EHOSTUNREACH},  /* STATUS_HOPLIMIT_EXCEEDED */
};
/* clang-format on */

static int mapping_find(const struct mapping *mappings, size_t count, uint32_t number)
{
    if (number == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (mappings[i].number == number)
            return mappings[i].code;
    }
    return CPORT_EIO;
}

int error_from_errno(int number)
{
    return mapping_find(errnos, COUNT_OF(errnos), (uint32_t)number);
}

int error_from_win32(uint32_t number)
{
    return mapping_find(win32_errors, COUNT_OF(win32_errors), number);
}

int error_from_ntstatus(uint32_t status)
{
    return mapping_find(ntstatuses, COUNT_OF(ntstatuses), status);
}

static const struct description *describe(int code)
{
    static const struct description success = {"success", "no error"};
    static const struct description unknown = {"unknown", "not one of this library's error codes"};
    if (code >= 0)
        return &success;
    if (INDEX_OF(code) >= COUNT_OF(descriptions)) /* those above CPORT_EINVAL wrap to huge ones */
        return &unknown;
    return &descriptions[INDEX_OF(code)];
}

const char *cport_strerror(int code)
{
    return describe(code)->text;
}

const char *cport_error_name(int code)
{
    return describe(code)->name;
}
