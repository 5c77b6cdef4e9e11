/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The idle watch
 *
 * A busy relay is touched thousands of times a second, so a touch only notes the time; the timer that is running is left
 * alone, and sees when it fires how much of the time is left since the last one. The rooms that note such times themselves are
 * asked for theirs then. What is under way at that moment (a session, mail in the queue) is not idle however long nothing was
 * heard of it: the time then begins anew.
 *
 * The timer is of the main loop's lowest priority: a connection that is already there is served first, and counts.
 */

#include "idle.h"

struct _Idle {
    IdleListener listener;
    gpointer user_data;
    gint64 after_usec;
    gint64 touched_usec; /* monotonic */
    guint timer;         /* 0: it was noticed, or is not to be */
};

static gboolean expired (gpointer user_data);

/* Rounds up, since a timer that fires too early would only be set again. */
static void
wait (Idle *self, gint64 usec)
{
    self->timer = g_timeout_add_full (G_PRIORITY_LOW, (guint) (usec / 1000 + 1), expired, self, NULL);
}

static gboolean
expired (gpointer user_data)
{
    Idle *self = user_data;
    gint64 used_usec = MAX (self->touched_usec, self->listener.used_usec (self->user_data));
    gint64 left_usec = used_usec + self->after_usec - g_get_monotonic_time ();

    self->timer = 0;
    if (left_usec > 0) {
        wait (self, left_usec);
    } else if (self->listener.is_busy (self->user_data)) {
        idle_touch (self);
        wait (self, self->after_usec);
    } else {
        self->listener.fell_idle (self->user_data);
    }

    return G_SOURCE_REMOVE;
}

Idle *
idle_new (guint after_msec, const IdleListener *listener, gpointer user_data)
{
    Idle *self = g_new0 (Idle, 1);

    self->listener = *listener;
    self->user_data = user_data;
    idle_set_after (self, after_msec);
    return self;
}

void
idle_free (Idle *self)
{
    g_clear_handle_id (&self->timer, g_source_remove);
    g_free (self);
}

void
idle_touch (Idle *self)
{
    self->touched_usec = g_get_monotonic_time ();
}

void
idle_set_after (Idle *self, guint after_msec)
{
    g_clear_handle_id (&self->timer, g_source_remove);
    self->after_usec = after_msec * (gint64) 1000;
    idle_touch (self);
    if (after_msec > 0)
        wait (self, self->after_usec);
}
