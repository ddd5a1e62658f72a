/* hash: of short names, for tables. Seeded once per process, so that nobody outside can choose names that collide. */
#ifndef CPORT_SERVER_HASH_H
#define CPORT_SERVER_HASH_H

#include "bytes.h"

void hash_prepare(void); /* before any thread is started; without it the seed is 0 */
uint64_t hash_bytes(struct bytes bytes);

#endif
