/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The service
 *
 * Speaks sd_notify(3). The watchdog is fed from the main loop, so a loop that hangs is noticed, which a thread of its
 * own would hide. The status line changes with every message on a busy relay; it is put together at most once a second,
 * by a timer that runs only when something happened.
 */

#include "service.h"

#include "config-value.h"

#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define STATUS_INTERVAL_SECONDS 1

/* The service manager reads at once, or is busy with worse. */
#define FAREWELL_USEC (2 * G_USEC_PER_SEC)

struct _Service {
    ServiceStatus status;
    gpointer user_data;
    gchar *told;           /* the last status that was told */
    guint status_source;   /* 0: nothing has changed */
    guint watchdog_source; /* 0: there is no watchdog */
};

static gboolean
feed_watchdog (gpointer unused)
{
    sd_notify (0, "WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

Service *
service_new (ServiceStatus status, gpointer user_data)
{
    Service *self = g_new0 (Service, 1);
    guint64 usec;

    self->status = status;
    self->user_data = user_data;

    /* Half the time, as sd_watchdog_enabled(3) advises. */
    if (sd_watchdog_enabled (0, &usec) > 0)
        self->watchdog_source = g_timeout_add ((guint) MAX (1, usec / 2 / 1000), feed_watchdog, NULL);

    return self;
}

void
service_free (Service *self)
{
    g_clear_handle_id (&self->status_source, g_source_remove);
    g_clear_handle_id (&self->watchdog_source, g_source_remove);
    g_free (self->told);
    g_free (self);
}

static gchar *
ask_status (Service *self)
{
    g_autoptr (GString) text = g_string_new (NULL);

    self->status (text, self->user_data);
    return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
tell_status (gpointer user_data)
{
    Service *self = user_data;
    g_autofree gchar *status = ask_status (self);

    self->status_source = 0;
    if (g_strcmp0 (status, self->told) != 0) {
        sd_notifyf (0, "STATUS=%s", status);
        g_free (self->told);
        self->told = g_steal_pointer (&status);
    }

    return G_SOURCE_REMOVE;
}

void
service_ready (Service *self)
{
    g_free (self->told);
    self->told = ask_status (self);
    sd_notifyf (0, "READY=1\nSTATUS=%s", self->told);
}

void
service_reloading (Service *self)
{
    sd_notifyf (0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time ());
}

void
service_stopping (Service *self)
{
    g_clear_handle_id (&self->status_source, g_source_remove);
    sd_notify (0, "STOPPING=1\nSTATUS=stopping");
}

void
service_sleeping (Service *self)
{
    g_clear_handle_id (&self->status_source, g_source_remove);
    sd_notify (0, "STOPPING=1\nSTATUS=asleep; the next message or call wakes it");
    sd_notify_barrier (0, FAREWELL_USEC);
}

gboolean
service_is_managed (void)
{
    const gchar *manager_says = g_getenv ("SYSTEMD_EXEC_PID");
    guint64 pid;

    /* The variable goes on to children, who are not meant. */
    return manager_says != NULL && config_value_number (manager_says, &pid) && pid == (guint64) getpid ();
}

void
service_touch (Service *self)
{
    if (self->status_source == 0)
        self->status_source = g_timeout_add_seconds (STATUS_INTERVAL_SECONDS, tell_status, self);
}

void
service_failed (const gchar *why, const gchar *advice)
{
    g_auto (GStrv) lines = g_strsplit (why, "\n", -1);
    guint n = g_strv_length (lines);
    g_autofree gchar *more = n > 1 ? g_strdup_printf (" (and %u more, in the journal)", n - 1) : NULL;

    sd_notifyf (0, "STATUS=%s%s; %s", n > 0 ? lines[0] : "", more != NULL ? more : "", advice);
    sd_notify_barrier (0, FAREWELL_USEC);
}
