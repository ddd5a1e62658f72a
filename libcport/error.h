/*
 * error.h: from the systems' error numbers to the public codes.
 *
 * Ownership: none, pure functions over constant tables. Threading: any.
 *
 * Each returns 0 for success and CPORT_EIO for a number that its table does not know: the raw
 * number then tells more than a guess could. All tables exist on all systems.
 */
#ifndef CPORT_ERROR_H
#define CPORT_ERROR_H

#include <stdint.h>

/* A positive errno value. */
int error_from_errno(int number);

/* What GetLastError and WSAGetLastError return. */
int error_from_win32(uint32_t number);

/* What the kernel leaves in OVERLAPPED.Internal. */
int error_from_ntstatus(uint32_t status);

#endif
