/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Shares
 *
 * Messages and bytes are of what is in the queue or on its way there, so that many sessions at once do not pass a limit
 * together. The rate is kept by one number a user, the time at which all that was handed in would have been allowed if it
 * had come evenly: it may run ahead of the clock by as much as the whole allowance, so that this many messages may come at
 * once, and after that one whenever a part of the period is over. It is not kept across a restart.
 *
 * All of whom nothing is known, because they are on other machines, are one user here. The relay's own notices are nobody's.
 */

#include "queue/share.h"

#include "queue/record.h"

typedef struct {
    guint64 messages;
    guint64 bytes;
    gint64 even_usec; /* monotonic */
} Share;

struct _QueueShares {
    GHashTable *by_uid; /* of Share */
};

QueueShares *
queue_shares_new (void)
{
    QueueShares *shares = g_new0 (QueueShares, 1);

    shares->by_uid = g_hash_table_new_full (NULL, NULL, NULL, g_free);

    return shares;
}

void
queue_shares_free (QueueShares *shares)
{
    g_hash_table_unref (shares->by_uid);
    g_free (shares);
}

static Share *
find (QueueShares *shares, gint64 uid)
{
    return g_hash_table_lookup (shares->by_uid, GUINT_TO_POINTER ((guint32) uid));
}

static Share *
get (QueueShares *shares, gint64 uid)
{
    Share *share = find (shares, uid);

    if (share != NULL)
        return share;
    share = g_new0 (Share, 1);
    g_hash_table_insert (shares->by_uid, GUINT_TO_POINTER ((guint32) uid), share);

    return share;
}

void
queue_shares_count (QueueShares *shares, gint64 uid, guint64 bytes, gint by)
{
    Share *share;

    if (uid == QUEUE_UID_RELAY)
        return;
    share = get (shares, uid);
    share->messages += by;
    share->bytes += by < 0 ? -bytes : bytes;

    /* A user who has nothing left is forgotten, unless the rate is to be remembered. */
    if (share->messages == 0 && share->even_usec <= g_get_monotonic_time ())
        g_hash_table_remove (shares->by_uid, GUINT_TO_POINTER ((guint32) uid));
}

void
queue_shares_add (QueueShares *shares, const QueueShares *more)
{
    GHashTableIter iter;
    gpointer uid, value;

    g_hash_table_iter_init (&iter, more->by_uid);
    while (g_hash_table_iter_next (&iter, &uid, &value)) {
        const Share *other = value;
        Share *share = get (shares, GPOINTER_TO_UINT (uid));

        share->messages += other->messages;
        share->bytes += other->bytes;
    }
}

/* Returns: (transfer full): "user 1000 has" */
static gchar *
name_of (gint64 uid)
{
    return uid >= 0 ? g_strdup_printf ("user %" G_GINT64_FORMAT " has", uid)
                    : g_strdup ("clients that no user of this machine is known for have together");
}

static gint64
usec_each (const QueueRate *rate)
{
    return (gint64) rate->seconds * G_USEC_PER_SEC / rate->messages;
}

/* Where the user would be with one more message. */
static gint64
even_after (const Share *share, const QueueRate *rate, gint64 now_usec)
{
    return MAX (share->even_usec, now_usec) + usec_each (rate);
}

static gboolean
rate_allows (const Share *share, const QueueRate *rate, gint64 uid, gint64 now_usec, GError **error)
{
    g_autofree gchar *name = NULL;
    gint64 ahead_usec;

    if (rate->messages == 0)
        return TRUE;

    /* What a division left over does not count against the last one. */
    ahead_usec = even_after (share, rate, now_usec) - now_usec - (gint64) rate->seconds * G_USEC_PER_SEC;
    if (ahead_usec <= 0)
        return TRUE;
    name = name_of (uid);
    g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_RATE,
                 "%s sent the %u messages that are allowed in %u seconds; the next may come in "
                 "%" G_GINT64_FORMAT " seconds",
                 name, rate->messages, rate->seconds, ahead_usec / G_USEC_PER_SEC + 1);

    return FALSE;
}

gboolean
queue_shares_allow (QueueShares *shares, const QueueLimits *limits, gint64 uid, guint64 bytes, gint64 now_usec,
                    GError **error)
{
    const Share nothing = {0};
    const Share *share = find (shares, uid);
    g_autofree gchar *name = NULL;

    if (uid == QUEUE_UID_RELAY)
        return TRUE;
    if (share == NULL)
        share = &nothing;
    if (limits->user_messages_most != 0 && share->messages >= limits->user_messages_most) {
        name = name_of (uid);
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT, "%s %" G_GUINT64_FORMAT " messages in the queue", name,
                     share->messages);
        return FALSE;
    }
    if (limits->user_bytes_most != 0 &&
        (share->bytes > limits->user_bytes_most || bytes > limits->user_bytes_most - share->bytes)) {
        name = name_of (uid);
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT,
                     "%s %" G_GUINT64_FORMAT " bytes in the queue, and may have %" G_GUINT64_FORMAT, name,
                     share->bytes, limits->user_bytes_most);
        return FALSE;
    }

    return rate_allows (share, &limits->user_rate, uid, now_usec, error);
}

void
queue_shares_spend (QueueShares *shares, const QueueLimits *limits, gint64 uid, gint64 now_usec)
{
    Share *share;

    if (uid == QUEUE_UID_RELAY || limits->user_rate.messages == 0)
        return;
    share = get (shares, uid);
    share->even_usec = even_after (share, &limits->user_rate, now_usec);
}
