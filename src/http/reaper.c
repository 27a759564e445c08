/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own timeout starts anew with each byte, so a client that sends one byte a second
 * would hold a connection for ever.  Here each connection has a time by which its request must be
 * complete, and one by which its reader must take the next piece of an answer; whoever is late
 * loses the socket, and the library cleans up.
 * The library also overlooks a client that leaves in the middle of a request when its last bytes
 * and its end come in one go: that one is found here, and its memory need not wait. */
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "http/request.h"

#define CHECK_EVERY_NS (200 * NS_PER_MS)
enum { LOOK_AT_ONCE = 256 };

GAUGE_BY(tcp_connections, "loki_tcp_connections", "Open client connections", "protocol");
COUNTER(cut_connections, "halogi_http_slow_clients_cut_total",
        "Connections closed because a request was not complete, or an answer not taken, in time");

static void set_deadline_locked(struct http_server *s, struct connection *c, int64_t in_ns)
{
    mutex_assert_held(&s->mu);
    c->deadline_ns = in_ns == INT64_MAX ? INT64_MAX : clock_mono_ns() + in_ns;
}

void reaper_set_deadline(struct http_server *s, struct connection *c, int64_t in_ns)
{
    MUTEX_GUARD(&s->mu);
    c->sending = false;
    set_deadline_locked(s, c, in_ns);
}

enum { BYTES_PER_TIMEOUT = 1 << 20 };

void reaper_expect_reader(struct http_server *s, struct connection *c, uint64_t bytes)
{
    int64_t in_ns;
    int64_t times = (int64_t)(bytes / BYTES_PER_TIMEOUT) + 1;
    if (s->write_timeout_ns <= 0 || __builtin_mul_overflow(s->write_timeout_ns, times, &in_ns))
        in_ns = INT64_MAX;
    MUTEX_GUARD(&s->mu);
    c->sending = true;
    c->reader_timeout_ns = in_ns;
    set_deadline_locked(s, c, in_ns);
}

static void connection_open(struct http_server *s, struct MHD_Connection *mhd, void **ret)
{
    struct connection *c = mem_zalloc(1, sizeof *c);
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *ret = c;
    METRIC_ADD(&tcp_connections, 1, SV("http"));
    MUTEX_GUARD(&s->mu);
    set_deadline_locked(s, c, s->read_timeout_ns);
    c->next = s->connections;
    if (c->next)
        c->next->prev = c;
    s->connections = c;
}

static void connection_closed(struct http_server *s, struct connection *c)
{
    METRIC_ADD(&tcp_connections, -1, SV("http"));
    mutex_lock(&s->mu); /* from here on the descriptor may be another's */
    if (c->prev)
        c->prev->next = c->next;
    else
        s->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    mutex_unlock(&s->mu);
    free(c);
}

void reaper_on_connection(void *server, struct MHD_Connection *mhd, void **connection,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_open(server, mhd, connection);
    else if (*connection)
        connection_closed(server, *connection);
}

static void cut_locked(struct http_server *s, struct connection *c)
{
    mutex_assert_held(&s->mu);
    c->cut = true;
    shutdown(c->fd, SHUT_RDWR);
}

/* The system holds up to some MiB for a reader, who may be slow but awake. */
static void note_reading_locked(struct http_server *s, struct connection *c)
{
    mutex_assert_held(&s->mu);
    int unsent = 0;
    if (!c->sending || ioctl(c->fd, SIOCOUTQ, &unsent) != 0 || unsent == c->unsent_bytes)
        return;
    c->unsent_bytes = unsent;
    set_deadline_locked(s, c, c->reader_timeout_ns);
}

static void cut_late_locked(struct http_server *s)
{
    mutex_assert_held(&s->mu);
    int64_t now_ns = clock_mono_ns();
    for (struct connection *c = s->connections; c; c = c->next) {
        if (!c->cut)
            note_reading_locked(s, c);
        if (c->cut || c->deadline_ns > now_ns)
            continue;
        cut_locked(s, c);
        metric_add(&cut_connections, 1);
    }
}

/* The client has closed, all it sent was read, and that is no whole request.  Twice in a row, since
 * the library's thread may be at the end of one just now. */
static void note_left_locked(struct http_server *s, struct connection *c, bool hung_up)
{
    mutex_assert_held(&s->mu);
    int unread = 0;
    bool left = hung_up && ioctl(c->fd, FIONREAD, &unread) == 0 && unread == 0;
    if (left && c->left)
        cut_locked(s, c);
    c->left = left;
}

static void look_at_locked(struct http_server *s, struct connection **v, size_t n)
{
    mutex_assert_held(&s->mu);
    struct pollfd fds[LOOK_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = v[i]->fd, .events = POLLRDHUP};
    if (poll(fds, n, 0) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        note_left_locked(s, v[i], (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
}

static void cut_left_locked(struct http_server *s)
{
    mutex_assert_held(&s->mu);
    struct connection *v[LOOK_AT_ONCE];
    size_t n = 0;
    for (struct connection *c = s->connections; c; c = c->next) {
        /* For a request's bytes. */
        bool waits = !c->cut && !c->sending && c->deadline_ns != INT64_MAX;
        c->left &= waits;
        if (waits)
            v[n++] = c;
        if (n == LOOK_AT_ONCE || (!c->next && n > 0)) {
            look_at_locked(s, v, n);
            n = 0;
        }
    }
}

static void reaper_main(void *ctx)
{
    struct http_server *s = ctx;
    mutex_lock(&s->mu);
    while (!s->reaper_stop) {
        cut_late_locked(s);
        cut_left_locked(s);
        cond_wait_for(&s->reaper_wake, &s->mu, CHECK_EVERY_NS);
    }
    mutex_unlock(&s->mu);
}

int reaper_start(struct http_server *s, struct err *err)
{
    return thread_start(&s->reaper, "http-reaper", reaper_main, s, err);
}

void reaper_end(struct http_server *s)
{
    mutex_lock(&s->mu);
    s->reaper_stop = true;
    cond_broadcast(&s->reaper_wake);
    mutex_unlock(&s->mu);
    thread_join(&s->reaper);
}
