/*
 * md5: the digest that the command family's clients send instead of a password (RFC 1321). It protects nothing here: the
 * server keeps a salted, memory-hard hash of its text, see password.h.
 *
 * Threading: any.
 */
#ifndef CPORT_SERVER_MD5_H
#define CPORT_SERVER_MD5_H

#include "bytes.h"

#define MD5_HEX_BYTES 32u

void md5_hex(struct bytes message, char ret_hex[MD5_HEX_BYTES + 1]); /* lower case, terminated */

#endif
