/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * All sessions
 *
 * Owns the sessions and holds their number to the limit, and that of each user, or of each address that connects from elsewhere,
 * to its share. Beyond it, a client is not left waiting in the backlog, nor is its connection broken: it gets the reply that
 * every SMTP client understands, for the price of one system call.
 *
 * Each session takes a descriptor. Half of what the process may have is theirs at most, whatever the configuration says;
 * the rest is for the queue, deliveries and the bus.
 */

#include "sessions.h"

#include "log-event.h"
#include "peer.h"
#include "session.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sys/resource.h>

/* A limit may be hit thousands of times in an hour, and by many; the log tells it once in this time of each, and of so many. */
#define TOLD_USEC (60 * (gint64) G_USEC_PER_SEC)
#define TOLD_MOST 16

/* Of the process's descriptors. */
#define DESCRIPTORS_PART 2

struct _Sessions {
    SessionHost host;
    Config *config;
    GQueue list;      /* of Session, by their own links */
    gint64 used_usec; /* monotonic; of sessions_used_usec () */
    PeerFinder *peers;
    Budget *budget;
    GHashTable
        *told; /* of gchar: of whom the log was told since then that there is no session for them; "" for all */
    gint64 told_usec; /* monotonic */

    void (*ended) (gpointer user_data); /* (nullable) not stopping */
    gpointer user_data;
};

static void
session_ended (Session *session, gpointer user_data)
{
    Sessions *self = user_data;

    self->used_usec = g_get_monotonic_time ();
    g_queue_unlink (&self->list, session_link (session));
    session_free (session);
    if (self->list.length == 0 && self->ended != NULL)
        self->ended (self->user_data);
}

static guint
sessions_most (const Config *config)
{
    struct rlimit limit;

    if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return config->sessions_most;

    return (guint) MAX (1, MIN (config->sessions_most, limit.rlim_cur / DESCRIPTORS_PART));
}

Sessions *
sessions_new (Queue *queue, SmtpPoller *poller, Users *users, Config *config)
{
    const BudgetLimits limits = budget_limits_share (sessions_most (config));
    Sessions *self = g_new0 (Sessions, 1);

    self->host = (SessionHost){.queue = queue,
                               .poller = poller,
                               .users = users,
                               .refusals = refusals_new (),
                               .scratch = g_string_new (NULL),
                               .ended = session_ended,
                               .user_data = self};
    self->config = config_ref (config);
    self->peers = peer_finder_new ();
    self->budget = budget_new (&limits);
    self->told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_queue_init (&self->list);
    return self;
}

void
sessions_free (Sessions *self)
{
    GList *link;

    while ((link = g_queue_pop_head_link (&self->list)) != NULL)
        session_free (link->data);

    g_string_free (self->host.scratch, TRUE);
    refusals_free (self->host.refusals);
    peer_finder_free (self->peers);
    g_hash_table_unref (self->told);
    budget_free (self->budget);
    config_unref (self->config);
    g_free (self);
}

void
sessions_set_config (Sessions *self, Config *config)
{
    const BudgetLimits limits = budget_limits_share (sessions_most (config));

    budget_set_limits (self->budget, &limits);
    config_unref (self->config);
    self->config = config_ref (config);
}

/* Whether the log is to be told of @whom. */
static gboolean
is_news (Sessions *self, const gchar *whom)
{
    gint64 now = g_get_monotonic_time ();

    if (now - self->told_usec > TOLD_USEC) {
        g_hash_table_remove_all (self->told);
        self->told_usec = now;
    }

    return g_hash_table_size (self->told) < TOLD_MOST && g_hash_table_add (self->told, g_strdup (whom));
}

