// Boost.Asio, after the chat server among its examples: a session reads a frame's length, then the rest of the frame, and writes what
// it has for its client from a queue, one frame after the other.
#include "message.h"
#include "peer.h"

#include <boost/asio.hpp>
#include <boost/version.hpp>
#include <deque>
#include <exception>
#include <memory>
#include <set>
#include <utility>
#include <vector>

using boost::asio::ip::tcp;
using frame = std::shared_ptr<const std::vector<unsigned char>>;

namespace
{

class session : public std::enable_shared_from_this<session>
{
  public:
    explicit session(tcp::socket socket) : socket_(std::move(socket)) { peer_connection_opened(); }
    ~session() { peer_connection_closed(); }
    session(const session &) = delete;
    session &operator=(const session &) = delete;

    void start()
    {
        boost::asio::async_read(socket_, boost::asio::buffer(frame_, 1),
            [self = shared_from_this()](const boost::system::error_code &error, std::size_t) {
                if (error)
                    return;
                std::size_t taken = 0;
                message_answer(self.get(), &self->has_begun_, self->frame_, 1, &taken);
                self->read_length();
            });
    }

    void deliver(frame message)
    {
        const bool is_writing = !outgoing_.empty();
        outgoing_.push_back(std::move(message));
        if (!is_writing)
            write();
    }

  private:
    void read_length();
    void read_rest();
    void leave();

    void write()
    {
        boost::asio::async_write(socket_, boost::asio::buffer(*outgoing_.front()),
            [self = shared_from_this()](const boost::system::error_code &error, std::size_t) {
                if (error) {
                    self->leave();
                    return;
                }
                self->outgoing_.pop_front();
                if (!self->outgoing_.empty())
                    self->write();
            });
    }

    tcp::socket socket_;
    bool has_begun_ = false;
    std::deque<frame> outgoing_;
    unsigned char frame_[MESSAGE_BUFFER_BYTES] = {};
};

std::set<std::shared_ptr<session>> subscribers;

void session::leave()
{
    subscribers.erase(shared_from_this());
}

void session::read_length()
{
    boost::asio::async_read(socket_, boost::asio::buffer(frame_, MESSAGE_LENGTH_BYTES),
        [self = shared_from_this()](const boost::system::error_code &error, std::size_t) {
            if (error)
                self->leave();
            else
                self->read_rest();
        });
}

void session::read_rest()
{
    const std::size_t bytes = message_frame_bytes(frame_);
    boost::asio::async_read(socket_,
        boost::asio::buffer(frame_ + MESSAGE_LENGTH_BYTES, bytes - MESSAGE_LENGTH_BYTES),
        [self = shared_from_this(), bytes](const boost::system::error_code &error, std::size_t) {
            if (error) {
                self->leave();
                return;
            }
            std::size_t taken = 0;
            const std::size_t reply =
                message_answer(self.get(), &self->has_begun_, self->frame_, bytes, &taken);
            self->deliver(std::make_shared<const std::vector<unsigned char>>(
                self->frame_, self->frame_ + reply));
            self->read_length();
        });
}

void accept_next(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](const boost::system::error_code &error, tcp::socket socket) {
        if (error)
            peer_die(error.message().c_str(), 0);
        socket.set_option(tcp::no_delay(true));
        std::make_shared<session>(std::move(socket))->start();
        accept_next(acceptor);
    });
}

} // namespace

void message_subscribe(void *connection)
{
    subscribers.insert(static_cast<session *>(connection)->shared_from_this());
}

uint32_t message_publish(const unsigned char *payload, size_t bytes)
{
    std::vector<unsigned char> push(MESSAGE_HEAD_BYTES + bytes);
    message_push_store(push.data(), payload, bytes);
    const auto message = std::make_shared<const std::vector<unsigned char>>(std::move(push));
    for (const auto &one : subscribers)
        one->deliver(message);
    return static_cast<uint32_t>(subscribers.size());
}

int main()
try {
    boost::asio::io_context context(1);
    tcp::acceptor acceptor(context);
    acceptor.open(tcp::v4());
    acceptor.bind(tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    acceptor.listen(PEER_BACKLOG);
    accept_next(acceptor);
    peer_ready(acceptor.local_endpoint().port(), "epoll", "Boost " BOOST_LIB_VERSION);
    context.run();
} catch (const std::exception &error) {
    peer_die(error.what(), 0);
}
