#include "sockets.h"

#include "os.h"

#include <stdlib.h>
#include <string.h>

static void complain_listen(const struct config *config, int error)
{
    const char *advice = "Choose another address with --listen HOST:PORT.";
    if (error == CPORT_EADDRINUSE)
        advice = "Another program serves there: stop it, or choose another port with --listen "
                 "HOST:PORT (port 0 takes a free one).";
    else if (error == CPORT_EADDRNOTAVAIL)
        advice = "This machine does not have that address: choose one that it has with --listen "
                 "HOST:PORT.";
    else if (error == CPORT_EACCES)
        advice = "Ports below 1024 want privileges: choose a higher one with --listen HOST:PORT.";
    fprintf(stderr, "cport-server: cannot listen on %s: %s. %s\n", config->listen,
        cport_strerror(error), advice);
}

static int listen_at(const struct sockaddr_storage *address, cport_socklen len, uint32_t flags,
    cport_os_handle *ret_fd)
{
    cport_socket_options options = {.size = sizeof(options), .flags = CPORT_SOCKET_NODELAY | flags};
    return cport_socket_tcp_listen((const struct sockaddr *)address, len, &options, ret_fd);
}

/* Sockets that share a port with each other would share it with another server's as well, without a word: so a socket
 * that shares with nobody goes first. */
static int port_is_free(const struct sockaddr_storage *address, cport_socklen len)
{
    cport_os_handle fd;
    int error = listen_at(address, len, 0, &fd);
    return error < 0 ? error : cport_socket_close(fd);
}

static bool add(struct sockets *sockets, cport_os_handle fd)
{
    cport_os_handle *more =
        realloc(sockets->clients, (sockets->count + 1) * sizeof(*sockets->clients));
    if (!more) {
        (void)cport_socket_close(fd);
        return false;
    }
    sockets->clients = more;
    sockets->clients[sockets->count++] = fd;
    return true;
}

/* One more, that shares its address with the others. */
static int add_new(struct sockets *sockets, const struct sockaddr_storage *address,
    cport_socklen len, uint32_t flags)
{
    cport_os_handle fd;
    int error = listen_at(address, len, flags, &fd);
    if (error == 0 && !add(sockets, fd))
        error = CPORT_ENOMEM;
    return error;
}

/* ---- From the service manager ---- */

/* What it brings is one socket, so one worker accepts. Returns 1 without one. */
static int open_inherited(struct sockets *sockets)
{
    int fd;
    cport_socklen len;
    const char *why = sys_listener_inherited(&fd);
    if (!why && fd < 0)
        return 1;
    int error = CPORT_EINVAL;
    if (!why) {
        error = cport_socket_local((cport_os_handle)fd, &sockets->address, &len);
        why = cport_strerror(error);
    }
    if (error == 0 && !add(sockets, (cport_os_handle)fd)) {
        error = CPORT_ENOMEM;
        why = cport_strerror(error);
    }
    if (error < 0)
        fprintf(stderr, "cport-server: cannot serve on the service manager's socket: %s\n", why);
    sockets->one_acceptor = true;
    return error;
}

/* ---- From the server before ---- */

/* Whether the socket is at the address, or at any port of it where the port is 0. */
static bool is_at(cport_os_handle fd, const struct sockaddr_storage *wanted,
    cport_socklen wanted_len, bool any_port, struct sockaddr_storage *ret_address)
{
    char is[64] = "", should[64] = "?";
    cport_socklen len;
    if (cport_socket_local(fd, ret_address, &len) < 0)
        return false;
    (void)cport_address_text((const struct sockaddr *)ret_address, len, is, sizeof(is));
    (void)cport_address_text((const struct sockaddr *)wanted, wanted_len, should, sizeof(should));
    char *is_port = strrchr(is, ':'), *should_port = strrchr(should, ':');
    if (any_port && is_port && should_port)
        *is_port = *should_port = '\0';
    return strcmp(is, should) == 0;
}

