/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A check of the configuration
 *
 * Reads the files as a start or a reload would, with the same eyes, and then tries every smarthost at once, as far as
 * MAIL and RSET. Nothing of it touches the relay that runs: the configuration is thrown away, and the sessions are
 * trials of their own.
 *
 * The report is a value and no text, because it goes over the bus, and to programs; words for people are made by whoever
 * shows it. It holds no secret: the transcripts come without.
 */

#include "check.h"

#include "delivery/trial.h"
#include "message/address.h"

#include <string.h>

/* Somebody is sitting there. A smarthost that lets a person wait for longer is not one to rely on. */
#define CHECK_WAIT_SECONDS 30

typedef struct {
    Check *check;
    const DeliverySmarthost *smarthost;
    SmtpTls *tls;         /* (nullable) */
    DeliveryTrial *trial; /* (nullable) while it is under way */
    gchar *fault;         /* (nullable) until the outcome is known */
    gchar *error;
    gchar *transcript;
} Row;

struct _Check {
    Config *config;      /* (nullable) if it is bad */
    GPtrArray *problems; /* of gchar */
    GPtrArray *warnings; /* of gchar */
    GPtrArray *rows;     /* of Row */
    guint pending;
    guint idle;
    CheckDone done;
    gpointer user_data;
};

static void
row_free (Row *row)
{
    g_clear_pointer (&row->tls, smtp_tls_unref);
    g_free (row->fault);
    g_free (row->error);
    g_free (row->transcript);
    g_free (row);
}

static const gchar *
fault_name (DeliveryFailureKind kind)
{
    switch (kind) {
    case DELIVERY_FAILURE_LOOKUP:
        return "lookup";
    case DELIVERY_FAILURE_CONNECT:
        return "connect";
    case DELIVERY_FAILURE_CERTIFICATE:
        return "certificate";
    case DELIVERY_FAILURE_TLS:
        return "tls";
    case DELIVERY_FAILURE_LOGIN:
        return "login";
    case DELIVERY_FAILURE_REFUSED:
        return "refused";
    case DELIVERY_FAILURE_CLOSED:
        return "closed";
    case DELIVERY_FAILURE_TIMEOUT:
        return "timeout";
    case DELIVERY_FAILURE_PROTOCOL:
        return "protocol";
    case DELIVERY_FAILURE_NONE:
    case DELIVERY_FAILURE_LOCAL:
        break;
    }

    return "local";
}

/* ---- The report ---- */

static const gchar *
security_name (SmtpSecurity security)
{
    switch (security) {
    case SMTP_SECURITY_NONE:
        return "none";
    case SMTP_SECURITY_OPPORTUNISTIC:
        return "opportunistic";
    case SMTP_SECURITY_STARTTLS:
        return "starttls";
    case SMTP_SECURITY_IMPLICIT:
        return "implicit";
    }

    g_return_val_if_reached ("");
}

/* What a variant must have: UTF-8. */
static GVariant *
text_value (const gchar *text)
{
    return g_variant_new_take_string (g_utf8_make_valid (text != NULL ? text : "", -1));
}

static GVariant *
lines_value (GPtrArray *lines)
{
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; i < lines->len; i++)
        g_variant_builder_add_value (&builder, text_value (g_ptr_array_index (lines, i)));
    return g_variant_builder_end (&builder);
}

static GVariant *
row_value (const Row *row)
{
    GVariant *fields[] = {
        text_value (row->smarthost->name),
        text_value (row->smarthost->host),
        g_variant_new_uint16 (row->smarthost->port),
        text_value (security_name (row->smarthost->security)),
        text_value (row->smarthost->user),
        text_value (row->fault),
        text_value (row->error),
        text_value (row->transcript),
    };

    return g_variant_new_tuple (fields, G_N_ELEMENTS (fields));
}

static GVariant *
make_report (const Check *self)
{
    GVariantBuilder rows;

    g_variant_builder_init (&rows, G_VARIANT_TYPE ("a(ssqsssss)"));
    for (guint i = 0; i < self->rows->len; i++)
        g_variant_builder_add_value (&rows, row_value (g_ptr_array_index (self->rows, i)));
    return g_variant_new ("(@as@asa(ssqsssss))", lines_value (self->problems), lines_value (self->warnings), &rows);
}

static void
clear (Check *self)
{
    g_clear_handle_id (&self->idle, g_source_remove);
    g_ptr_array_unref (self->rows);
    g_ptr_array_unref (self->problems);
    g_ptr_array_unref (self->warnings);
    g_clear_pointer (&self->config, config_unref);
    g_free (self);
}

static gboolean
finish (gpointer user_data)
{
    Check *self = user_data;
    g_autoptr (GVariant) report = g_variant_ref_sink (make_report (self));

    self->idle = 0;
    self->done (report, self->user_data);
    clear (self);
    return G_SOURCE_REMOVE;
}

