/* server.c: see server.h. */
#include "server/server.h"

#include "protocol/base/assert.h"
#include "protocol/base/memory.h"
#include "server/data_folder.h"
#include "server/listener.h"
#include "server/mailbox.h"
#include "server/metrics_http.h"
#include "server/plan.h"
#include "server/ready_file.h"
#include "server/service.h"
#include "server/settings.h"
#include "server/worker.h"

#include <signal.h>
#include <stddef.h>

#define SIGNALS_COUNT 3

struct worker_slot {
    struct server *server;
    struct worker *worker; /* owned */
    struct message done;
};

struct server {
    const struct server_options *options;
    struct settings *settings;   /* owned */
    const struct config *config; /* of the settings: until it listens */
    struct service service;
    struct plan plan;
    uv_loop_t uv;           /* of the main thread */
    struct mailbox mailbox; /* workers say here that they are done */
    uv_signal_t signals[SIGNALS_COUNT];
    uv_timer_t stop_timer;
    uv_timer_t figures_timer;
    struct listener *listener; /* owned until it is closed */
    struct metrics_http *http; /* owned; NULL: none */
    struct worker_slot slots[SERVICE_LOOPS_MAX];
    uint32_t created;  /* workers, the first ones of the slots */
    uint32_t started;  /* of them */
    uint32_t running;  /* of them: not done */
    uint32_t accepted; /* so far; wraps round */
    bool stopping;
    bool killed;
};

/* ---- Stopping */

static void kill_workers(struct server *server) {
    if (server->killed || server->running == 0) {
        return;
    }
    server->killed = true;
    log_warn(server->service.log, "closing connections whose requests are not all answered",
             LOG_NO_FIELDS);
    for (uint32_t i = 0; i < server->started; i++) {
        worker_kill(server->slots[i].worker);
    }
}

static void stop_timer_cb(uv_timer_t *timer) {
    kill_workers(timer->data);
}

static void end_if_done(struct server *server) {
    if (server->stopping && server->running == 0) {
        uv_stop(&server->uv);
    }
}

/* Lets everything end; the main loop does when the last worker is done. */
static void stop(struct server *server) {
    uint64_t timeout_ms = settings_number(server->settings, CONFIG_SERVER_STOP_TIMEOUT);

    server->stopping = true;
    listener_close(server->listener);
    server->listener = NULL;
    metrics_http_stopping(server->http);
    for (uint32_t i = 0; i < server->started; i++) {
        worker_stop(server->slots[i].worker);
    }
    store_cancel_jobs(server->service.store);
    ASSERT(uv_timer_start(&server->stop_timer, stop_timer_cb, timeout_ms, 0) == 0);
    end_if_done(server);
}

static void worker_done_cb(struct message *message) {
    struct worker_slot *slot =
        (struct worker_slot *)((char *)message - offsetof(struct worker_slot, done));

    ASSERT(slot->server->running > 0);
    slot->server->running--;
    end_if_done(slot->server);
}

/* ---- Signals */

/* What may change while it runs, where the loops see it. Any thread, one at a time. */
static void publish_settings(void *arg, const struct config *config) {
    struct server *server = arg;
    struct service *service = &server->service;
    uint64_t connections_max = config_number(config, CONFIG_SERVER_CONNECTIONS_MAX);
    uint32_t connections_possible = server->plan.connections_possible;

    atomic_store_explicit(&service->idle_timeout_ms,
                          (uint32_t)config_number(config, CONFIG_SERVER_IDLE_TIMEOUT),
                          memory_order_relaxed);
    atomic_store_explicit(&service->frame_timeout_ms,
                          (uint32_t)config_number(config, CONFIG_SERVER_FRAME_TIMEOUT),
                          memory_order_relaxed);
    atomic_store_explicit(&service->durability,
                          (uint32_t)config_number(config, CONFIG_STORAGE_DURABILITY),
                          memory_order_relaxed);
    slow_log_set_threshold(service->slow_log,
                           1000 * config_number(config, CONFIG_SLOW_LOG_THRESHOLD));
    atomic_store_explicit(&service->connections_max,
                          connections_max < connections_possible ? (uint32_t)connections_max
                                                                 : connections_possible,
                          memory_order_relaxed);
    if (service->store) { /* once it is open */
        store_set_rates(service->store, config_number(config, CONFIG_STORAGE_RECLAIM_RATE),
                        config_number(config, CONFIG_STORAGE_SCRUB_RATE));
    }
}

static void figures_timer_cb(uv_timer_t *timer) {
    struct server *server = timer->data;
    struct figures figures;

    figures_take(server->service.store, uv_hrtime() / 1000000, &figures);
    figures_past_keep(server->service.past, &figures);
}

static void stop_signal_cb(uv_signal_t *handle, int number) {
    struct server *server = handle->data;

    if (server->stopping) {
        kill_workers(server);
        return;
    }
    log_info(server->service.log, "stopping",
             LOG_FIELDS(log_text("signal", number == SIGINT ? "SIGINT" : "SIGTERM")));
    stop(server);
}

