/* SPDX-License-Identifier: Apache-2.0 */
/* The library's daemon: how it listens, what it is told, and in which order it stops. */
#include "http/server.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/request.h"

enum {
    BACKLOG = 1024,
    CONNECTION_MEMORY_BYTES = 64 << 10, /* taken whole at accept: measured best at this size */
    STACK_BYTES = 512 << 10,
};

static int bind_one(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

/* One socket for IPv6 and IPv4 where the address is empty and the system can. */
static int open_listener(const char *address, uint16_t port, struct err *err)
{
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", port);
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int r = getaddrinfo(*address ? address : NULL, port_text, &hints, &list);
    if (r != 0)
        return err_set(err, ERR_INVALID, "listen address '%s': %s", address, gai_strerror(r));
    int fd = -1;
    for (int want_v6 = 1; want_v6 >= 0 && fd < 0; want_v6--)
        for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
            if ((a->ai_family == AF_INET6) == want_v6)
                fd = bind_one(a);
    int e = errno;
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(err, -e, "listen on '%s' port %u: %s", address, port, strerror(e));
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    char port[8] = "0";
    if (getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        getnameinfo((struct sockaddr *)&a, len, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    return (uint16_t)strtoul(port, NULL, 10);
}

/* The library would decode %2F before we cut the path at '/'. */
static size_t keep_raw(void *ctx, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_library_log(void *ctx, const char *fmt,
                                                                 va_list ap)
{
    char text[512];
    vsnprintf(text, sizeof text, fmt, ap);
    LOG_DEBUG("http library", log_sv("text", sv_trim(sv_of(text))));
}

/* While stopping a new connection is closed as it comes.  MHD_quiesce_daemon() is not for us: it
 * and the library's threads may both take the socket out of an epoll set, and who comes second
 * aborts. */
static enum MHD_Result may_connect(void *server, const struct sockaddr *a, socklen_t len)
{
    struct http_server *s = server;
    return atomic_load(&s->stopping) ? MHD_NO : MHD_YES;
}

static int start_daemon(struct http_server *s, const struct http_server_conf *conf, int fd,
                        struct err *err)
{
    unsigned n_threads = conf->n_threads ? conf->n_threads : thread_n_cpus();
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)n_threads, NULL},
                                    {MHD_OPTION_END, 0, NULL}};
    if (n_threads < 2)
        pool[0] = pool[1]; /* a pool of one is refused: no pool is the same */
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
            MHD_USE_ERROR_LOG,
        conf->listen_port, may_connect, s, request_on_data, s, MHD_OPTION_EXTERNAL_LOGGER,
        on_library_log, NULL, MHD_OPTION_ARRAY, pool, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, conf->max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((conf->idle_timeout_ns + NS_PER_S - 1) / NS_PER_S), MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_NOTIFY_COMPLETED, request_on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
        reaper_on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, keep_raw, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, request_on_uri, s, MHD_OPTION_THREAD_STACK_SIZE,
        (size_t)STACK_BYTES, MHD_OPTION_END);
    if (!s->daemon)
        return err_set(err, ERR_UNAVAILABLE, "start the HTTP server: %s", strerror(errno));
    return 0;
}

static void server_free(struct http_server *s)
{
    router_deinit(s);
    cond_deinit(&s->drained);
    cond_deinit(&s->reaper_wake);
    mutex_deinit(&s->mu);
    free(s->path_prefix_text);
    free(s);
}

static struct http_server *server_new(const struct http_server_conf *conf)
{
    struct http_server *s = mem_zalloc(1, sizeof *s);
    mutex_init(&s->mu);
    cond_init(&s->reaper_wake);
    cond_init(&s->drained);
    size_t len = strlen(conf->path_prefix);
    while (len > 0 && conf->path_prefix[len - 1] == '/')
        len--;
    s->path_prefix_text = mem_alloc(len + 1);
    memcpy(s->path_prefix_text, conf->path_prefix, len);
    s->path_prefix_text[len] = '\0';
    s->path_prefix = sv(s->path_prefix_text, len);
    s->read_timeout_ns = conf->read_timeout_ns;
    s->write_timeout_ns = conf->write_timeout_ns;
    s->idle_timeout_ns = conf->idle_timeout_ns;
    s->stop_timeout_ns = conf->stop_timeout_ns;
    s->compress_responses = conf->compress_responses;
    return s;
}

int http_server_open(struct http_server **ret, const struct http_server_conf *conf,
                     const struct http_route *routes, size_t n_routes, struct pool *pool,
                     struct ledger *ledger, struct err *err)
{
    int fd = open_listener(conf->listen_address, conf->listen_port, err);
    if (fd < 0)
        return fd;
    struct http_server *s = server_new(conf);
    s->pool = pool;
    s->ledger = ledger;
    s->port = port_of(fd);
    router_init(s, routes, n_routes);
    int r = reaper_start(s, err);
    if (r == 0)
        r = start_daemon(s, conf, fd, err);
    if (r < 0) {
        reaper_end(s);
        server_free(s);
        close(fd);
        return r;
    }
    *ret = s;
    return 0;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

/* Waits for requests, then for handlers that a resumed connection left behind. */
static void wait_until_idle(struct http_server *s)
{
    int64_t until_ns = clock_mono_ns() + s->stop_timeout_ns;
    mutex_lock(&s->mu);
    while (s->n_open > 0) {
        int64_t left_ns = until_ns - clock_mono_ns();
        if (left_ns <= 0)
            break;
        cond_wait_for(&s->drained, &s->mu, left_ns);
    }
    mutex_unlock(&s->mu);
}

void http_server_close(struct http_server *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    wait_until_idle(s);
    request_abandon_all(s);     /* the library aborts on a connection that is still suspended */
    MHD_stop_daemon(s->daemon); /* closes the listening socket */
    mutex_lock(&s->mu);
    while (s->n_handlers > 0)
        cond_wait(&s->drained, &s->mu);
    mutex_unlock(&s->mu);
    reaper_end(s);
    server_free(s);
}
