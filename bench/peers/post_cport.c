/* This library: cport_post. "shared": to shared ports, otherwise to the owner of a SINGLE one. */
#include "cport_peer.h"

#include <stdlib.h>
#include <string.h>

struct packet {
    cport_op op;
};

static cport_port_options options = {.size = sizeof options, .backend = PEER_BACKEND};
static cport_port *ports[2];
static bool stopped[2];

static void on_packet(unsigned box, struct packet *packet);

static void boxes_prepare(const char *argument, const char **ret_engine, const char **ret_remark)
{
    static cport_port_info info = {.size = sizeof info};
    cport_port *port;
    options.flags = strcmp(argument, "shared") == 0 ? 0 : CPORT_PORT_SINGLE;
    cport_peer_check("port", cport_port_open(&options, &port));
    cport_peer_check("info", cport_port_get_info(port, &info));
    cport_port_close(port);
    *ret_engine = info.backend_name;
    *ret_remark = info.reason;
}

static void box_open(unsigned box)
{
    cport_peer_check("port", cport_port_open(&options, &ports[box]));
}

static inline void box_post(unsigned box, struct packet *packet)
{
    cport_peer_check("post", cport_post(ports[box], &packet->op, 0, 0));
}

static void box_run(unsigned box)
{
    cport_event events[64];
    while (!stopped[box]) {
        int n = cport_peer_check("wait", cport_wait(ports[box], events, 64, -1));
        for (int i = 0; i < n; i++)
            on_packet(box, CPORT_CONTAINER_OF(events[i].op, struct packet, op));
    }
}

static void box_stop(unsigned box)
{
    stopped[box] = true;
}

static void box_close(unsigned box)
{
    cport_port_close(ports[box]);
}

#include "post_bench.h"