static void reload_signal_cb(uv_signal_t *handle, int number) {
    struct server *server = handle->data;

    (void)number;
    settings_reload(server->settings);
}

static void start_signals(struct server *server) {
    static const int numbers[SIGNALS_COUNT] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        uv_signal_cb signal_cb = numbers[i] == SIGHUP ? reload_signal_cb : stop_signal_cb;
        ASSERT(uv_signal_init(&server->uv, &server->signals[i]) == 0);
        server->signals[i].data = server;
        ASSERT(uv_signal_start(&server->signals[i], signal_cb, numbers[i]) == 0);
    }
}

/* ---- Workers */

/* Where the fewest connections are, round about from `start` so that equals take turns. */
static enum status accept_cb(void *arg, int descriptor, bool is_unix) {
    struct server *server = arg;
    uint32_t count = server->started;
    uint32_t start = server->accepted++ % count;
    uint32_t best = start;

    for (uint32_t i = 1; i < count; i++) {
        uint32_t other = (start + i) % count;
        if (worker_connections(server->slots[other].worker) <
            worker_connections(server->slots[best].worker)) {
            best = other;
        }
    }
    return worker_hand_over(server->slots[best].worker, descriptor, is_unix);
}

/* On the thread of `loop`: the loop with the very biggest connection is to close it. */
static void shed_cb(void *arg, uint32_t loop) {
    struct server *server = arg;

    worker_publish(server->slots[loop].worker);
    worker_shed(server->slots[client_memory_biggest_loop(&server->service.client_memory)].worker);
}

static enum status create_workers(struct server *server) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < server->plan.loop_count; i++) {
        struct worker_slot *slot = &server->slots[i];
        struct worker_options options = {
            .index = i, .service = &server->service, .home = &server->mailbox, .done = &slot->done};
        slot->server = server;
        slot->done.deliver_cb = worker_done_cb;
        status = worker_create(&options, &slot->worker);
        server->created += status == STATUS_OK;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < server->created; i++) {
        status = worker_start(server->slots[i].worker);
        server->started += status == STATUS_OK;
        server->running += status == STATUS_OK;
    }
    return status;
}

/* ---- Start and end */

static void store_log_line(void *arg, enum store_log_level level, const char *line) {
    static const enum log_level levels[] = {
        [STORE_LOG_DEBUG] = LOG_LEVEL_DEBUG,
        [STORE_LOG_INFO] = LOG_LEVEL_INFO,
        [STORE_LOG_WARN] = LOG_LEVEL_WARN,
        [STORE_LOG_ERROR] = LOG_LEVEL_ERROR,
    };

    log_write(arg, levels[level], line, LOG_NO_FIELDS);
}

static enum status bind_addresses(struct server *server, struct error *error) {
    struct listener_options options = {
        .uv = &server->uv, .service = &server->service, .accept_cb = accept_cb, .arg = server};
    size_t count = config_list_count(server->config, CONFIG_SERVER_LISTEN);
    enum status status = listener_create(&options, &server->listener);

    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "cannot prepare to listen");
    }
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        const char *text = config_list_item(server->config, CONFIG_SERVER_LISTEN, i);
        status = listener_bind(server->listener, text, error);
    }
    return status;
}

static void fill_service(struct server *server) {
    struct service *service = &server->service;

    service->log = server->options->log;
    service->limits = server->plan.limits;
    service->metrics_count = 1 + server->plan.loop_count;
    service->shed_cb = shed_cb;
    service->shed_arg = server;
    client_memory_init(&service->client_memory, server->plan.limits.client_memory_bytes,
                       server->plan.loop_count);
    service->settings = server->settings;
    settings_watch(server->settings, publish_settings, server);
}

static enum status open_store(struct server *server, struct error *error) {
    struct store_options *options = &server->plan.store;
    enum status status;

    options->log_cb = store_log_line;
    options->log_arg = server->service.log;
    status = store_open(options, &server->service.store, error);
    if (status == STATUS_OK) {
        server->service.started_at_ms = store_now_ms(server->service.store);
    }
    return status;
}

/* Says on the log, and in the ready file, where it can be reached. */
static enum status announce(struct server *server, struct error *error) {
    struct buffer lines;
    enum status status = STATUS_OK;

    buffer_init(&lines, LISTENER_ADDRESSES_MAX * (LISTENER_TEXT_MAX + 1u));
    for (uint32_t i = 0; status == STATUS_OK && i < listener_count(server->listener); i++) {
        const char *text = listener_text(server->listener, i);
        log_info(server->service.log, "listening", LOG_FIELDS(log_text("address", text)));
        status = buffer_append(&lines, text, strlen(text));
        if (status == STATUS_OK) {
            status = buffer_append_u8(&lines, '\n');
        }
    }
    if (status == STATUS_OK && server->options->ready_file) {
        status = ready_file_write(server->options->ready_file, buffer_slice(&lines), error);
    }
    buffer_deinit(&lines);
    return status;
}

static enum status serve_metrics(struct server *server, struct error *error) {
    const char *address = config_text(server->config, CONFIG_METRICS_LISTEN);

