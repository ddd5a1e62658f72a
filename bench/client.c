#include "client.h"

#include "load.h"
#include "os.h"
#include "transport.h"

#include <stdio.h>
#include <string.h>

static const struct transport *const transports[] = {
#ifdef BENCH_WITH_EPOLL
    &transport_epoll,
#endif
    &transport_cport,
    NULL,
};

const struct transport *client_transport(const char *name)
{
    const struct transport *const *t = transports;
    while (*t != NULL && name != NULL && strcmp((*t)->name, name) != 0)
        t++;
    return *t;
}

void client_describe(const struct transport *transport, char *ret_text, size_t size)
{
    const char *engine = transport->engine != NULL ? transport->engine() : "";
    snprintf(ret_text, size, "%s%s%s", transport->name, engine[0] != '\0' ? " on " : "", engine);
}

static int run(struct load *load, const struct transport *transport, void *client)
{
    if (load_start(load) != 0)
        return -1;
    for (unsigned i = 0; i < load->options->connections; i++) {
        stream_start_messages(load, &load->streams[i], sys_now_ns());
        if (transport->flush(client, i) != 0)
            return -1;
    }
    /* Every message started is awaited, also after the window: one that is lost fails the run. */
    while (load->outstanding > 0) {
        int64_t now_ns;
        if (transport->turn(client, &now_ns) != 0 || load_advance(load, now_ns) != 0)
            return -1;
    }
    return load_finish(load);
}

int client_run(const struct client_options *options, struct client_result *ret_result)
{
    const struct transport *transport = options->transport;
    struct load load;
    void *client;

    if (load_open(options, ret_result, &load) != 0)
        return -1;
    int status = transport->open(&load.talk, &client);
    if (status == 0) {
        status = run(&load, transport, client);
        transport->close(client);
    }
    load_free(&load);
    return status;
}
