/* SPDX-License-Identifier: Apache-2.0 */
/* A real server on a free port, spoken to through plain sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ledger.h"
#include "base/thread.h"
#include "http/server.h"

struct fixture {
    struct http_server *server;
    struct pool *pool;
    struct ledger ledger;
    struct mutex mu;
    struct cond changed;
    struct http_request *held[8]; /* guarded by mu: answered later */
    size_t n_held;                /* guarded by mu */
    _Atomic unsigned n_handled, n_pulled, n_done;
    _Atomic bool saw_gone;
};

/* ---- handlers ---- */

/* "METHOD path param [name=value]... body" */
static void echo(void *ctx, struct http_request *req)
{
    struct fixture *f = ctx;
    struct buf out = BUF_INIT;
    buf_printf(&out, "%u %.*s %.*s", req->method, SV_ARG(req->path), SV_ARG(req->path_param));
    for (size_t i = 0; i < req->n_params; i++)
        buf_printf(&out, " [%.*s=%.*s]", SV_ARG(req->params[i].name), SV_ARG(req->params[i].value));
    buf_put_u8(&out, ' ');
    buf_put(&out, req->body);
    atomic_fetch_add(&f->n_handled, 1);
    http_reply_header(req, "X-Echo", SV("yes"));
    http_reply(req, 200, "text/plain", &out);
}

static void hold(void *ctx, struct http_request *req)
{
    struct fixture *f = ctx;
    MUTEX_GUARD(&f->mu);
    f->held[f->n_held++] = req;
    cond_broadcast(&f->changed);
}

static int pull(void *ctx, struct buf *out)
{
    struct fixture *f = ctx;
    unsigned n = atomic_fetch_add(&f->n_pulled, 1);
    buf_fill(out, (char)('a' + n % 26), 50000);
    return n < 99;
}

static void pulled(void *ctx)
{
    atomic_fetch_add(&((struct fixture *)ctx)->n_done, 1);
}

static void stream(void *ctx, struct http_request *req)
{
    atomic_store(&((struct fixture *)ctx)->n_pulled, 0);
    http_reply_pull(req, 200, "text/plain", pull, pulled, ctx);
}

static int break_off(void *ctx, struct buf *out)
{
    buf_put(out, SV("half an answer"));
    return atomic_fetch_add(&((struct fixture *)ctx)->n_pulled, 1) ? -1 : 1;
}

static void broken(void *ctx, struct http_request *req)
{
    atomic_store(&((struct fixture *)ctx)->n_pulled, 0);
    http_reply_pull(req, 200, "text/plain", break_off, pulled, ctx);
}

static void wait_for_hang_up(void *ctx, struct http_request *req)
{
    struct fixture *f = ctx;
    for (int i = 0; i < 3000 && !http_client_gone(req); i++)
        usleep(1000);
    atomic_store(&f->saw_gone, http_client_gone(req));
    http_reply_text(req, 499, SV("gone"), true);
}

static void refuse(void *ctx, struct http_request *req)
{
    struct err err = ERR_INIT;
    err_set(&err, ERR_UNAVAILABLE, "not now");
    http_reply_err(req, &err, true);
}

