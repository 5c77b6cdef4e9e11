/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The relay
 *
 * Ties the rooms together: listeners and sessions bring mail into the queue, the delivery takes it out, the bus shows and steers
 * both, log and service manager are told. The rooms do not know each other; what one has to tell another goes
 * through here.
 *
 * The configuration is read whole at the start and at each reload, and handed round. If any room does not take it, the old one
 * stays in force everywhere. At a start with a bad one mail is taken in all the same (see config-keeper.h).
 *
 * A relay with nothing to do costs nothing: it ends, and is started by the next connection or call. From the moment that it
 * decides to, what comes has to find somebody:
 *  - A connection stays in the backlog of a socket that the service manager holds; none is accepted any more. The manager
 *    looks at its sockets when the process has ended.
 *  - A call on the bus comes to us as long as we have the name, and is answered. After that the bus asks the manager for another
 *    relay. The manager would take one that is about to end for one that is there; so it is told first.
 * A call that came in between may have brought a message. Its relay ends as well, with a status by which the manager starts
 * another.
 *
 * With mail in the queue it stays. A timer could wake it for each retry; but then nobody would notice that the network is back,
 * each retry would have to read the queue first, and what is known of a remote's health would be forgotten: all for a few
 * megabytes of memory during the few minutes in a month in which mail has to wait.
 *
 * The end has an order: no more connections; no more calls either, for the name on the bus is given back, so that the bus asks the
 * manager for the next relay, and those that are here are answered; sessions are told to come again, those with a message in the queue's hands only when
 * it is answered; deliveries end or are put back; then the queue is closed, which waits for the disk. All of it has a
 * deadline: what it cuts off is in the queue, or was not acknowledged.
 */

#include "relay.h"

#include "bus-keeper.h"
#include "bus-work.h"
#include "config-keeper.h"
#include "descriptors.h"
#include "idle.h"
#include "listener.h"
#include "log-event.h"
#include "metered-watch.h"
#include "recipients.h"
#include "service.h"
#include "sessions.h"
#include "sleep-watch.h"
#include "state-directory.h"
#include "status-line.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>

/* systemd gives a service 90 seconds by default; a remote that is to answer the end of a message rarely needs more than
 * a few. */
#define STOP_SECONDS 10

/* A call takes milliseconds, or a second or two where the processor is scarce; longer take those of a person who is to type a
 * password, and of a client that is slow to write. */
#define STOP_CALLS_SECONDS 5

#define MAIL_NAME_FILE "/etc/mailname"

#define METERED_TEXT                                                                                                 \
    "the network connection is metered (PauseOnMetered=yes): waiting for another one, or for “postern retry”"

struct _Relay {
    ConfigSources sources;
    const gchar *bus; /* see RelayOptions */
    gchar *host_name; /* what it is called where the configuration does not say it */
    ConfigKeeper *config_keeper;
    Config *config;
    guint descriptors_most;
    Descriptors descriptors;
    Aliases *aliases;

    SmtpPoller *poller;
    Users *users;
    Foreign *foreign; /* descriptors that came by the bus */
    Queue *queue;
    Delivery *delivery;
    Sessions *sessions;
    GPtrArray *listeners; /* of Listener */
    BusWork *bus_work;
    BusKeeper *bus_keeper;       /* (nullable) without a bus */
    SleepWatch *sleep_watch;     /* (nullable) without a bus */
    MeteredWatch *metered_watch; /* (nullable) without a bus, or where nobody wants to know */
    BusCounters counters;
    Service *service;

    Idle *idle;         /* (nullable) nobody would start us again */
    gboolean is_dozing; /* about to stop, since there is nothing to do */
    void (*asleep) (gpointer user_data);
    gpointer asleep_data;

    gboolean is_stopping;
    guint stop_waits; /* sessions, submissions and deliveries that have not ended */
    guint stop_timer;
    guint stop_calls_timer; /* 0: calls on the bus are not waited for */
    void (*stopped) (gpointer user_data);
    gpointer user_data;
};