/* With fewer sockets than workers more are opened, if the ones taken over share their address; with more, workers have several. */
static bool open_taken(struct sockets *sockets, const struct config *config, unsigned workers,
    struct heritage *heritage)
{
    struct sockaddr_storage wanted;
    cport_socklen len;
    if (cport_address(config->host, config->tcp_port, &wanted, &len) < 0 ||
        !is_at(heritage->clients[0], &wanted, len, config->tcp_port == 0, &sockets->address)) {
        fprintf(stderr,
            "cport-server: the server at %s listens elsewhere than on %s: stop it to change that\n",
            config->takeover, config->listen);
        return false;
    }
    for (unsigned i = 0; i < heritage->count; i++) {
        cport_os_handle fd = heritage->clients[i];
        heritage->clients[i] = CPORT_OS_HANDLE_INVALID;
        if (!add(sockets, fd))
            return false;
    }
    while (!sockets->one_acceptor && sockets->count < workers)
        sockets->one_acceptor =
            add_new(sockets, &sockets->address, len, CPORT_SOCKET_REUSE_PORT) < 0;
    return true;
}

/* ---- Anew ---- */

/* With port 0 the first socket decides for the others. */
static bool open_new(struct sockets *sockets, const struct config *config, unsigned workers)
{
    struct sockaddr_storage *address = &sockets->address;
    cport_socklen len;
    int error = cport_address(config->host, config->tcp_port, address, &len);
    unsigned count = sockets->one_acceptor ? 1 : workers;
    uint32_t flags = count > 1 ? CPORT_SOCKET_REUSE_PORT : 0;
    if (error == 0 && count > 1 && config->tcp_port != 0)
        error = port_is_free(address, len);
    for (unsigned i = 0; error == 0 && i < count; i++) {
        error = add_new(sockets, address, len, flags);
        if (error == 0 && i == 0)
            error = cport_socket_local(sockets->clients[0], address, &len);
    }
    if (error < 0)
        complain_listen(config, error);
    return error == 0;
}

static bool open_admin(
    struct sockets *sockets, const struct config *config, struct heritage *heritage)
{
    struct sockaddr_storage address, taken;
    cport_socklen len;
    char text[64] = "?";
    if (config->admin[0] == '\0')
        return true;
    int error = cport_address(config->admin_host, config->admin_port, &address, &len);
    if (error == 0 && heritage->admin != CPORT_OS_HANDLE_INVALID &&
        is_at(heritage->admin, &address, len, config->admin_port == 0, &taken)) {
        sockets->admin = heritage->admin;
        heritage->admin = CPORT_OS_HANDLE_INVALID;
    } else if (error == 0) {
        error = listen_at(&address, len, 0, &sockets->admin);
    }
    if (error == 0)
        error = cport_socket_local(sockets->admin, &address, &len);
    if (error < 0) {
        fprintf(stderr, "cport-server: cannot listen on %s for --admin: %s\n", config->admin,
            cport_strerror(error));
        return false;
    }
    (void)cport_address_text((const struct sockaddr *)&address, len, text, sizeof(text));
    printf("cport-server: admin on %s\n", text);
    return true;
}

bool sockets_open(struct sockets *sockets, const struct config *config, unsigned workers,
    struct heritage *heritage)
{
    *sockets = (struct sockets){.admin = CPORT_OS_HANDLE_INVALID};
    sockets->one_acceptor = config->acceptor == ACCEPTOR_ONE ||
                            (config->acceptor == ACCEPTOR_AUTO && !sys_listeners_balance());
    bool good;
    if (heritage->count > 0) {
        good = open_taken(sockets, config, workers, heritage);
    } else {
        int inherited = open_inherited(sockets);
        good = inherited == 0 || (inherited > 0 && open_new(sockets, config, workers));
    }
    return good && open_admin(sockets, config, heritage);
}

void sockets_close(struct sockets *sockets)
{
    for (unsigned i = 0; i < sockets->count; i++) {
        if (sockets->clients[i] != CPORT_OS_HANDLE_INVALID)
            (void)cport_socket_close(sockets->clients[i]);
    }
    free(sockets->clients);
    if (sockets->admin != CPORT_OS_HANDLE_INVALID)
        (void)cport_socket_close(sockets->admin);
    *sockets = (struct sockets){.admin = CPORT_OS_HANDLE_INVALID};
}
