/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A trial
 *
 * Goes through a session with a smarthost exactly as a delivery would, up to the point where a message would be at
 * stake, and writes down what each side said. It has nothing to do with the remote's kept sessions and tells
 * nothing to its health: a person who tests a configuration again and again must not disturb the mail.
 */

#include "delivery/trial.h"

#include <gio/gio.h>

G_DEFINE_QUARK (postern_delivery_trial_error, delivery_trial_error)

typedef enum { STAGE_OPENING, STAGE_PROBING, STAGE_LEAVING } Stage;

struct _DeliveryTrial {
    DeliveryConnection *connection;
    Stage stage;
    gchar *sender;
    GString *transcript;
    DeliveryTested tested;
    gpointer tested_data;
    DeliveryTrialOver over;
    gpointer over_data;
};

static void
tell (DeliveryTrial *self, const GError *error)
{
    self->tested (self->transcript->str, error, self->tested_data);
}

static void
trial_clear (DeliveryTrial *self)
{
    delivery_connection_free (self->connection);
    g_string_free (self->transcript, TRUE);
    g_free (self->sender);
    g_free (self);
}

static void
on_ready (gpointer user_data)
{
    DeliveryTrial *self = user_data;

    switch (self->stage) {
    case STAGE_OPENING:
        self->stage = STAGE_PROBING;
        delivery_connection_probe (self->connection, self->sender);
        break;
    case STAGE_PROBING:
        self->stage = STAGE_LEAVING;
        delivery_connection_quit (self->connection);
        break;
    case STAGE_LEAVING:
        g_return_if_reached ();
    }
}

static void
on_trace (DeliveryTraceKind kind, const gchar *line, gpointer user_data)
{
    static const gchar *const marks[] = {"> ", "< ", "* "};
    DeliveryTrial *self = user_data;

    g_string_append_printf (self->transcript, "%s%s\n", marks[kind], line);
}

static void
on_ended (const DeliveryFailure *failure, gpointer user_data)
{
    DeliveryTrial *self = user_data;
    g_autoptr (GError) error = NULL;

    if (self->stage != STAGE_LEAVING)
        error = g_error_new_literal (DELIVERY_TRIAL_ERROR, failure->kind, failure->reason);

    tell (self, error);
    self->over (self, self->over_data);
    trial_clear (self);
}

static void
on_bored (gpointer user_data)
{
    DeliveryTrial *self = user_data;

    self->stage = STAGE_LEAVING;
    delivery_connection_quit (self->connection);
}

/* A trial sends no message, so there are no results and no done. */
static const DeliveryConnectionEvents connection_events = {
    .ready = on_ready, .bored = on_bored, .trace = on_trace, .ended = on_ended};

DeliveryTrial *
delivery_trial_new (SmtpPoller *poller, SmtpTls *tls, const DeliverySmarthost *smarthost,
                    const DeliverySettings *settings, const gchar *sender, DeliveryTested tested,
                    gpointer tested_data, DeliveryTrialOver over, gpointer over_data)
{
    DeliveryTrial *self = g_new0 (DeliveryTrial, 1);

    self->sender = g_strdup (sender);
    self->transcript = g_string_new (NULL);
    self->tested = tested;
    self->tested_data = tested_data;
    self->over = over;
    self->over_data = over_data;
    self->connection = delivery_connection_new (poller, tls, smarthost, settings, &connection_events, self);
    return self;
}

void
delivery_trial_free (DeliveryTrial *self)
{
    g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "the relay is stopping");

    tell (self, error);
    trial_clear (self);
}
