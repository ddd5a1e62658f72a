/*
 * Fetches URLs all at once: libcurl does the talking, on sockets of its own, and this library the waiting. The port borrows
 * each socket, polls it for whatever libcurl waits for, and keeps libcurl's one timer.
 *
 *     curl_multi URL...
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cport/cport.h>
#include <curl/curl.h>

#define NS_PER_MS INT64_C(1000000)

struct fetcher {
    cport_port *port;
    CURLM *multi;
    cport_op timer;
    bool timer_armed;
    int64_t timer_due_ns; /* < 0: libcurl wants none */
    unsigned lent;        /* sockets whose close event is to come */
    int running;          /* transfers */
};

/* One way of a socket: an op that is in flight while libcurl waits for that readiness. */
struct way {
    cport_op poll;
    bool wanted, polling;
};

/* A socket of libcurl's, on the port. */
struct lent {
    struct fetcher *fetcher;
    cport_handle *handle;
    curl_socket_t socket;
    struct way in, out;
    cport_op closed;
    bool closing;
};

static void die(const char *what, int code)
{
    fprintf(stderr, "%s: %s\n", what, cport_strerror(code));
    exit(1);
}

static void must(const char *what, int code)
{
    if (code < 0)
        die(what, code);
}

static void way_set(struct lent *l, struct way *way, bool wanted, uint32_t mask)
{
    way->wanted = wanted;
    if (wanted && !way->polling) {
        must("poll", cport_poll(l->handle, &way->poll, mask));
        way->polling = true;
    } else if (!wanted && way->polling) {
        cport_cancel(&way->poll); /* its event comes all the same, and is ignored */
    }
}

static struct lent *lend(struct fetcher *f, curl_socket_t socket)
{
    struct lent *l = calloc(1, sizeof(*l));
    if (!l)
        die("borrow", CPORT_ENOMEM);
    l->fetcher = f;
    l->socket = socket;
    l->in.poll.user = l->out.poll.user = l;
    must("attach", cport_attach(f->port, socket, (uintptr_t)l, CPORT_ATTACH_BORROWED, &l->handle));
    f->lent++;
    curl_multi_assign(f->multi, socket, l);
    return l;
}

/* libcurl: this is what I wait for on that socket. After CURL_POLL_REMOVE it closes it, and may open another of that number. */
static int on_socket(CURL *easy, curl_socket_t socket, int what, void *fetcher, void *lent)
{
    (void)easy;
    struct lent *l = lent;
    if (what == CURL_POLL_REMOVE) {
        l->closing = true;
        must("close", cport_close(l->handle, &l->closed, 0));
        return 0;
    }
    if (!l)
        l = lend(fetcher, socket);
    way_set(l, &l->in, what & CURL_POLL_IN, CPORT_POLL_IN);
    way_set(l, &l->out, what & CURL_POLL_OUT, CPORT_POLL_OUT);
    return 0;
}

static void timer_arm(struct fetcher *f)
{
    if (f->timer_due_ns < 0 ||
        (f->timer_armed && cport_timer_rearm(&f->timer, f->timer_due_ns) == 0))
        return;
    if (f->timer_armed)
        return; /* expired: its event is on the way, and arms it anew */
    must("timer", cport_timer(f->port, &f->timer, f->timer_due_ns, 0));
    f->timer_armed = true;
}

/* libcurl: call me in so many milliseconds, or not at all. */
static int on_timer(CURLM *multi, long timeout_ms, void *fetcher)
{
    (void)multi;
    struct fetcher *f = fetcher;
    f->timer_due_ns = timeout_ms < 0 ? -1 : cport_now_ns(f->port) + timeout_ms * NS_PER_MS;
    timer_arm(f);
    return 0;
}

static void timer_expired(struct fetcher *f)
{
    f->timer_armed = false;
    if (f->timer_due_ns >= 0 && f->timer_due_ns <= cport_now_ns(f->port)) {
        f->timer_due_ns = -1;
        curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &f->running);
    }
    timer_arm(f);
}

/* The event of one way. libcurl does what it can, and may have done with the socket by the time it returns. */
static void way_ready(struct lent *l, struct way *way, const cport_event *event, int which)
{
    way->polling = false;
    if (l->closing)
        return;
    if (event->result != CPORT_ECANCELED && way->wanted)
        curl_multi_socket_action(l->fetcher->multi, l->socket,
            event->result < 0 ? CURL_CSELECT_ERR : which, &l->fetcher->running);
    if (!l->closing && way->wanted)
        way_set(l, way, true, which == CURL_CSELECT_IN ? CPORT_POLL_IN : CPORT_POLL_OUT);
}

static void on_event(struct fetcher *f, const cport_event *event)
{
    struct lent *l = (struct lent *)event->key;
    if (event->op == &f->timer) {
        timer_expired(f);
    } else if (event->op == &l->in.poll) {
        way_ready(l, &l->in, event, CURL_CSELECT_IN);
    } else if (event->op == &l->out.poll) {
        way_ready(l, &l->out, event, CURL_CSELECT_OUT);
    } else {
        f->lent--;
        free(l);
    }
}

static size_t discard(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count;
}

static void add(struct fetcher *f, const char *url)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        die(url, CPORT_ENOMEM);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_multi_add_handle(f->multi, easy);
    f->running++;
}

/* Says how the transfers that have ended did. Returns how many failed. */
static int report(struct fetcher *f)
{
    int failed = 0, left;
    for (CURLMsg *msg; (msg = curl_multi_info_read(f->multi, &left)) != NULL;) {
        CURL *easy = msg->easy_handle;
        CURLcode code = msg->data.result;
        curl_off_t bytes = 0;
        long status = 0;
        const char *url = "";
        curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
        if (code == CURLE_OK)
            printf("%ld %lld %s\n", status, (long long)bytes, url);
        else
            printf("failed: %s: %s\n", curl_easy_strerror(code), url);
        failed += code != CURLE_OK;
        curl_multi_remove_handle(f->multi, easy);
        curl_easy_cleanup(easy);
    }
    return failed;
}

int main(int argc, char **argv)
{
    cport_port_options options = {.size = sizeof(options), .flags = CPORT_PORT_SINGLE};
    struct fetcher f = {.timer_due_ns = -1};
    int failed = 0;
    must("port", cport_port_open(&options, &f.port));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f.multi = curl_multi_init();
    curl_multi_setopt(f.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(f.multi, CURLMOPT_SOCKETDATA, &f);
    curl_multi_setopt(f.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(f.multi, CURLMOPT_TIMERDATA, &f);
    for (int i = 1; i < argc; i++)
        add(&f, argv[i]);

    while (f.running > 0 || f.lent > 0) {
        cport_event events[64];
        int n = cport_wait(f.port, events, 64, -1);
        must("wait", n);
        for (int i = 0; i < n; i++)
            on_event(&f, &events[i]);
        failed += report(&f);
    }
    curl_multi_cleanup(f.multi);
    curl_global_cleanup();
    must("close", cport_port_close(f.port));
    return failed ? 1 : 0;
}
