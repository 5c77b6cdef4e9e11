/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Refusals in the log
 *
 * A refusal costs a client a line and the journal an entry. One that asked for thousands of them would push the entries about
 * everybody else's mail out of the journal, which has only so much room. So of each user, or each address, so many are told in
 * a minute, and at its end how many more there were.
 */

#include "refusals.h"

#define WINDOW_SECONDS 60

/* In a minute, of each; somebody who looks for a fault has seen it by then. */
#define TOLD_MOST 50

/* Of so many a count is kept; the others are counted together. */
#define COUNTED_MOST 256

struct _Refusals {
    GHashTable *counts; /* of whom (gchar) to how many (guint) */
    guint timer;        /* 0: nobody was refused for a while */
};

Refusals *
refusals_new (void)
{
    Refusals *refusals = g_new0 (Refusals, 1);

    refusals->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    return refusals;
}

static gboolean
tell_rest (gpointer whom, gpointer count, gpointer unused)
{
    guint n = GPOINTER_TO_UINT (count);

    if (n > TOLD_MOST)
        log_event_refused_more (whom, n - TOLD_MOST);
    return TRUE;
}

static gboolean
window_over (gpointer user_data)
{
    Refusals *refusals = user_data;

    refusals->timer = 0;
    g_hash_table_foreach_remove (refusals->counts, tell_rest, NULL);
    return G_SOURCE_REMOVE;
}

void
refusals_free (Refusals *refusals)
{
    g_clear_handle_id (&refusals->timer, g_source_remove);
    g_hash_table_foreach_remove (refusals->counts, tell_rest, NULL);
    g_hash_table_unref (refusals->counts);
    g_free (refusals);
}

/* Returns: (transfer full) */
static gchar *
whom (const Refusals *refusals, const LogRefusal *refusal)
{
    g_autofree gchar *name = refusal->uid >= 0 ? g_strdup_printf ("user %" G_GINT64_FORMAT, refusal->uid)
                                               : g_strdup (refusal->peer != NULL ? refusal->peer : "a local client");

    if (g_hash_table_size (refusals->counts) >= COUNTED_MOST && !g_hash_table_contains (refusals->counts, name))
        return g_strdup ("others");
    return g_steal_pointer (&name);
}

void
refusals_tell (Refusals *refusals, const LogRefusal *refusal)
{
    gchar *name = whom (refusals, refusal);
    guint n = GPOINTER_TO_UINT (g_hash_table_lookup (refusals->counts, name)) + 1;

    g_hash_table_replace (refusals->counts, name, GUINT_TO_POINTER (n));
    if (refusals->timer == 0)
        refusals->timer = g_timeout_add_seconds (WINDOW_SECONDS, window_over, refusals);
    if (n <= TOLD_MOST)
        log_event_refused (refusal);
}
