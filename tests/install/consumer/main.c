/* A user of an installed cport: one packet goes through a port. The argument is the version it should be. */
#include <cport/cport.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(cport_version(), argv[1]) != 0) {
        fprintf(stderr, "this is version %s\n", cport_version());
        return 1;
    }
    cport_port *port;
    cport_op op;
    cport_event event;
    cport_op_init(&op, NULL);
    int error = cport_port_open(NULL, &port);
    if (error == 0) {
        error = cport_post(port, &op, 7, 42);
    }
    if (error == 0) {
        error = cport_wait(port, &event, 1, -1);
    }
    if (error != 1 || event.op != &op || event.key != 7 || event.result != 42) {
        fprintf(stderr, "the packet did not arrive: %s\n", cport_strerror(error));
        return 1;
    }
    return cport_port_close(port) == 0 ? 0 : 1;
}
