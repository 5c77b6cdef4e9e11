/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The bus keeper
 *
 * Mail matters more than the means to look at it: a relay whose message bus is missing goes on, says so once, and
 * tries the bus again every now and then. It says that the bus is back only when the connection has held until the next
 * try: one that is lost again at once is not back.
 */

#include "bus-keeper.h"

#include "log-event.h"

/* A bus that was restarted is away for a second or two; an administrator who looks for the relay waits this long. */
#define RETRY_SECONDS 15

struct _BusKeeper {
    gchar *address;
    BusRooms rooms;
    BusHandlers handlers;
    gpointer user_data;

    Bus *bus;             /* (nullable) */
    gboolean is_lost;     /* @bus is of no use any more */
    gboolean was_told;    /* the log knows that there is none */
    guint retry_source;   /* 0: all is well */
    guint discard_source; /* 0: nothing to discard */
};

static void connect_bus (BusKeeper *self);

static gboolean
retry (gpointer user_data)
{
    BusKeeper *self = user_data;

    if (self->bus == NULL) {
        connect_bus (self);
        return G_SOURCE_CONTINUE;
    }

    log_event_bus (NULL);
    self->was_told = FALSE;
    self->retry_source = 0;
    return G_SOURCE_REMOVE;
}

static void
tell_trouble (BusKeeper *self, const GError *error)
{
    if (!self->was_told)
        log_event_bus (error);

    self->was_told = TRUE;
    if (self->retry_source == 0)
        self->retry_source = g_timeout_add_seconds (RETRY_SECONDS, retry, self);
}

static gboolean
discard (gpointer user_data)
{
    BusKeeper *self = user_data;

    self->discard_source = 0;
    self->is_lost = FALSE;
    g_clear_pointer (&self->bus, bus_free);
    return G_SOURCE_REMOVE;
}

/* The bus itself says this, so it must stay for the moment. */
static void
lost (const GError *error, gpointer user_data)
{
    BusKeeper *self = user_data;

    tell_trouble (self, error);
    self->is_lost = TRUE;
    if (self->discard_source == 0)
        self->discard_source = g_idle_add (discard, self);
}

static gboolean
pass_reload (GError **error, gpointer user_data)
{
    BusKeeper *self = user_data;

    return self->handlers.reload (error, self->user_data);
}

static guint
pass_recipients_most (gpointer user_data)
{
    BusKeeper *self = user_data;

    return self->handlers.recipients_most (self->user_data);
}

static void
pass_submit (const BusSubmission *submission, BusSubmitted submitted, gpointer submitted_data, gpointer user_data)
{
    BusKeeper *self = user_data;

    self->handlers.submit (submission, submitted, submitted_data, self->user_data);
}

static void
pass_check (gboolean connect, const gchar *sender, BusChecked checked, gpointer checked_data, gpointer user_data)
{
    BusKeeper *self = user_data;

    self->handlers.check (connect, sender, checked, checked_data, self->user_data);
}

static BusConfiguration
pass_configuration (gpointer user_data)
{
    BusKeeper *self = user_data;

    return self->handlers.configuration (self->user_data);
}

static void
connect_bus (BusKeeper *self)
{
    const BusHandlers handlers = {.reload = pass_reload,
                                  .recipients_most = pass_recipients_most,
                                  .submit = pass_submit,
                                  .check = pass_check,
                                  .configuration = pass_configuration};
    g_autoptr (GError) error = NULL;

    self->bus = bus_new (self->address, &self->rooms, &handlers, lost, self, &error);
    if (self->bus == NULL)
        tell_trouble (self, error);
}

BusKeeper *
bus_keeper_new (const gchar *address, const BusRooms *rooms, const BusHandlers *handlers, gpointer user_data)
{
    BusKeeper *self = g_new0 (BusKeeper, 1);

    self->address = g_strdup (address);
    self->rooms = *rooms;
    self->handlers = *handlers;
    self->user_data = user_data;
    connect_bus (self);
    return self;
}

void
bus_keeper_free (BusKeeper *self)
{
    g_clear_handle_id (&self->retry_source, g_source_remove);
    g_clear_handle_id (&self->discard_source, g_source_remove);
    g_clear_pointer (&self->bus, bus_free);
    g_free (self->address);
    g_free (self);
}

void
bus_keeper_release (BusKeeper *self, void (*released) (gpointer user_data), gpointer user_data)
{
    Bus *bus = bus_keeper_bus (self);

    g_clear_handle_id (&self->retry_source, g_source_remove);
    if (bus != NULL)
        bus_release (bus, released, user_data);
    else
        released (user_data);
}

Bus *
bus_keeper_bus (const BusKeeper *self)
{
    return self->is_lost ? NULL : self->bus;
}