static Bus *
relay_bus (const Relay *self)
{
    return self->bus_keeper != NULL ? bus_keeper_bus (self->bus_keeper) : NULL;
}

/* ---- What the rooms tell ---- */

static void
touch (Relay *self)
{
    if (self->idle != NULL)
        idle_touch (self->idle);
}

static void
queue_event (const QueueEvent *event, gpointer user_data)
{
    Relay *self = user_data;
    Bus *bus = relay_bus (self);

    touch (self);
    log_event_queue (event);
    bus_counters_count (&self->counters, event);
    if (bus != NULL)
        bus_queue_event (bus, event);
    service_touch (self->service);
}

static void
queue_due (const gchar *lane, gpointer user_data)
{
    Relay *self = user_data;

    /* The delivery looks at all lanes when it starts. */
    if (self->delivery != NULL)
        delivery_due (self->delivery, lane);
}

static void
changed (Relay *self)
{
    Bus *bus = relay_bus (self);

    if (bus != NULL)
        bus_changed (bus);
    service_touch (self->service);
}

static void
queue_trouble (const GError *error, gpointer user_data)
{
    log_event_disk (error);
    changed (user_data);
}

static void
log_recovered (Relay *self)
{
    QueueStatistics statistics;

    queue_statistics (self->queue, &statistics);
    if (statistics.messages > 0 && !statistics.indexing)
        log_event_recovered (&statistics);
}

static void
queue_indexed (gpointer user_data)
{
    Relay *self = user_data;

    log_recovered (self);
    touch (self);
    if (self->delivery != NULL)
        delivery_due (self->delivery, NULL);
    changed (self);
}

static const QueueListener queue_listener = {
    .event = queue_event, .due = queue_due, .trouble = queue_trouble, .indexed = queue_indexed};

static void
delivery_remote (const DeliveryRemoteInfo *remote, gpointer user_data)
{
    Relay *self = user_data;
    Bus *bus = relay_bus (self);

    log_event_remote (remote);
    if (bus != NULL)
        bus_remote_event (bus, remote);
    service_touch (self->service);
}

static void
delivery_asked (const DeliveryRemoteInfo *remote, gpointer user_data)
{
    Bus *bus = relay_bus (user_data);

    if (bus != NULL)
        bus_remote_asked (bus, remote);
}

static void
delivery_changed (gpointer user_data)
{
    changed (user_data);
}

static void
delivery_remark (const QueueMessage *message, const gchar *remote, const gchar *remark,
                 G_GNUC_UNUSED gpointer user_data)
{
    log_event_remark (message, remote, remark);
}

static const DeliveryListener delivery_listener = {
    .remote = delivery_remote, .asked = delivery_asked, .remark = delivery_remark, .changed = delivery_changed};

/* A ServiceStatus */
static void
write_status (GString *text, gpointer user_data)
{
    Relay *self = user_data;

    status_line_append_configuration (text, config_keeper_problems (self->config_keeper),
                                      config_keeper_consequence (self->config_keeper));
    status_line_append (text, self->queue, self->delivery);
}

/* ---- Configuration ---- */

/* A DeliveryResolve */
static void
resolve_recipients (const MessageEnvelope *envelope, MessageEnvelope *resolved, gpointer user_data)
{
    Relay *self = user_data;

    recipients_resolve (envelope, self->config, resolved);
}

static void
give_resolve (Relay *self, Config *config)
{
    config->delivery->resolve = resolve_recipients;
    config->delivery->resolve_data = self;
}

/* The aliases outlive a configuration: what was good in them counts until something else is. */
static void
give_aliases (Relay *self, Config *config)
{
    gboolean has_file = !g_str_equal (config->aliases_file, CONFIG_NO_FILE);

    aliases_set_file (self->aliases, has_file ? config->aliases_file : NULL,
                      g_str_equal (config->aliases_file, CONFIG_ALIASES_FILE));
    config->aliases = aliases_ref (self->aliases);
}

