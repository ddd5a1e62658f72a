// Boost.Asio: a steady_timer for each. Moving one cancels its wait, whose handler is then run, and waits anew.
#include "peer.h"

#include <boost/asio.hpp>
#include <boost/version.hpp>
#include <chrono>
#include <vector>

namespace asio = boost::asio;

static asio::io_context context(1);
static std::vector<asio::steady_timer> timers;
static unsigned since_settled;

static void timers_open(unsigned count, const char **ret_engine, const char **ret_remark)
{
    timers.reserve(count);
    for (unsigned i = 0; i < count; i++)
        timers.emplace_back(context);
    *ret_engine = "its own loop";
    *ret_remark = "Boost " BOOST_LIB_VERSION;
}

static void timers_settle()
{
    context.restart();
    context.poll();
}

static inline void timer_arm(unsigned i, int64_t delay_ns)
{
    timers[i].expires_after(std::chrono::nanoseconds(delay_ns));
    timers[i].async_wait([](const boost::system::error_code &) {});
}

static inline void timer_cancel(unsigned i)
{
    timers[i].cancel();
}

static inline void timer_rearm(unsigned i, int64_t delay_ns)
{
    timer_arm(i, delay_ns);
    if (++since_settled % 64 == 0)
        timers_settle();
}

static void timers_close()
{
    timers.clear();
}

#include "timer_bench.h"
