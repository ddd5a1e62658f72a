/* One read after the other, which block: what the cache costs by itself. No more than one is
 * ever under way. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void read_file(const struct reader *r)
{
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | (r->direct ? O_DIRECT : 0));
    if (fd < 0)
        reader_die(r->path, errno);
    reader_ready("pread", "one at a time");
    ssize_t n;
    do
        n = pread(fd, reader_memory(0), r->block_bytes, (off_t)reader_begin(0));
    while (reader_end(0, n));
    close(fd);
}