static void
metered_changed (gpointer user_data)
{
    Relay *self = user_data;
    gboolean waits = self->metered_watch != NULL && metered_watch_is_metered (self->metered_watch);

    if (waits != delivery_is_restrained (self->delivery))
        g_info (waits ? "the connection is metered: mail waits" : "the connection is not metered: mail goes out");
    delivery_restrain (self->delivery, waits ? METERED_TEXT : NULL);
}

static gboolean
has_bus (const Relay *self)
{
    return !g_str_equal (self->bus, "none");
}

/* Without the watch it is nobody's business. */
static void
watch_metering (Relay *self)
{
    gboolean is_wanted = self->config->pauses_on_metered && has_bus (self);

    if (is_wanted == (self->metered_watch != NULL))
        return;

    if (is_wanted)
        self->metered_watch = metered_watch_new (self->bus, metered_changed, self);
    else
        g_clear_pointer (&self->metered_watch, metered_watch_free);
    metered_changed (self);
}

static gboolean
apply_config (Relay *self, Config *config, GError **error)
{
    self->descriptors = descriptors_share_out (self->descriptors_most, config);
    give_resolve (self, config);
    if (!delivery_set_settings (self->delivery, g_steal_pointer (&config->delivery), error))
        return FALSE;

    give_aliases (self, config);
    queue_set_limits (self->queue, &config->queue);
    sessions_set_config (self->sessions, config);
    if (self->idle != NULL)
        idle_set_after (self->idle, config->idle_exit_msec);
    config_unref (self->config);
    self->config = config_ref (config);
    watch_metering (self);
    config_keeper_settle (self->config_keeper, config);
    return TRUE;
}

gboolean
relay_reload (Relay *self, GError **error)
{
    g_autoptr (GError) reason = NULL;
    g_autoptr (Config) config = NULL;
    gboolean good;

    service_reloading (self->service);
    config = config_keeper_reload (self->config_keeper, &reason);
    good = config != NULL && apply_config (self, config, &reason);
    if (good) {
        log_event_reloaded ();
    } else {
        config_keeper_refuse (self->config_keeper, reason);
        g_propagate_error (error, g_steal_pointer (&reason));
    }
    changed (self);

    /* A service that keeps its old configuration is as ready as one with a new one. */
    service_ready (self->service);
    return good;
}

/* ---- Mail from the bus ---- */

static void
stop_wait_over (Relay *self)
{
    if (--self->stop_waits > 0)
        return;

    g_clear_handle_id (&self->stop_timer, g_source_remove);
    self->stopped (self->user_data);
}

static guint
bus_recipients_most (gpointer user_data)
{
    Relay *self = user_data;

    return self->config->recipients_most;
}

static void
bus_submit (const BusSubmission *submission, BusSubmitted submitted, gpointer submitted_data, gpointer user_data)
{
    Relay *self = user_data;

    bus_work_submit (self->bus_work, self->config, submission, submitted, submitted_data);
}

static gboolean
bus_reload (GError **error, gpointer user_data)
{
    return relay_reload (user_data, error);
}

static void
bus_check (gboolean connect, const gchar *sender, BusChecked checked, gpointer checked_data, gpointer user_data)
{
    Relay *self = user_data;

    bus_work_check (self->bus_work, connect, sender, checked, checked_data);
}

static BusConfiguration
bus_configuration (gpointer user_data)
{
    const Relay *self = user_data;

    return (BusConfiguration){.problems = config_keeper_problems (self->config_keeper),
                              .warnings = config_keeper_warnings (self->config_keeper),
                              .in_force = config_in_force_name (config_keeper_in_force (self->config_keeper)),
                              .since_usec = config_keeper_since (self->config_keeper)};
}

