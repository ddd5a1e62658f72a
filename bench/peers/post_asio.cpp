// Boost.Asio: asio::post to the io_context that another thread runs.
#include "peer.h"

#include <boost/asio.hpp>
#include <boost/version.hpp>

namespace asio = boost::asio;

struct packet {
    char unused;
};

static asio::io_context contexts[2];

static void on_packet(unsigned box, struct packet *packet);

static void boxes_prepare(const char *, const char **ret_engine, const char **ret_remark)
{
    *ret_engine = "its own loop";
    *ret_remark = "Boost " BOOST_LIB_VERSION;
}

static void box_open(unsigned)
{
}

static inline void box_post(unsigned box, struct packet *packet)
{
    asio::post(contexts[box], [box, packet] { on_packet(box, packet); });
}

static void box_run(unsigned box)
{
    auto work = asio::make_work_guard(contexts[box]);
    contexts[box].run();
}

static void box_stop(unsigned box)
{
    contexts[box].stop();
}

static void box_close(unsigned)
{
}

#include "post_bench.h"
