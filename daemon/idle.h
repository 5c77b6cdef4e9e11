/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Notices when nothing has happened for a while.
 */

typedef struct _Idle Idle;

typedef struct {
    /* When something last happened that was not worth a touch; of the monotonic clock, 0: never. Asked only when the time is
     * over. */
    gint64 (*used_usec) (gpointer user_data);

    /* Whether something is under way. Asked only when the time is over. */
    gboolean (*is_busy) (gpointer user_data);

    /* The time is over, and nothing is under way. Called once. */
    void (*fell_idle) (gpointer user_data);
} IdleListener;

/**
 * idle_new:
 * @after_msec: how long nothing may happen; 0: it is never noticed
 * @listener: copied
 *
 * Watches from now on, in the main loop.
 */
Idle *idle_new (guint after_msec, const IdleListener *listener, gpointer user_data);
void idle_free (Idle *idle);

/* Something has happened: the time begins anew. Costs next to nothing. */
void idle_touch (Idle *idle);

/* Another time, which begins now. */
void idle_set_after (Idle *idle, guint after_msec);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Idle, idle_free)