static const BusHandlers bus_handlers = {.reload = bus_reload,
                                         .recipients_most = bus_recipients_most,
                                         .submit = bus_submit,
                                         .check = bus_check,
                                         .configuration = bus_configuration};

/* ---- Listening ---- */

/* A ListenerAccepted */
static void
accepted (ListenKind kind, int fd, const struct sockaddr *peer, gpointer user_data)
{
    Relay *self = user_data;

    sessions_accept (self->sessions, kind, fd, peer);
}

/* Takes the socket over. */
static gboolean
add_listener (Relay *self, ListenSocket *socket, GError **error)
{
    Listener *listener = listener_new (self->poller, socket, accepted, self, error);

    if (listener == NULL)
        return FALSE;

    g_ptr_array_add (self->listeners, listener);
    log_event_listening (listen_kind_name (socket->kind), socket->address);
    if (socket->kind == LISTEN_SUBMISSIONS && self->config->tls == NULL)
        g_warning ("nobody can be served on %s: set TLSCertificate= and TLSKey= in the group [Server] of %s",
                   socket->address, self->sources.path);
    return TRUE;
}

static gboolean
listen_on_inherited (Relay *self, GError **error)
{
    g_autoptr (GPtrArray) sockets = listen_sockets_inherit (error);

    if (sockets == NULL)
        return FALSE;

    while (sockets->len > 0)
        if (!add_listener (self, g_ptr_array_steal_index (sockets, 0), error))
            return FALSE;

    return TRUE;
}

static gboolean
listen_on_named (Relay *self, const gchar *const *places, GError **error)
{
    for (guint i = 0; places != NULL && places[i] != NULL; i++) {
        ListenSocket *socket = listen_socket_bind (places[i], error);

        if (socket == NULL || !add_listener (self, socket, error))
            return FALSE;
    }

    return TRUE;
}

/* ---- Sleep ---- */

gboolean
relay_has_mail (Relay *self)
{
    QueueStatistics statistics;

    queue_statistics (self->queue, &statistics);
    return statistics.messages > 0 || statistics.indexing;
}

/* What was done by somebody, who may want more: the time counts from its end. */
static gint64
used_usec (gpointer user_data)
{
    Relay *self = user_data;
    Bus *bus = relay_bus (self);

    return MAX (sessions_used_usec (self->sessions), bus != NULL ? bus_used_usec (bus) : 0);
}

/* A pause is an order that the next relay would not know of. */
static gboolean
is_busy (gpointer user_data)
{
    Relay *self = user_data;
    Bus *bus = relay_bus (self);

    return relay_has_mail (self) || sessions_count (self->sessions) > 0 ||
           bus_work_submissions (self->bus_work) > 0 || delivery_is_paused (self->delivery) ||
           (bus != NULL && bus_is_in_use (bus));
}

static void
fall_asleep (gpointer user_data)
{
    Relay *self = user_data;

    g_clear_handle_id (&self->stop_timer, g_source_remove);
    if (!self->is_stopping)
        self->asleep (self->asleep_data);
}

static gboolean
doze_deadline (gpointer user_data)
{
    Relay *self = user_data;

    self->stop_timer = 0;
    fall_asleep (self);
    return G_SOURCE_REMOVE;
}

/* The order of these steps is what this file's head tells. */
static void
doze (gpointer user_data)
{
    Relay *self = user_data;

    self->is_dozing = TRUE;
    log_event_asleep ();
    g_ptr_array_set_size (self->listeners, 0);
    service_sleeping (self->service);
    self->stop_timer = g_timeout_add_seconds (STOP_SECONDS, doze_deadline, self);
    if (self->bus_keeper != NULL)
        bus_keeper_release (self->bus_keeper, fall_asleep, self);
    else
        fall_asleep (self);
}

static const IdleListener idle_listener = {.used_usec = used_usec, .is_busy = is_busy, .fell_idle = doze};

