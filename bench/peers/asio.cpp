// Boost.Asio: a session object kept alive by its handlers, async_read_some and async_write, as in its echo examples. One thread
// runs the context and says so with the concurrency hint, which spares Asio's locks; or as many as the first argument says. The second
// one names the handlers.
#include "handlers.h"
#include "peer.h"

#include <boost/asio.hpp>
#include <boost/version.hpp>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using boost::asio::ip::tcp;

namespace
{

class session : public std::enable_shared_from_this<session>
{
  public:
    explicit session(tcp::socket socket) : socket_(std::move(socket)) { peer_connection_opened(); }
    ~session() { peer_connection_closed(); }
    session(const session &) = delete;
    session &operator=(const session &) = delete;

    void read()
    {
        socket_.async_read_some(boost::asio::buffer(buffer_),
            [self = shared_from_this()](const boost::system::error_code &error, std::size_t count) {
                if (!error)
                    self->write(count);
            });
    }

  private:
    void write(std::size_t count)
    {
        handlers_run(nullptr, nullptr);
        boost::asio::async_write(socket_, boost::asio::buffer(buffer_, count),
            [self = shared_from_this()](const boost::system::error_code &error, std::size_t) {
                if (!error)
                    self->read();
            });
    }

    tcp::socket socket_;
    char buffer_[PEER_BUFFER_BYTES] = {};
};

void accept_next(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](const boost::system::error_code &error, tcp::socket socket) {
        if (error)
            peer_die(error.message().c_str(), 0);
        socket.set_option(tcp::no_delay(true));
        std::make_shared<session>(std::move(socket))->read();
        accept_next(acceptor);
    });
}

const char *engine_name()
{
#if defined(BOOST_ASIO_HAS_IOCP)
    return "iocp";
#elif defined(BOOST_ASIO_HAS_EPOLL)
    return "epoll";
#else
    return "select";
#endif
}

} // namespace

int main(int argc, char **argv)
try {
    const int threads = argc > 1 ? std::stoi(argv[1]) : 1;
    handlers_choose(argc > 2 ? argv[2] : nullptr);
    boost::asio::io_context context(threads);
    tcp::acceptor acceptor(context);
    acceptor.open(tcp::v4());
    acceptor.bind(tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    acceptor.listen(PEER_BACKLOG);
    accept_next(acceptor);
    peer_ready(acceptor.local_endpoint().port(), engine_name(), "Boost " BOOST_LIB_VERSION);
    std::vector<std::thread> others;
    for (int i = 1; i < threads; i++)
        others.emplace_back([&context] { context.run(); });
    context.run();
} catch (const std::exception &error) {
    peer_die(error.what(), 0);
}
