#include "vec.h"

void vec_advance(struct vec *vec, size_t n)
{
    while (vec->count) {
        cport_buf *buf = &vec->bufs[vec->first];
        size_t len = buf->len;
        if (n < len) {
            buf->base = (char *)buf->base + n;

            buf->len -= (cport_buf_len)n;
            return;
        }
        n -= len;
        vec->first++;
        vec->count--;
    }
}

size_t vec_total(const cport_buf *bufs, unsigned count)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++)
        total += bufs[i].len;
    return total;
}