/* A relay with a socket of its own takes that with it. */
static void
watch_idleness (Relay *self, const RelayOptions *options)
{
    if (self->listeners->len == 0 || options->listen != NULL || !service_is_managed ())
        return;

    self->asleep = options->asleep;
    self->asleep_data = options->user_data;
    self->idle = idle_new (self->config->idle_exit_msec, &idle_listener, self);
}

/* ---- The beginning ---- */

static void
woke (void *user_data)
{
    Relay *self = user_data;

    g_info ("the machine was asleep: smarthosts are tried at once");
    delivery_wake (self->delivery);
}

static void
read_config (Relay *self, const RelayOptions *options)
{
    self->sources = (ConfigSources){.path = options->config,
                                    .may_be_missing = options->config_may_be_missing,
                                    .credentials_folder = g_getenv ("CREDENTIALS_DIRECTORY"),
                                    .mail_name_file = MAIL_NAME_FILE};
    self->config_keeper = config_keeper_new (&self->sources, options->state_directory);
    self->config = config_keeper_start (self->config_keeper);
    self->descriptors = descriptors_share_out (self->descriptors_most, self->config);
    give_resolve (self, self->config);
    give_aliases (self, self->config);

    /* The name service may take its time, so it is not asked again. */
    self->host_name = g_strdup (self->config->machine_name);
    self->sources.host_name = self->host_name;
}

static gboolean
open_queue (Relay *self, const gchar *state_directory, GError **error)
{
    g_autofree gchar *directory = state_directory_queue (state_directory);

    if (!state_directory_prepare (state_directory, error))
        return FALSE;

    self->queue = queue_open (directory, &self->config->queue, error);
    if (self->queue == NULL)
        return FALSE;

    queue_set_listener (self->queue, &queue_listener, self);
    log_recovered (self);
    return TRUE;
}

static gboolean
start_delivery (Relay *self, GError **error)
{
    self->delivery = delivery_new (self->queue, self->poller, g_steal_pointer (&self->config->delivery),
                                   &delivery_listener, self, error);
    return self->delivery != NULL;
}

Relay *
relay_new (const RelayOptions *options, GError **error)
{
    g_autoptr (Relay) self = g_new0 (Relay, 1);

    self->bus = options->bus;
    self->listeners = g_ptr_array_new_with_free_func ((GDestroyNotify) listener_free);
    self->users = users_new ();
    self->aliases = aliases_new ();
    self->service = service_new (write_status, self);
    bus_counters_init (&self->counters);
    self->descriptors_most = descriptors_raise_limit ();

    self->poller = smtp_poller_new (NULL, error);
    if (self->poller == NULL)
        return NULL;
    read_config (self, options);
    if (!open_queue (self, options->state_directory, error) || !start_delivery (self, error))
        return NULL;
    config_keeper_settle (self->config_keeper, self->config);

    self->foreign = foreign_new (self->descriptors.submissions);
    self->bus_work = bus_work_new (self->queue, self->users, self->foreign, self->poller, &self->sources);
    self->sessions = sessions_new (self->queue, self->poller, self->users, self->config);
    if (!listen_on_inherited (self, error) || !listen_on_named (self, options->listen, error))
        return NULL;
    if (self->listeners->len == 0)
        g_warning ("there is no socket to take mail from; start postern.socket, or use --listen=");

    if (has_bus (self)) {
        self->bus_keeper = bus_keeper_new (self->bus,
                                           &(BusRooms){.queue = self->queue,
                                                       .delivery = self->delivery,
                                                       .foreign = self->foreign,
                                                       .counters = &self->counters,
                                                       .streams_most = self->descriptors.streams,
                                                       .baggage_most = self->descriptors.baggage},
                                           &bus_handlers, self);
        self->sleep_watch = sleep_watch_new (self->bus, woke, self);
    }
    watch_metering (self);

    service_ready (self->service);
    watch_idleness (self, options);
    return g_steal_pointer (&self);
}

