// Boost.Asio: async_receive_from and async_send_to on an io_context of one thread.
#include "peer.h"
#include "udp_limits.h"

#include <array>
#include <boost/asio.hpp>
#include <boost/version.hpp>

namespace asio = boost::asio;
using asio::ip::udp;

static asio::io_context context(1);
static std::array<udp::socket, 2> ends = {udp::socket(context), udp::socket(context)};
static std::array<udp::endpoint, 2> addresses, senders;
static char content[UDP_BYTES_MAX];
static char rooms[2][UDP_BYTES_MAX];
static unsigned sending;
static bool stopped;

static void on_datagram(unsigned at, size_t bytes);

static void receive(unsigned i)
{
    ends[i].async_receive_from(asio::buffer(rooms[i]), senders[i],
        [i](const boost::system::error_code &error, size_t bytes) {
            if (error)
                peer_die("receive", error.value());
            receive(i);
            on_datagram(i, bytes);
        });
}

static void udp_prepare(const char **ret_engine, const char **ret_remark)
{
    for (unsigned i = 0; i < 2; i++) {
        ends[i].open(udp::v4());
        ends[i].bind(udp::endpoint(asio::ip::address_v4::loopback(), 0));
        addresses[i] = ends[i].local_endpoint();
        receive(i);
    }
    *ret_engine = "its own loop";
    *ret_remark = "Boost " BOOST_LIB_VERSION;
}

static void stop_when_quiet()
{
    if (stopped && sending == 0)
        context.stop();
}

static void udp_send(unsigned from, size_t bytes)
{
    sending++;
    ends[from].async_send_to(asio::buffer(content, bytes), addresses[1 - from],
        [](const boost::system::error_code &error, size_t) {
            if (error)
                peer_die("send", error.value());
            sending--;
            stop_when_quiet();
        });
}

static void udp_run()
{
    stopped = false;
    context.restart();
    context.run();
}

static void udp_stop()
{
    stopped = true;
    stop_when_quiet();
}

#include "udp_bench.h"