    return address[0] == '\0'
               ? STATUS_OK
               : metrics_http_create(address, &server->service, &server->http, error);
}

static enum status start(struct server *server, struct error *error) {
    enum status status = STATUS_OK;

    if (server->options->ready_file) {
        ready_file_remove(server->options->ready_file);
    }
    if (!server->plan.store.in_memory) { /* before a socket may be made there */
        status = data_folder_check(server->plan.store.dir, error);
    }
    if (status == STATUS_OK) {
        status = bind_addresses(server, error);
    }
    if (status == STATUS_OK) {
        status = open_store(server, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = create_workers(server);
    if (status != STATUS_OK) {
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "cannot start the loops");
    }
    if (server->plan.connections_cut) {
        log_warn(server->service.log, "fewer connections than configured: too few descriptors",
                 LOG_FIELDS(log_number("connections_max", server->plan.limits.connections_max),
                            log_number("descriptors", server->options->descriptors)));
    }
    start_signals(server);
    figures_timer_cb(&server->figures_timer);
    ASSERT(uv_timer_start(&server->figures_timer, figures_timer_cb, FIGURES_EVERY_MS,
                          FIGURES_EVERY_MS) == 0);
    status = serve_metrics(server, error);
    if (status == STATUS_OK) {
        status = listener_start(server->listener, error);
    }
    return status == STATUS_OK ? announce(server, error) : status;
}

/* After a failed start: ends what was begun. */
static void abandon(struct server *server) {
    if (server->listener) {
        listener_close(server->listener);
        server->listener = NULL;
    }
    server->stopping = true;
    for (uint32_t i = 0; i < server->started; i++) {
        worker_stop(server->slots[i].worker);
    }
    if (server->running > 0) {
        uv_run(&server->uv, UV_RUN_DEFAULT);
    }
}

static void close_handle_cb(uv_handle_t *handle, void *arg) {
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* Workers have ended. The order matters: threads of the engine may post until it is closed. */
static enum status close_all(struct server *server, struct error *error) {
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < server->started; i++) {
        worker_join(server->slots[i].worker);
    }
    metrics_http_destroy(server->http);
    if (server->service.store) {
        status = store_close(server->service.store, error);
    }
    for (uint32_t i = 0; i < server->created; i++) {
        worker_destroy(server->slots[i].worker);
    }
    uv_walk(&server->uv, close_handle_cb, NULL);
    uv_run(&server->uv, UV_RUN_DEFAULT);
    ASSERT(uv_loop_close(&server->uv) == 0);
    return status;
}

static enum status run(struct server *server, struct error *error) {
    enum status status = start(server, error);

    if (status != STATUS_OK) {
        abandon(server);
        (void)close_all(server, NULL); /* why it did not start is what matters */
        return status;
    }
    uv_run(&server->uv, UV_RUN_DEFAULT);
    status = close_all(server, error);
    if (status == STATUS_OK) {
        log_info(server->service.log, "stopped; all data is synced", LOG_NO_FIELDS);
    }
    return status;
}

/* The options' configuration is taken, whatever happens. */
static enum status make_settings(struct server *server, const struct server_options *options) {
    enum status status =
        settings_create(options->config, options->input, options->log, &server->settings);

    server->options = options;
    server->config = status == STATUS_OK ? settings_config(server->settings) : NULL;
    return status;
}

static enum status make_observers(struct server *server) {
    uint32_t entries_max = (uint32_t)config_number(server->config, CONFIG_SLOW_LOG_ENTRIES);
    enum status status = slow_log_create(entries_max, &server->service.slow_log);

    if (status == STATUS_OK) {
        status = client_list_create(&server->service.clients);
    }
    return status == STATUS_OK ? figures_past_create(&server->service.past) : status;
}

static void free_memory(struct server *server) {
    if (server) {
        settings_destroy(server->settings);
        slow_log_destroy(server->service.slow_log);
        client_list_destroy(server->service.clients);
        figures_past_destroy(server->service.past);
        memory_free(server);
    }
}

enum status server_run(const struct server_options *options, struct error *error) {
    struct server *server = memory_alloc_zeroed(sizeof *server);
    enum status status = STATUS_NO_MEMORY;

    if (!server) {
        config_destroy(options->config);
    }
    if (!server || make_settings(server, options) != STATUS_OK ||
        make_observers(server) != STATUS_OK || uv_loop_init(&server->uv) != 0) {
        free_memory(server);
        return error_set(error, status, 0, NULL, ERROR_NO_OFFSET, "cannot start");
    }
    plan_make(server->config, options->descriptors, (uint32_t)uv_available_parallelism(),
              &server->plan);
    fill_service(server);
    ASSERT(mailbox_open(&server->mailbox, &server->uv) == STATUS_OK);
    ASSERT(uv_timer_init(&server->uv, &server->stop_timer) == 0);
    ASSERT(uv_timer_init(&server->uv, &server->figures_timer) == 0);
    server->stop_timer.data = server;
    server->figures_timer.data = server;
    status = run(server, error);
    free_memory(server);
    return status;
}