/* A new connection has room for this in its buffer. TLS clients cannot be told anything yet. */
static void
tell_client (const Sessions *self, const SessionClient *client, const gchar *status, const gchar *text)
{
    g_autofree gchar *line = g_strdup_printf ("421 %s %s %s\r\n", status, self->config->host_name, text);

    if (client->kind != LISTEN_SUBMISSIONS)
        (void) send (client->fd, line, strlen (line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
refuse (Sessions *self, const SessionClient *client, const BudgetOwner *owner, BudgetAnswer answer)
{
    guint most = sessions_most (self->config);
    guint has = (guint) budget_taken_by (self->budget, owner);
    g_autofree gchar *peer = peer_describe (client->peer);
    g_autofree gchar *whom = NULL;

    if (answer == BUDGET_ALL_TAKEN) {
        tell_client (self, client, "4.3.2", "All sessions are taken, try again later");
        if (is_news (self, ""))
            log_event_sessions_full (most);
        return;
    }

    whom = client->uid >= 0 ? g_strdup_printf ("user %" G_GINT64_FORMAT, client->uid)
                            : g_strdup (owner->kind == BUDGET_ADDRESS ? peer : "unknown users");
    tell_client (self, client, "4.7.0", "You have too many sessions, end some of them or try again later");
    if (is_news (self, whom))
        log_event_share_taken (whom, client->uid, peer, has, most);
}

/* Whose the session is. Of those who connect from this machine, and could not be found, nothing is known. */
static BudgetOwner
owner_of (const SessionClient *client)
{
    if (client->uid >= 0 || client->kind == LISTEN_LOCAL || peer_is_loopback (client->peer))
        return budget_user (client->uid);

    return budget_address (client->peer);
}

static gboolean
limits_users (const Config *config)
{
    const QueueLimits *limits = &config->queue;

    return limits->user_messages_most > 0 || limits->user_bytes_most > 0 || limits->user_rate.messages > 0;
}

/* A program that has written all and gone before it was looked at. It would be counted with clients of other machines, as
 * often as it likes. */
static gboolean
escapes_count (const Sessions *self, const SessionClient *client)
{
    return client->uid == PEER_GONE && limits_users (self->config);
}

static void
refuse_uncounted (Sessions *self, const SessionClient *client)
{
    g_autofree gchar *peer = peer_describe (client->peer);
    g_autoptr (SmtpReply) reply =
        smtp_reply_new (421, "4.7.0",
                        "The program was gone before it could be told whose it is, and users have limits "
                        "here; it has to stay for the answer");
    const LogRefusal told = {.peer = peer, .uid = PEER_UNKNOWN, .what = "connecting", .reply = reply};

    refusals_tell (self->host.refusals, &told);
}

static void
begin (Sessions *self, SessionClient *client)
{
    g_autoptr (GError) error = NULL;
    BudgetOwner owner = owner_of (client);
    BudgetAnswer answer = budget_take (self->budget, &owner, 1, &client->share);
    Session *session;

    if (answer != BUDGET_TAKEN) {
        refuse (self, client, &owner, answer);
        g_close (client->fd, NULL);
        return;
    }

    session = session_new (&self->host, self->config, client, &error);
    if (session != NULL)
        g_queue_push_tail_link (&self->list, session_link (session));
    else
        g_warning ("a connection cannot be served: %s", error->message);
}

void
sessions_accept (Sessions *self, ListenKind kind, int fd, const struct sockaddr *peer)
{
    SessionClient client = {.kind = kind, .fd = fd, .peer = peer, .uid = peer_finder_uid (self->peers, fd, peer)};

    self->used_usec = g_get_monotonic_time ();

    if (escapes_count (self, &client)) {
        refuse_uncounted (self, &client);
        g_close (fd, NULL);
        return;
    }

    client.uid = MAX (client.uid, PEER_UNKNOWN);
    /* Which the start has complained about. */
    if (kind == LISTEN_SUBMISSIONS && self->config->tls == NULL)
        g_close (fd, NULL);
    else
        begin (self, &client);
}

guint
sessions_count (const Sessions *self)
{
    return self->list.length;
}

gint64
sessions_used_usec (const Sessions *self)
{
    return self->used_usec;
}

void
sessions_stop (Sessions *self, void (*ended) (gpointer user_data), gpointer user_data)
{
    GList *next;

    if (self->list.length == 0) {
        ended (user_data);
        return;
    }

    self->ended = ended;
    self->user_data = user_data;
    for (GList *link = self->list.head; link != NULL; link = next) {
        next = link->next;
        session_stop (link->data);
    }
}
