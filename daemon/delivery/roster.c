/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The roster
 *
 * Makes remotes of what the configuration says, and keeps what is known of them over a reload. What can fail, which is
 * only the reading of trust files, is done before anything is changed.
 */

#include "delivery/roster.h"

struct _DeliveryRoster {
    Queue *queue;
    SmtpPoller *poller;
    const DeliveryRemoteEvents *events;
    gpointer user_data;
    GPtrArray *remotes; /* of DeliveryRemote, beside the settings' smarthosts */
    GPtrArray *tls;     /* of SmtpTls (nullable), beside them too */
    GPtrArray *former;  /* of DeliveryRemote */
};

static GPtrArray *
new_remotes (void)
{
    return g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_remote_free);
}

DeliveryRoster *
delivery_roster_new (Queue *queue, SmtpPoller *poller, const DeliveryRemoteEvents *events, gpointer user_data)
{
    DeliveryRoster *self = g_new0 (DeliveryRoster, 1);

    self->queue = queue;
    self->poller = poller;
    self->events = events;
    self->user_data = user_data;
    self->remotes = new_remotes ();
    self->former = new_remotes ();
    self->tls = g_ptr_array_new ();
    return self;
}

void
delivery_roster_free (DeliveryRoster *self)
{
    delivery_roster_break (self);
    g_ptr_array_unref (self->remotes);
    g_ptr_array_unref (self->former);
    g_ptr_array_unref (self->tls);
    g_free (self);
}

/* ---- TLS ---- */

static void
tls_unref (gpointer tls)
{
    if (tls)
        smtp_tls_unref (tls);
}

/* Reading the system's trust store takes time and memory: those that need the same share it. */
static SmtpTls *
find_tls (const DeliverySettings *settings, GPtrArray *tls, const DeliverySmarthost *smarthost)
{
    for (guint i = 0; i < tls->len; i++) {
        const DeliverySmarthost *other = g_ptr_array_index (settings->smarthosts, i);

        if (g_ptr_array_index (tls, i) && other->verify == smarthost->verify &&
            g_strcmp0 (other->trust_file, smarthost->trust_file) == 0)
            return smtp_tls_ref (g_ptr_array_index (tls, i));
    }

    return NULL;
}

static GPtrArray *
load_tls (const DeliverySettings *settings, GError **error)
{
    g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (tls_unref);

    for (guint i = 0; i < settings->smarthosts->len; i++) {
        const DeliverySmarthost *smarthost = g_ptr_array_index (settings->smarthosts, i);
        SmtpTls *tls = NULL;

        if (smarthost->security != SMTP_SECURITY_NONE) {
            tls = smarthost->tls ? smtp_tls_ref (smarthost->tls) : find_tls (settings, all, smarthost);
            if (!tls)
                tls = smtp_tls_new_client (smarthost->trust_file, smarthost->verify, error);
            if (!tls)
                return NULL;
        }

        g_ptr_array_add (all, tls);
    }

    return g_steal_pointer (&all);
}

/* ---- Remotes ---- */

static DeliveryRemote *
take_same (GPtrArray *remotes, const DeliverySmarthost *smarthost)
{
    for (guint i = 0; i < remotes->len; i++)
        if (delivery_remote_is_same (g_ptr_array_index (remotes, i), smarthost))
            return g_ptr_array_steal_index (remotes, i);

    return NULL;
}

static DeliveryRemote *
adopt (DeliveryRoster *self, GPtrArray *old, const DeliverySettings *settings, guint index)
{
    const DeliverySmarthost *smarthost = g_ptr_array_index (settings->smarthosts, index);
    SmtpTls *tls = g_ptr_array_index (self->tls, index);
    DeliveryRemote *remote = take_same (old, smarthost);

    if (!remote)
        return delivery_remote_new (self->queue, self->poller, tls, smarthost, settings, self->events,
                                    self->user_data);

    delivery_remote_set (remote, tls, smarthost, settings);
    return remote;
}

gboolean
delivery_roster_set (DeliveryRoster *self, const DeliverySettings *settings, GError **error)
{
    g_autoptr (GPtrArray) old = NULL;
    GPtrArray *tls = load_tls (settings, error);

    if (!tls)
        return FALSE;

    g_ptr_array_unref (self->tls);
    self->tls = tls;
    old = g_steal_pointer (&self->remotes);
    self->remotes = new_remotes ();
    for (guint i = 0; i < settings->smarthosts->len; i++)
        g_ptr_array_add (self->remotes, adopt (self, old, settings, i));

    while (old->len > 0) {
        DeliveryRemote *remote = g_ptr_array_steal_index (old, old->len - 1);

        delivery_remote_retire (remote);
        g_ptr_array_add (self->former, remote);
    }

    return TRUE;
}

GPtrArray *
delivery_roster_remotes (DeliveryRoster *self)
{
    return self->remotes;
}

SmtpTls *
delivery_roster_tls (DeliveryRoster *self, guint index)
{
    return g_ptr_array_index (self->tls, index);
}

void
delivery_roster_tidy (DeliveryRoster *self)
{
    for (guint i = self->former->len; i > 0; i--)
        if (delivery_remote_sessions (g_ptr_array_index (self->former, i - 1)) == 0)
            g_ptr_array_remove_index_fast (self->former, i - 1);
}

void
delivery_roster_retire (DeliveryRoster *self)
{
    for (guint i = 0; i < self->remotes->len; i++)
        delivery_remote_retire (g_ptr_array_index (self->remotes, i));
}

static void
break_all (GPtrArray *remotes)
{
    for (guint i = 0; i < remotes->len; i++)
        delivery_remote_break (g_ptr_array_index (remotes, i));
}

void
delivery_roster_break (DeliveryRoster *self)
{
    break_all (self->remotes);
    break_all (self->former);
}

static guint
count_sessions (GPtrArray *remotes)
{
    guint count = 0;

    for (guint i = 0; i < remotes->len; i++)
        count += delivery_remote_sessions (g_ptr_array_index (remotes, i));

    return count;
}

guint
delivery_roster_sessions (const DeliveryRoster *self)
{
    return count_sessions (self->remotes) + count_sessions (self->former);
}
