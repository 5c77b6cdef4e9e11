/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The status line
 *
 * One line for a person who asks how the relay is doing: what waits, and everything that is not as it should be. What is
 * well is not mentioned.
 */

#include "status-line.h"

static guint
count_remotes_down (const GArray *remotes)
{
    guint down = 0;

    for (guint i = 0; i < remotes->len; i++)
        if (g_array_index (remotes, DeliveryRemoteInfo, i).state == DELIVERY_REMOTE_DOWN)
            down++;

    return down;
}

static void
append_queue (GString *text, const QueueStatistics *statistics)
{
    guint64 deferred = statistics->by_state[QUEUE_STATE_DEFERRED];
    guint64 held = statistics->by_state[QUEUE_STATE_HELD];

    g_string_append_printf (text, "%" G_GUINT64_FORMAT " message%s queued", statistics->messages,
                            statistics->messages == 1 ? "" : "s");
    if (deferred > 0 && held > 0)
        g_string_append_printf (text, " (%" G_GUINT64_FORMAT " deferred, %" G_GUINT64_FORMAT " held)", deferred,
                                held);
    else if (deferred > 0)
        g_string_append_printf (text, " (%" G_GUINT64_FORMAT " deferred)", deferred);
    else if (held > 0)
        g_string_append_printf (text, " (%" G_GUINT64_FORMAT " held)", held);
}

void
status_line_append_configuration (GString *text, const gchar *problems, const gchar *consequence)
{
    g_auto (GStrv) lines = g_strsplit (problems != NULL ? problems : "", "\n", -1);
    guint n = g_strv_length (lines);

    if (n == 0)
        return;

    g_string_append_printf (text, "bad configuration: %s", lines[0]);
    if (n > 1)
        g_string_append_printf (text, " (and %u more, in the journal)", n - 1);
    g_string_append_printf (text, "; %s; correct it, then: systemctl reload postern. ", consequence);
}

void
status_line_append (GString *text, Queue *queue, Delivery *delivery)
{
    g_autoptr (GArray) remotes = delivery_remotes (delivery);
    guint down = count_remotes_down (remotes);
    QueueStatistics statistics;

    queue_statistics (queue, &statistics);
    append_queue (text, &statistics);
    if (statistics.indexing)
        g_string_append (text, ", reading the queue of before the start");
    if (down > 0)
        g_string_append_printf (text, ", %u smarthost%s down", down, down == 1 ? "" : "s");
    if (remotes->len == 0)
        g_string_append (text, ", no smarthost configured");
    if (delivery_is_paused (delivery))
        g_string_append (text, ", deliveries paused");
    if (delivery_is_restrained (delivery))
        g_string_append (text, ", waiting for a connection that is not metered");
    if (!delivery_is_online (delivery))
        g_string_append (text, ", no network");
    if (statistics.trouble != NULL)
        g_string_append_printf (text, ", %s: %s", statistics.indexing ? "in trouble" : "accepting no mail",
                                statistics.trouble->message);
}
