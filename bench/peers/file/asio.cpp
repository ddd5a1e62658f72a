// Boost.Asio: its thread_pool reads, and posts what it got to the context that one thread runs.
// (Its own files need io_uring, for which the packaged library is not built.)
#include "reader.h"

#include <boost/asio.hpp>
#include <boost/version.hpp>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace
{

class slots
{
  public:
    slots(int fd, unsigned bytes) : fd_(fd), bytes_(bytes) {}

    void read(unsigned slot)
    {
        const auto offset = static_cast<off_t>(reader_begin(slot));
        boost::asio::post(pool_, [this, slot, offset, busy = work()] {
            const auto n = ::pread(fd_, reader_memory(slot), bytes_, offset);
            boost::asio::post(context_, [this, slot, n] {
                if (reader_end(slot, n))
                    read(slot);
            });
        });
    }

    void run() { context_.run(); }

  private:
    using guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;
    guard work() { return boost::asio::make_work_guard(context_); }

    int fd_;
    unsigned bytes_;
    boost::asio::io_context context_;
    boost::asio::thread_pool pool_{std::strtoul(READER_THREADS, nullptr, 10)};
};

} // namespace

extern "C" void read_file(const struct reader *r)
{
    const int fd = ::open(r->path, O_RDONLY | O_CLOEXEC | (r->direct ? O_DIRECT : 0));
    if (fd < 0)
        reader_die(r->path, errno);
    slots all(fd, r->block_bytes);
    reader_ready("threads", READER_THREADS " threads, Boost " BOOST_LIB_VERSION);
    for (unsigned slot = 0; slot < r->depth; slot++)
        all.read(slot);
    all.run();
    ::close(fd);
}