/* ---- The end ---- */

static void
sessions_ended (gpointer user_data)
{
    stop_wait_over (user_data);
}

static void
delivery_stopped (gpointer user_data)
{
    stop_wait_over (user_data);
}

static gboolean
stop_deadline (gpointer user_data)
{
    Relay *self = user_data;

    g_message ("stopping without the last %u that do not end", sessions_count (self->sessions));
    self->stop_timer = 0;
    self->stopped (self->user_data);
    return G_SOURCE_REMOVE;
}

static void
submissions_ended (gpointer user_data)
{
    stop_wait_over (user_data);
}

static void
calls_ended (gpointer user_data)
{
    Relay *self = user_data;

    if (self->stop_calls_timer == 0)
        return;

    g_clear_handle_id (&self->stop_calls_timer, g_source_remove);
    bus_work_end_submissions (self->bus_work, submissions_ended, self);
}

static gboolean
calls_deadline (gpointer user_data)
{
    Relay *self = user_data;

    self->stop_calls_timer = 0;
    bus_work_cancel_submissions (self->bus_work);
    bus_work_end_submissions (self->bus_work, submissions_ended, self);
    return G_SOURCE_REMOVE;
}

static void
end_calls (Relay *self)
{
    self->stop_calls_timer = g_timeout_add_seconds (STOP_CALLS_SECONDS, calls_deadline, self);
    bus_keeper_release (self->bus_keeper, calls_ended, self);
}

void
relay_stop (Relay *self, void (*stopped) (gpointer user_data), gpointer user_data)
{
    g_return_if_fail (!self->is_stopping);

    self->is_stopping = TRUE;
    self->stopped = stopped;
    self->user_data = user_data;
    g_clear_pointer (&self->idle, idle_free);
    g_clear_handle_id (&self->stop_timer, g_source_remove);
    if (!self->is_dozing) {
        log_event_stopping (sessions_count (self->sessions));
        service_stopping (self->service);
    }

    g_ptr_array_set_size (self->listeners, 0);
    self->stop_waits = 3;
    self->stop_timer = g_timeout_add_seconds (STOP_SECONDS + 1, stop_deadline, self);
    /* One that falls asleep has given the name back. */
    if (self->bus_keeper != NULL && !self->is_dozing)
        end_calls (self);
    else
        bus_work_end_submissions (self->bus_work, submissions_ended, self);
    sessions_stop (self->sessions, sessions_ended, self);
    delivery_stop (self->delivery, STOP_SECONDS, delivery_stopped, self);
}

void
relay_free (Relay *self)
{
    g_clear_handle_id (&self->stop_timer, g_source_remove);
    g_clear_handle_id (&self->stop_calls_timer, g_source_remove);
    g_clear_pointer (&self->idle, idle_free);
    g_clear_pointer (&self->listeners, g_ptr_array_unref);
    g_clear_pointer (&self->sessions, sessions_free);
    if (self->bus_work != NULL)
        bus_work_drop_checks (self->bus_work);
    g_clear_pointer (&self->bus_keeper, bus_keeper_free);
    g_clear_pointer (&self->sleep_watch, sleep_watch_free);
    g_clear_pointer (&self->metered_watch, metered_watch_free);
    g_clear_pointer (&self->delivery, delivery_free);
    g_clear_pointer (&self->queue, queue_close);
    g_clear_pointer (&self->bus_work, bus_work_free);
    g_clear_pointer (&self->foreign, foreign_unref);
    g_clear_pointer (&self->users, users_free);
    g_clear_pointer (&self->poller, smtp_poller_unref);
    g_clear_pointer (&self->service, service_free);
    g_clear_pointer (&self->config, config_unref);
    g_clear_pointer (&self->config_keeper, config_keeper_free);
    g_clear_pointer (&self->aliases, aliases_unref);
    g_free (self->host_name);
    g_free (self);
}
