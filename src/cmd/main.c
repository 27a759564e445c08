/* SPDX-License-Identifier: Apache-2.0 */
/* halogi: argv -> configuration -> app -> wait for a signal -> stop. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/malloc_policy.h"
#include "app/notify.h"
#include "app/status_api.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/rebuild_index.h"

extern char **environ;

enum { MAX_CONFIG_BYTES = 8 << 20 };
#define TICK_NS (10 * NS_PER_S)

struct options {
    const char *config_file; /* NULL: none; comma-separated, the first that exists */
    bool expand_env, verify, print_defaults, print_docs, print_stderr, version, help;
    bool rebuild_index; /* the first argument, without a dash */
};

static const char usage[] =
    "usage: halogi [rebuild-index] [flags]\n"
    "  -config.file=path[,path]   YAML; the first file that exists\n"
    "  -config.expand-env=true    replace ${VAR} and ${VAR:-default} in it\n"
    "  -target=all                roles to run\n"
    "  -verify-config             check the configuration and exit\n"
    "  -print-config-stderr       print the configuration in force at start\n"
    "  -print-config-defaults     print all settings with their defaults and exit\n"
    "  -print-config-docs         print the reference page and exit\n"
    "  -version\n"
    "rebuild-index makes catalog and index again from the segments alone, while nothing runs.\n"
    "Every key of -print-config-defaults is a flag, too: -server.http_listen_port=3100\n"
    "Without -config.file it starts with data under ./data on port 3100, tenancy off.\n";

/* "-name", "--name", "-name=value"; the value view has p == NULL without '='. */
static bool flag_is(const char *arg, const char *name, struct str_view *ret_value)
{
    struct str_view text = sv_of(arg);
    text = sv_from(text, sv_starts_with(text, SV("--")) ? 2 : 1);
    size_t equals = sv_find_byte(text, '=');
    *ret_value = equals < text.len ? sv_from(text, equals + 1) : (struct str_view){NULL, 0};
    return arg[0] == '-' && sv_eq(sv_sub(text, 0, equals), sv_of(name));
}

/* Flags that are no settings.  1 when it was one, 0 when not, < 0 on a wrong value. */
static int take_option(struct options *o, char **argv, int *at, struct err *err)
{
    struct {
        const char *name;
        bool *to;
    } switches[] = {
        {"config.expand-env", &o->expand_env},
        {"verify-config", &o->verify},
        {"print-config-defaults", &o->print_defaults},
        {"print-config-docs", &o->print_docs},
        {"print-config-stderr", &o->print_stderr},
        {"version", &o->version},
        {"help", &o->help},
        {"h", &o->help},
    };
    struct str_view value;
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (!flag_is(argv[*at], switches[i].name, &value))
            continue;
        *switches[i].to = true;
        int r = value.p ? conf_parse_bool(value, switches[i].to, err) : 0;
        return r < 0 ? err_context(err, r, "flag -%s", switches[i].name) : 1;
    }
    if (!flag_is(argv[*at], "config.file", &value))
        return 0;
    if (!value.p && !argv[*at + 1])
        return err_set(err, ERR_INVALID, "flag -config.file needs a value");
    o->config_file = value.p ? value.p : argv[++*at];
    return 1;
}

/* One pass for either kind, so that settings by flag come after the file. */
static int read_args(struct options *o, struct conf *table, char **argv, struct err *err)
{
    for (int i = 1; argv[i]; i++) {
        struct options unused = {0};
        int r = take_option(o ? o : &unused, argv, &i, err);
        if (r < 0)
            return r;
        if (r == 1 || !table)
            continue;
        int used = 1;
        r = conf_load_flag(table, argv[i], argv[i + 1], &used, err);
        if (r < 0)
            return r;
        i += used - 1;
    }
    return 0;
}

static int load_file(struct conf *table, const struct options *o, struct err *err)
{
    if (!o->config_file)
        return conf_load_yaml(table, sv_of(app_conf_local_yaml), "local.yaml (built in)", false,
                              err);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT, path = BUF_INIT;
    struct str_view rest = sv_of(o->config_file);
    do {
        size_t comma = sv_find_byte(rest, ',');
        buf_clear(&path);
        buf_put(&path, sv_trim(sv_sub(rest, 0, comma)));
        buf_put_u8(&path, 0);
        rest = sv_from(rest, comma + 1);
    } while (rest.len > 0 && !file_exists(path.p));
    int r = file_read_whole(path.p, MAX_CONFIG_BYTES, &text, err);
    return r < 0 ? r : conf_load_yaml(table, buf_view(&text), path.p, o->expand_env, err);
}

