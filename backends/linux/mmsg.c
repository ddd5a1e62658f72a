#include "mmsg.h"

#include <errno.h>
#include <string.h>

#include "os.h"

/* More come in while they are taken out only if somebody floods us with them. */
#define ERRORS_MOST 256u

uint64_t mmsg_caps(void)
{
    return CPORT_CAP_MSG_BATCH | CPORT_CAP_UNIX | (os_socket_has_gso() ? CPORT_CAP_UDP_GSO : 0);
}

void mmsg_header(struct op *op, struct msghdr *ret_hdr)
{
    const cport_msg *msg = op->io.msg;
    struct vec *vec = op->io.vec;
    bool is_send = op->kind == OP_SENDMSG;
    uint32_t control_len = is_send ? msg->control_len : msg->control_room;
    _Static_assert(sizeof(cport_buf) == sizeof(struct iovec), "pieces are the system's own");
    *ret_hdr = (struct msghdr){
        .msg_name = msg->address,
        .msg_iov = (struct iovec *)(void *)&vec->bufs[vec->first],
        .msg_iovlen = vec->count,
        .msg_control = control_len ? msg->control : NULL,
        .msg_controllen = control_len,
    };
    if (msg->address)
        ret_hdr->msg_namelen = is_send ? msg->address_len : msg->address_room;
}

void mmsg_received(struct op *op, const struct msghdr *hdr, size_t bytes)
{
    cport_msg *msg = op->io.msg;
    socklen_t room = msg->address ? msg->address_room : 0;
    msg->address_len = hdr->msg_namelen < room ? hdr->msg_namelen : room;
    msg->control_len = (uint32_t)hdr->msg_controllen;
    msg->flags = os_msg_flags((uint32_t)hdr->msg_flags);
    op->transferred = bytes < op->io.len ? bytes : op->io.len;
    op->result = msg->flags & CPORT_MSG_TRUNCATED ? CPORT_EMSGSIZE : (int64_t)bytes;
}

static void sent(struct op *op, size_t bytes)
{
    op->transferred = bytes;
    op->result = (int64_t)bytes;
}

/* The headers of the op and of those behind it that can go with it. */
static unsigned gather(struct op *op, unsigned most, struct mmsghdr *ret_hdrs)
{
    unsigned n = 0;
    for (struct op *at = op; n < most && at; at = at->next) {
        if (at->kind != op->kind || (at->bits & OP_CANCELLED))
            break;
        mmsg_header(at, &ret_hdrs[n++].msg_hdr);
    }
    return n;
}

/* One header goes the shorter way through the kernel. */
static int move(struct op *op, struct mmsghdr *hdrs, unsigned n)
{
    const int fd = op->handle->fd;
    const bool is_send = op->kind == OP_SENDMSG;
    for (;;) {
        ssize_t r;
        if (n > 1 && is_send)
            r = sendmmsg(fd, hdrs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        else if (n > 1)
            r = recvmmsg(fd, hdrs, n, MSG_DONTWAIT, NULL);
        else if (is_send)
            r = sendmsg(fd, &hdrs->msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
        else
            r = recvmsg(fd, &hdrs->msg_hdr, MSG_DONTWAIT);
        if (r >= 0 && n > 1)
            return (int)r;
        hdrs->msg_len = (unsigned)r;
        if (r >= 0)
            return 1;
        if (errno != EINTR && !mmsg_forgives(op->handle, errno))
            return -errno;
    }
}

int mmsg_move(struct op *op, unsigned most)
{
    struct mmsghdr hdrs[MMSG_MOST];
    const unsigned together = gather(op, most, hdrs);
    const int n = move(op, hdrs, together);
    for (int i = 0; i < n && i < (int)together; i++) {
        if (i > 0) {
            op = op->next;
            op->bits |= OP_AHEAD;
        }
        /* move, or the kernel in it, has set msg_len. NOLINTBEGIN(clang-analyzer-core.CallAndMessage) */
        if (op->kind == OP_SENDMSG)
            sent(op, hdrs[i].msg_len);
        else
            mmsg_received(op, &hdrs[i].msg_hdr, hdrs[i].msg_len);
        /* NOLINTEND(clang-analyzer-core.CallAndMessage) */
    }
    return n;
}

void mmsg_took(struct op *op, size_t bytes)
{
    op->transferred = bytes < op->io.len ? bytes : op->io.len;
    op->result = bytes > op->io.len ? CPORT_EMSGSIZE : (int64_t)bytes;
}

int mmsg_recv_pooled(
    const struct cport_handle *h, struct cport_bufs *pool, const uint32_t *ids, unsigned n)
{
    struct mmsghdr hdrs[MMSG_MOST];
    struct iovec pieces[MMSG_MOST];
    for (unsigned i = 0; i < n; i++) {
        struct datagram_head *head = datagram_head_at(pool, ids[i]);
        pieces[i] = (struct iovec){datagram_data_at(pool, ids[i]), datagram_room(pool)};
        hdrs[i].msg_hdr = (struct msghdr){
            .msg_name = head->address,
            .msg_namelen = HEAD_ADDRESS_ROOM,
            .msg_iov = &pieces[i],
            .msg_iovlen = 1,
            .msg_control = head->control,
            .msg_controllen = HEAD_CONTROL_ROOM,
        };
    }
    int r;
    do
        r = recvmmsg(h->fd, hdrs, n, MSG_DONTWAIT, NULL);
    while (r < 0 && (errno == EINTR || mmsg_forgives(h, errno)));
    if (r < 0)
        return -errno;
    for (int i = 0; i < r; i++)
        mmsg_head(datagram_head_at(pool, ids[i]), &hdrs[i].msg_hdr, hdrs[i].msg_len);
    return r;
}

void mmsg_head(struct datagram_head *head, const struct msghdr *hdr, uint32_t bytes)
{
    head->address_len = hdr->msg_namelen;
    head->control_len = (uint32_t)hdr->msg_controllen;
    head->data_len = bytes;
    head->os_flags = (uint32_t)hdr->msg_flags;
}

/* Each that came back lies in the socket's queue of errors, and counts against its buffer. The next of them is told again as
 * soon as one is taken: they are told as one. */
static void take_errors(int fd)
{
    int error;
    socklen_t len = sizeof(error);
    struct msghdr none = {0};
    for (unsigned i = 0; i < ERRORS_MOST; i++)
        if (recvmsg(fd, &none, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            break;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

bool mmsg_forgives(const struct cport_handle *h, int number)
{
    if (number == EAGAIN || !(h->traits & HANDLE_DATAGRAM))
        return false;
    if (h->traits & HANDLE_QUIET)
        return number == ECONNREFUSED;
    if (h->traits & HANDLE_UNIX)
        return false;
    take_errors(h->fd);
    errno = number;
    return false;
}
