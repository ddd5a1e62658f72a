#include "takeover.h"

#include <stdio.h>

static bool refuse(char error[TAKEOVER_ERROR_BYTES])
{
    snprintf(error, TAKEOVER_ERROR_BYTES, "this system has no way to hand sockets over");
    return false;
}

bool heritage_ask(const char *path, struct heritage *ret_heritage, char error[TAKEOVER_ERROR_BYTES])
{
    (void)path;
    (void)ret_heritage;
    return refuse(error);
}

bool heritage_claim(struct heritage *heritage, char error[TAKEOVER_ERROR_BYTES])
{
    (void)heritage;
    return refuse(error);
}

void heritage_close(struct heritage *heritage)
{
    (void)heritage;
}

bool takeover_open(const char *path, const cport_os_handle *clients, unsigned count,
    cport_os_handle admin, struct takeover **ret_takeover, char error[TAKEOVER_ERROR_BYTES])
{
    (void)path;
    (void)clients;
    (void)count;
    (void)admin;
    (void)ret_takeover;
    return refuse(error);
}

bool takeover_end(struct takeover *takeover)
{
    (void)takeover;
    return false;
}

void takeover_let_go(struct takeover *takeover)
{
    (void)takeover;
}

void takeover_close(struct takeover *takeover)
{
    (void)takeover;
}