/* ---- Trials ---- */

static void
tested (const gchar *transcript, const GError *error, gpointer user_data)
{
    Row *row = user_data;
    const gchar *fault = "";

    if (error != NULL)
        fault = error->domain == DELIVERY_TRIAL_ERROR ? fault_name ((DeliveryFailureKind) error->code) : "local";

    g_free (row->fault);
    row->fault = g_strdup (fault);
    row->error = g_strdup (error != NULL ? error->message : "");
    row->transcript = g_strdup (transcript);
}

static void
trial_over (DeliveryTrial *trial, gpointer user_data)
{
    Row *row = user_data;
    Check *self = row->check;

    row->trial = NULL;
    if (--self->pending == 0)
        self->idle = g_idle_add (finish, self);
}

/* The null sender is for notifications, and many providers take it from nobody; a user's own address they do take. */
static gchar *
choose_sender (const DeliverySmarthost *smarthost, const gchar *asked)
{
    gchar *own = NULL;

    if (*asked == '\0' && smarthost->user != NULL && strchr (smarthost->user, '@') != NULL)
        own = message_address_parse (smarthost->user, MESSAGE_PATH_UTF8, NULL);
    return own != NULL ? own : g_strdup (asked);
}

/* Returns: whether the authorities that the smarthost is to be checked against can be read */
static gboolean
load_authorities (Row *row)
{
    g_autoptr (GError) error = NULL;

    if (row->smarthost->security == SMTP_SECURITY_NONE)
        return TRUE;

    row->tls = row->smarthost->tls != NULL ? smtp_tls_ref (row->smarthost->tls)
                                           : smtp_tls_new_client (NULL, row->smarthost->verify, &error);
    if (row->tls == NULL) {
        row->fault = g_strdup (fault_name (DELIVERY_FAILURE_TLS));
        row->error = g_strdup (error->message);
    }
    return row->tls != NULL;
}

static void
try_smarthost (Check *self, SmtpPoller *poller, Row *row, const gchar *sender)
{
    g_autofree gchar *offered = NULL;

    if (!load_authorities (row))
        return;

    self->pending++;
    offered = choose_sender (row->smarthost, sender);
    row->trial = delivery_trial_new (poller, row->tls, row->smarthost, self->config->delivery, offered, tested, row,
                                     trial_over, row);
}

static void
limit_waits (DeliverySettings *settings)
{
    guint *waits[] = {&settings->connect_seconds, &settings->greeting_seconds, &settings->command_seconds};

    for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
        *waits[i] = MIN (*waits[i], CHECK_WAIT_SECONDS);
}

static void
add_rows (Check *self)
{
    for (guint i = 0; i < self->config->delivery->smarthosts->len; i++) {
        Row *row = g_new0 (Row, 1);

        row->check = self;
        row->smarthost = g_ptr_array_index (self->config->delivery->smarthosts, i);
        g_ptr_array_add (self->rows, row);
    }
}

static void
try_all (Check *self, SmtpPoller *poller, const gchar *sender)
{
    limit_waits (self->config->delivery);
    for (guint i = 0; i < self->rows->len; i++)
        try_smarthost (self, poller, g_ptr_array_index (self->rows, i), sender);
}

static void
leave_untried (Check *self)
{
    for (guint i = 0; i < self->rows->len; i++) {
        Row *row = g_ptr_array_index (self->rows, i);

        row->fault = g_strdup ("untried");
    }
}

static void
add_problems (Check *self, const GError *error)
{
    g_auto (GStrv) lines = g_strsplit (error->message, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++)
        g_ptr_array_add (self->problems, g_strdup (lines[i]));
}

Check *
check_new (SmtpPoller *poller, const ConfigSources *sources, gboolean connect, const gchar *sender, CheckDone done,
           gpointer user_data)
{
    Check *self = g_new0 (Check, 1);
    g_autoptr (GError) error = NULL;

    self->problems = g_ptr_array_new_with_free_func (g_free);
    self->warnings = g_ptr_array_new_with_free_func (g_free);
    self->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) row_free);
    self->done = done;
    self->user_data = user_data;
    self->config = config_load (sources, self->warnings, &error);

    if (self->config == NULL) {
        add_problems (self, error);
    } else {
        add_rows (self);
        if (connect)
            try_all (self, poller, sender);
        else
            leave_untried (self);
    }

    if (self->pending == 0)
        self->idle = g_idle_add (finish, self);
    return self;
}

void
check_free (Check *self)
{
    for (guint i = 0; i < self->rows->len; i++) {
        Row *row = g_ptr_array_index (self->rows, i);

        g_clear_pointer (&row->trial, delivery_trial_free);
    }

    self->done (NULL, self->user_data);
    clear (self);
}