static int load_config(struct app_conf *conf, const struct options *o, char **argv, struct err *err)
{
    int r = load_file(conf->table, o, err);
    if (r == 0)
        r = conf_load_env(conf->table, (const char *const *)environ, err);
    if (r == 0)
        r = read_args(NULL, conf->table, argv, err);
    if (r == 0)
        r = app_conf_check(conf, err);
    return r;
}

static void put_stdout(struct buf *b)
{
    fwrite(b->p, 1, b->len, stdout);
    buf_deinit(b);
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigprocmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The signal, or 0 when none came in time. */
static int wait_for_signal(const sigset_t *signals, int64_t timeout_ns)
{
    struct timespec t = {(time_t)(timeout_ns / NS_PER_S), (long)(timeout_ns % NS_PER_S)};
    int sig = sigtimedwait(signals, NULL, &t);
    return sig > 0 ? sig : 0;
}

/* A long replay can be broken off, too.  The signal that ends it, or 0; < 0: it failed. */
static int wait_ready(struct app *app, const sigset_t *signals, struct err *err)
{
    int r, sig = 0;
    while ((r = app_wait_ready(app, 20 * NS_PER_MS, err)) > 0)
        if ((sig = wait_for_signal(signals, 0)) != 0 && sig != SIGHUP)
            return sig;
    return r;
}

static int serve(struct app *app, const sigset_t *signals)
{
    struct malloc_policy memory = {0};
    LOG_INFO("ready", log_str("version", HALOGI_VERSION));
    notify_service_manager("READY=1");
    malloc_policy_tick(&memory, TICK_NS); /* what only the start needed */
    for (;;) {
        int sig = wait_for_signal(signals, TICK_NS);
        if (sig != 0 && sig != SIGHUP)
            return sig;
        malloc_policy_tick(&memory, TICK_NS);
        if (sig == 0)
            continue;
        notify_service_manager("RELOADING=1");
        app_reload(app);
        notify_service_manager("READY=1");
    }
}

static int run(struct app_conf *conf, const sigset_t *signals)
{
    struct app *app = NULL;
    struct err err = ERR_INIT;
    int r = app_open(&app, conf, &err);
    int sig = r == 0 ? wait_ready(app, signals, &err) : r;
    if (sig < 0) {
        LOG_ERROR("not started", log_str("err", err.text));
        app_close(app);
        return 1;
    }
    if (sig == 0)
        sig = serve(app, signals);
    LOG_INFO("stopping", log_str("signal", sig == SIGINT ? "SIGINT" : "SIGTERM"));
    notify_service_manager("STOPPING=1");
    app_close(app);
    LOG_INFO("stopped");
    return 0;
}

static int start(struct app_conf *conf, const struct options *o, char **argv)
{
    struct err err = ERR_INIT;
    if (load_config(conf, o, argv, &err) < 0) {
        fprintf(stderr, "halogi: %s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < conf_n_warnings(conf->table); i++)
        LOG_WARN("configuration", log_str("text", conf_warning(conf->table, i)));
    if (o->verify) {
        printf("the configuration is valid\n");
        return 0;
    }
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(sv_of(conf->server.log_level), &level);
    log_set_level(level);
    if (o->print_stderr) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT;
        conf_print_yaml(conf->table, CONF_PRINT_ALL, &text);
        fwrite(text.p, 1, text.len, stderr);
    }
    if (o->rebuild_index) {
        if (rebuild_command(conf, &err) == 0)
            return 0;
        fprintf(stderr, "halogi rebuild-index: %s\n", err.text);
        return 1;
    }
    sigset_t signals;
    block_signals(&signals);
    return run(conf, &signals);
}

int main(int argc, char **argv)
{
    malloc_policy_set();
    struct options o = {.rebuild_index = argv[1] && strcmp(argv[1], "rebuild-index") == 0};
    struct err err = ERR_INIT;
    argv += o.rebuild_index; /* flags follow it */
    if (read_args(&o, NULL, argv, &err) < 0) {
        fprintf(stderr, "halogi: %s\n", err.text);
        return 1;
    }
    if (o.help || o.version) {
        printf("%s", o.help ? usage
                            : "halogi " HALOGI_VERSION " (speaks Loki " LOKI_API_VERSION
                              "'s API)\n");
        return 0;
    }
    struct app_conf *conf = app_conf_new();
    int status = 0;
    struct buf text = BUF_INIT;
    if (o.print_defaults || o.print_docs) {
        if (o.print_docs)
            conf_print_docs(conf->table, &text);
        else
            conf_print_yaml(conf->table, CONF_PRINT_DEFAULTS, &text);
        put_stdout(&text);
    } else {
        status = start(conf, &o, argv);
    }
    app_conf_free(conf);
    return status;
}