static void open_server(struct fixture *f)
{
    const struct http_route routes[] = {
        {"/echo", HTTP_GET | HTTP_POST, HTTP_CLASS_STATUS, echo, f, 1000000, false},
        {"/form/{name}", HTTP_GET | HTTP_POST, HTTP_CLASS_QUERY, echo, f, 1000, true},
        {"/nobody", HTTP_GET | HTTP_POST, HTTP_CLASS_STATUS, echo, f, 0, false},
        {"/hold", HTTP_GET, HTTP_CLASS_STATUS, hold, f, 0, false},
        {"/stream", HTTP_GET, HTTP_CLASS_STATUS, stream, f, 0, false},
        {"/broken", HTTP_GET, HTTP_CLASS_STATUS, broken, f, 0, false},
        {"/gone", HTTP_GET, HTTP_CLASS_STATUS, wait_for_hang_up, f, 0, false},
        {"/fail", HTTP_GET, HTTP_CLASS_STATUS, refuse, f, 0, false},
    };
    const struct http_server_conf conf = {
        .listen_address = "127.0.0.1",
        .path_prefix = "",
        .read_timeout_ns = NS_PER_S,
        .idle_timeout_ns = 5 * NS_PER_S,
        .stop_timeout_ns = NS_PER_S / 2,
        .n_threads = 2,
        .max_connections = 100,
        .compress_responses = true,
    };
    struct err err = ERR_INIT;
    if (http_server_open(&f->server, &conf, routes, sizeof routes / sizeof routes[0], f->pool,
                         &f->ledger, &err) < 0)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    mutex_init(&f->mu);
    cond_init(&f->changed);
    ledger_init(&f->ledger, 64 << 20);
    assert_int_equal(pool_open(&f->pool, "test", 3, NULL), 0);
    open_server(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_server_close(f->server);
    pool_close(f->pool);
    assert_int_equal(ledger_used(&f->ledger), 0);
    cond_deinit(&f->changed);
    mutex_deinit(&f->mu);
    free(f);
    return 0;
}

/* ---- a client ---- */

static int dial(struct fixture *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(http_server_port(f->server))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say(int fd, struct str_view text)
{
    while (text.len > 0) {
        ssize_t n = send(fd, text.p, text.len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server may have enough */
        text = sv_from(text, (size_t)n);
    }
}

/* Until the server closes; ends in a NUL. */
static void hear_all(int fd, struct buf *out)
{
    enum { PIECE = 65536 };
    buf_clear(out);
    for (ssize_t n = 1; n > 0;) {
        n = recv(fd, buf_add(out, PIECE), PIECE, 0);
        out->len -= PIECE - (size_t)(n > 0 ? n : 0);
    }
    buf_put_u8(out, 0);
}

static void ask(struct fixture *f, struct str_view text, struct buf *out)
{
    int fd = dial(f);
    say(fd, text);
    hear_all(fd, out);
    close(fd);
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void assert_says(const struct buf *out, const char *text)
{
    if (!strstr(out->p ? out->p : "", text))
        fail_msg("no '%s' in '%.2000s'", text, out->p);
}

static void wait_until(_Atomic unsigned *n, unsigned want)
{
    for (int i = 0; i < 5000 && atomic_load(n) < want; i++)
        usleep(1000);
    assert_true(atomic_load(n) >= want);
}

/* ---- tests ---- */

static void test_requests_arrive_whole(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    ask(f, SV("GET /echo?a=1&b=%20+ HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "HTTP/1.1 200 OK\r\n");
    assert_says(&out, "X-Echo: yes\r\n");
    assert_says(&out, "1 /echo  [a=1] [b=  ] ");
    ask(f, SV("POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nhello"), &out);
    assert_says(&out, "2 /echo  hello");
    ask(f,
        SV("POST /echo HTTP/1.1\r\n" CLOSE
           "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, world\r\n"
           "0\r\n\r\n"),
        &out);
    assert_says(&out, "2 /echo  hello, world");
    ask(f, SV("HEAD /echo HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "HTTP/1.1 200 OK\r\n");
    assert_null(strstr(out.p, "/echo"));
    ask(f, SV("GET http://somewhere:80/echo?x=y HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "1 /echo  [x=y] ");
}

static void test_a_form_comes_before_the_url(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    ask(f,
        SV("POST /form/a%2Fb?q=url HTTP/1.1\r\n" CLOSE
           "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: "
           "10\r\n\r\nq=f%26&r=1"),
        &out);
    assert_says(&out, "2 /form/a/b a/b [q=f&] [r=1] [q=url] q=f%26&r=1");
    ask(f,
        SV("POST /form/a HTTP/1.1\r\n" CLOSE
           "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nq=f"),
        &out);
    assert_says(&out, "2 /form/a a q=f");
}

static void test_unknown_paths_and_methods(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    ask(f, SV("GET /nowhere HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "HTTP/1.1 404 Not Found\r\n");
    assert_says(&out, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_says(&out, "X-Content-Type-Options: nosniff\r\n");
    assert_says(&out, "\r\n\r\n404 page not found\n");
    ask(f, SV("DELETE /echo HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "HTTP/1.1 405 Method Not Allowed\r\n");
    assert_says(&out, "Content-Length: 0\r\n");
    ask(f, SV("BREW /echo HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "HTTP/1.1 405 ");
    ask(f, SV("GET /fail HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "HTTP/1.1 503 ");
    assert_says(&out, "Retry-After: 1\r\n");
    assert_says(&out, "\r\n\r\nnot now\n");
    assert_int_equal(f->n_handled, 0);
}

static void test_lengths_that_two_readers_could_read_apart_are_refused(void **state)
{
    static const char *const heads[] = {
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "transfer-encoding: CHUNKED\r\ncontent-length: 3\r\n",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT, out = BUF_INIT;
        buf_printf(&text, "POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\nGET /echo HTTP/1.1\r\n\r\n",
                   heads[i]);
        ask(f, buf_view(&text), &out);
        assert_says(&out, "HTTP/1.1 400 ");
    }
    assert_int_equal(f->n_handled, 0);
}

static void test_bodies_over_the_limit_are_heard_out_and_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, out = BUF_INIT;
    buf_put(&text, SV("POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 1000001\r\n\r\n"));
    buf_fill(&text, 'x', 1000001);
    ask(f, buf_view(&text), &out);
    assert_says(&out, "HTTP/1.1 413 ");
    assert_says(&out, "message size too large than max (1000001 vs 1000000)\n");
    buf_clear(&text);
    buf_put(&text, SV("POST /echo HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 16; i++) {
        buf_put(&text, SV("10000\r\n"));
        buf_fill(&text, 'x', 0x10000);
        buf_put(&text, SV("\r\n"));
    }
    buf_put(&text, SV("0\r\n\r\n"));
    ask(f, buf_view(&text), &out);
    assert_says(&out, "message size too large than max (1048576 vs 1000000)\n");
    /* far over: at once, whether or not the rest comes */
    ask(f, SV("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99000000\r\n\r\nxxx"), &out);
    assert_says(&out, "HTTP/1.1 413 ");
    ask(f,
        SV("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
           "1000001\r\n\r\n"),
        &out);
    assert_says(&out, "HTTP/1.1 413 ");
    assert_null(strstr(out.p, "100 Continue"));
    assert_int_equal(f->n_handled, 0);
}

static void test_a_client_that_waits_for_our_word_hears_it(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    int fd = dial(f);
    char text[256] = "";
    say(fd,
        SV("POST /echo HTTP/1.1\r\n" CLOSE "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 100 Continue\r\n"));
    say(fd, SV("hello"));
    hear_all(fd, &out);
    assert_says(&out, "2 /echo  hello");
    close(fd);
}

static void test_stray_bodies_do_no_harm(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, out = BUF_INIT;
    ask(f, SV("POST /nobody HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nhello"), &out);
    assert_says(&out, "2 /nobody  ");
    assert_null(strstr(out.p, "hello"));
    ask(f, SV("POST /nowhere HTTP/1.1\r\n" CLOSE "Content-Length: 5\r\n\r\nhello"), &out);
    assert_says(&out, "HTTP/1.1 404 ");
    /* the next request of the connection is read right behind it */
    buf_put(&text, SV("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET "
                      "/echo?second HTTP/1.1\r\n" CLOSE "\r\n"));
    ask(f, buf_view(&text), &out);
    assert_says(&out, "HTTP/1.1 404 ");
    assert_says(&out, "[second=]");
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, out = BUF_INIT;
    for (int i = 0; i < 50; i++)
        buf_printf(&text, "POST /echo?n=%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", i);
    buf_put(&text, SV("GET /echo?last HTTP/1.1\r\n" CLOSE "\r\n"));
    ask(f, buf_view(&text), &out);
    const char *at = out.p;
    for (int i = 0; i < 50; i++) {
        char want[32];
        snprintf(want, sizeof want, "[n=%d] abc", i);
        at = strstr(at, want);
        assert_non_null(at);
    }
    assert_non_null(strstr(at, "[last=]"));
}

/* The library keeps a record for each argument it finds and gives up without a word when its pool
 * is full; we cut the arguments ourselves. */
static void test_a_thousand_arguments_are_answered(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, out = BUF_INIT;
    buf_put(&text, SV("GET /echo?a=0"));
    for (int i = 1; i < 2000; i++)
        buf_printf(&text, "&match[]=%d?", i);
    buf_put(&text, SV(" HTTP/1.1\r\n" CLOSE "\r\n"));
    ask(f, buf_view(&text), &out);
    assert_says(&out, "HTTP/1.1 200 ");
    assert_says(&out, " [a=0] [match[]=1?] ");
    assert_says(&out, " [match[]=1999?] ");
}

static void test_heads_that_are_too_large_are_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, out = BUF_INIT;
    buf_put(&text, SV("GET /echo HTTP/1.1\r\n" CLOSE "X-Long: "));
    buf_fill(&text, 'x', 100000);
    buf_put(&text, SV("\r\n\r\n"));
    ask(f, buf_view(&text), &out);
    assert_says(&out, " 431 ");
    buf_clear(&text);
    buf_put(&text, SV("GET /echo?"));
    buf_fill(&text, 'x', 100000);
    buf_put(&text, SV(" HTTP/1.1\r\n" CLOSE "\r\n"));
    ask(f, buf_view(&text), &out);
    assert_says(&out, " 414 ");
    assert_int_equal(f->n_handled, 0);
}

static void test_whoever_is_slow_loses_the_connection(void **state)
{
    static const char *const begun[] = {
        "", "GET /ec", "GET /echo HTTP/1.1\r\nHost: x\r\nX",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"};
    struct fixture *f = *state;
    int fds[4];
    int64_t start_ns = clock_mono_ns();
    for (size_t i = 0; i < 4; i++) {
        fds[i] = dial(f);
        say(fds[i], sv_of(begun[i]));
    }
    for (int k = 0; k < 30 && clock_mono_ns() - start_ns < 10 * NS_PER_S; k++) {
        for (size_t i = 1; i < 4; i++)
            say(fds[i], SV("x"));
        usleep(100000);
    }
    for (size_t i = 0; i < 4; i++) {
        char text[16];
        ssize_t n;
        while ((n = recv(fds[i], text, sizeof text, 0)) > 0)
            ;
        assert_true(n <= 0);
        close(fds[i]);
    }
    assert_true(clock_mono_ns() - start_ns < 12 * NS_PER_S);
    assert_int_equal(f->n_handled, 0);
}

static void test_large_answers_stream_and_compress(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    ask(f, SV("GET /stream HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "Transfer-Encoding: chunked\r\n");
    assert_true(out.len > 100 * 50000);
    wait_until(&f->n_done, 1);
    ask(f, SV("GET /stream HTTP/1.1\r\n" CLOSE "Accept-Encoding: gzip\r\n\r\n"), &out);
    assert_says(&out, "Content-Encoding: gzip\r\n");
    assert_says(&out, "Vary: Accept-Encoding\r\n");
    assert_true(out.len < 100000);
    wait_until(&f->n_done, 2);
}

static void test_an_answer_that_breaks_off_is_seen_as_broken(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    ask(f, SV("GET /broken HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "half an answer");
    assert_null(strstr(out.p, "\r\n0\r\n\r\n")); /* no last chunk */
    wait_until(&f->n_done, 1);
}

static void test_a_client_that_leaves_frees_its_answer(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        int fd = dial(f);
        char text[4096];
        say(fd, SV("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_true(recv(fd, text, sizeof text, 0) > 0);
        close(fd);
    }
    wait_until(&f->n_done, 5);
}

static void test_a_handler_can_see_that_its_client_left(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(fd, SV("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n"));
    usleep(50000);
    close(fd);
    for (int i = 0; i < 5000 && !atomic_load(&f->saw_gone); i++)
        usleep(1000);
    assert_true(f->saw_gone);
}

static struct http_request *wait_for_held(struct fixture *f, size_t n)
{
    MUTEX_GUARD(&f->mu);
    while (f->n_held < n)
        assert_true(cond_wait_for(&f->changed, &f->mu, 20 * NS_PER_S));
    return f->held[n - 1];
}

static void test_an_answer_may_come_later_from_any_thread(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    int fds[3];
    for (size_t i = 0; i < 3; i++) {
        fds[i] = dial(f);
        say(fds[i], SV("GET /hold HTTP/1.1\r\n" CLOSE "\r\n"));
        wait_for_held(f, i + 1);
    }
    ask(f, SV("GET /echo?meanwhile HTTP/1.1\r\n" CLOSE "\r\n"), &out);
    assert_says(&out, "[meanwhile=]");
    for (size_t i = 3; i-- > 0;) {
        http_reply_text(f->held[i], 200, SV("late"), false);
        hear_all(fds[i], &out);
        assert_says(&out, "\r\n\r\nlate");
        close(fds[i]);
    }
}

static void test_bodies_beyond_the_memory_are_refused_with_503(void **state)
{
    struct fixture *f = *state;
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, out = BUF_INIT;
    ledger_charge(&f->ledger, LEDGER_CACHES, (64 << 20) - 1000);
    buf_put(&text, SV("POST /echo HTTP/1.1\r\n" CLOSE "Content-Length: 900000\r\n\r\n"));
    buf_fill(&text, 'x', 900000);
    ask(f, buf_view(&text), &out);
    assert_says(&out, "HTTP/1.1 503 ");
    assert_says(&out, "Retry-After: 1\r\n");
    ledger_release(&f->ledger, LEDGER_CACHES, (64 << 20) - 1000);
    ask(f, buf_view(&text), &out);
    assert_says(&out, "HTTP/1.1 200 ");
}

struct closing {
    struct fixture *f;
    _Atomic bool closed;
};

static void close_server(void *ctx)
{
    struct closing *c = ctx;
    http_server_close(c->f->server);
    c->f->server = NULL;
    atomic_store(&c->closed, true);
}

static void test_stopping_lets_running_requests_finish(void **state)
{
    struct fixture *f = *state;
    struct closing c = {f, false};
    struct thread closer = {0};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    int fd = dial(f), idle = dial(f);
    say(fd, SV("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
    struct http_request *req = wait_for_held(f, 1);
    assert_int_equal(thread_start(&closer, "closer", close_server, &c, NULL), 0);
    usleep(100000);
    assert_false(c.closed);
    http_reply_text(req, 200, SV("finished"), false);
    hear_all(fd, &out);
    assert_says(&out, "\r\n\r\nfinished");
    assert_says(&out, "Connection: close\r\n");
    thread_join(&closer);
    assert_true(c.closed);
    close(fd);
    close(idle);
}

static void test_stopping_gives_up_on_a_handler_that_is_late(void **state)
{
    struct fixture *f = *state;
    struct closing c = {f, false};
    struct thread closer = {0};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT;
    int fd = dial(f);
    say(fd, SV("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
    struct http_request *req = wait_for_held(f, 1);
    assert_int_equal(thread_start(&closer, "closer", close_server, &c, NULL), 0);
    hear_all(fd, &out); /* 503, or closed without a word */
    assert_true(http_client_gone(req));
    assert_false(c.closed); /* it still waits for the handler, which holds the request */
    http_reply_text(req, 200, SV("too late"), false);
    thread_join(&closer);
    assert_true(c.closed);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_requests_arrive_whole),
        TEST(test_a_form_comes_before_the_url),
        TEST(test_unknown_paths_and_methods),
        TEST(test_lengths_that_two_readers_could_read_apart_are_refused),
        TEST(test_bodies_over_the_limit_are_heard_out_and_refused),
        TEST(test_a_client_that_waits_for_our_word_hears_it),
        TEST(test_stray_bodies_do_no_harm),
        TEST(test_pipelined_requests_are_answered_in_order),
        TEST(test_a_thousand_arguments_are_answered),
        TEST(test_heads_that_are_too_large_are_refused),
        TEST(test_whoever_is_slow_loses_the_connection),
        TEST(test_large_answers_stream_and_compress),
        TEST(test_an_answer_that_breaks_off_is_seen_as_broken),
        TEST(test_a_client_that_leaves_frees_its_answer),
        TEST(test_a_handler_can_see_that_its_client_left),
        TEST(test_an_answer_may_come_later_from_any_thread),
        TEST(test_bodies_beyond_the_memory_are_refused_with_503),
        TEST(test_stopping_lets_running_requests_finish),
        TEST(test_stopping_gives_up_on_a_handler_that_is_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
