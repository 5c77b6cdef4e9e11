/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The poller
 *
 * GMainContext waits with poll(2) over every descriptor it knows, and looks at every source, at each turn. The
 * poller shows it one source with one descriptor, an epoll set, so that a turn costs by what is ready and not by
 * what is open. It promises its users:
 *
 *  - A turn serves at most BATCH_EVENTS descriptors, then gives the loop back to D-Bus and everything else. The
 *    kernel hands ready descriptors out in rotation, so none starves.
 *  - A callback may remove any watch, its own too. The memory of a removed watch stays until the turn is over,
 *    because events that were fetched together with this one may still point to it.
 *  - smtp_poller_watch_wake () serves a watch once more in the next turn at the latest, before the loop waits. A
 *    channel sends what it has gathered that way.
 *
 * Deadlines lie on a wheel of one slot for each second: setting and clearing one, which happens with every command
 * of every session, relinks a list and makes no system call. A deadline further away than the wheel is long stays in
 * its slot for another round. The source asks the loop to be called for the first slot that is not empty, so that
 * a machine with nothing but idle sessions sleeps until one of them is due.
 *
 * A wake-up never runs in the turn that asked for it, or a watch that wakes itself each time could hold the loop.
 */

#include "smtp/poller.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Enough that the system call is shared by many, few enough that D-Bus waits for a millisecond at most. */
#define BATCH_EVENTS 128

/* More than the longest timeout of RFC 5321 4.5.3.2 (10 minutes), so that sessions need one round. */
#define WHEEL_SLOTS 1024

/* As much as one read takes: larger ones gain nothing, and one watch may not hold the others up for long. */
#define BUFFER_BYTES (64 * 1024)

struct _SmtpPollerWatch {
    SmtpPoller *poller;
    int fd;
    guint32 events;
    SmtpPollerReady ready;
    SmtpPollerExpired expired;
    gpointer user_data;

    gint64 deadline; /* a second of the monotonic clock; 0: none */
    SmtpPollerWatch *next_in_slot;
    SmtpPollerWatch **previous_in_slot; /* what points here: a slot, or a neighbour's next_in_slot */

    GList wake_link;
    GQueue *wake_queue; /* the one that wake_link is in, or NULL */
};

typedef struct {
    GSource source;
    SmtpPoller *poller; /* not a reference: the poller destroys its source */
} PollerSource;

struct _SmtpPoller {
    guint references;
    int epoll;
    GSource *source;
    gpointer epoll_tag;
    gchar *buffer;

    GQueue woken[2];    /* of SmtpPollerWatch: one is filled while the other is served */
    guint filling;      /* which of the two */
    GPtrArray *removed; /* of SmtpPollerWatch, freed when the turn is over */
    gboolean dispatching;

    SmtpPollerWatch *slots[WHEEL_SLOTS];
    SmtpPollerWatch *due; /* taken from the wheel, not yet called */
    guint n_deadlines;
    gint64 swept; /* the last second whose slot was served */
    gint64 alarm; /* the second that the source asked to be called at; 0: none */
};

static gint64
seconds_now (void)
{
    return g_get_monotonic_time () / G_USEC_PER_SEC;
}

static void
poller_set_alarm (SmtpPoller *poller, gint64 second)
{
    if (poller->alarm == second)
        return;

    poller->alarm = second;
    g_source_set_ready_time (poller->source, second > 0 ? second * G_USEC_PER_SEC : -1);
}

/* The first slot with a deadline, be it of this round or a later one. */
static void
poller_set_next_alarm (SmtpPoller *poller)
{
    if (poller->n_deadlines == 0) {
        poller_set_alarm (poller, 0);
        return;
    }

    for (gint64 second = poller->swept + 1; second <= poller->swept + WHEEL_SLOTS; second++) {
        if (poller->slots[second % WHEEL_SLOTS]) {
            poller_set_alarm (poller, second);
            return;
        }
    }
}

static void
watch_link (SmtpPollerWatch *watch, SmtpPollerWatch **list)
{
    watch->next_in_slot = *list;
    watch->previous_in_slot = list;
    if (*list)
        (*list)->previous_in_slot = &watch->next_in_slot;
    *list = watch;
}

static void
watch_unlink (SmtpPollerWatch *watch)
{
    *watch->previous_in_slot = watch->next_in_slot;
    if (watch->next_in_slot)
        watch->next_in_slot->previous_in_slot = watch->previous_in_slot;
}

static void
watch_clear_deadline (SmtpPollerWatch *watch)
{
    if (watch->deadline == 0)
        return;

    watch_unlink (watch);
    watch->deadline = 0;
    watch->poller->n_deadlines--;
}

/* The list of those due is linked like a slot, so that a callback that removes or moves one of them just unlinks it. */
static void
poller_collect_due (SmtpPoller *poller, gint64 now)
{
    gint64 last = MIN (now, poller->swept + WHEEL_SLOTS);

    for (gint64 second = poller->swept + 1; second <= last; second++) {
        SmtpPollerWatch *next;

        for (SmtpPollerWatch *watch = poller->slots[second % WHEEL_SLOTS]; watch; watch = next) {
            next = watch->next_in_slot;
            if (watch->deadline <= now) {
                watch_unlink (watch);
                watch_link (watch, &poller->due);
            }
        }
    }

    poller->swept = now;
}

static void
poller_run_deadlines (SmtpPoller *poller)
{
    gint64 now = seconds_now ();

    if (poller->alarm == 0 || now < poller->alarm)
        return;

    poller_collect_due (poller, now);
    while (poller->due) {
        SmtpPollerWatch *watch = poller->due;

        watch_clear_deadline (watch);
        if (watch->expired)
            watch->expired (watch->user_data);
    }

    poller_set_next_alarm (poller);
}

static void
poller_run_events (SmtpPoller *poller)
{
    struct epoll_event events[BATCH_EVENTS];
    int n = epoll_wait (poller->epoll, events, BATCH_EVENTS, 0);

    for (int i = 0; i < n; i++) {
        SmtpPollerWatch *watch = events[i].data.ptr;
        guint32 wanted = watch->events != 0 ? watch->events | EPOLLHUP | EPOLLERR : 0;

        /* An earlier callback of this batch may have lost interest in it, or removed it. */
        if (events[i].events & wanted)
            watch->ready (events[i].events & wanted, watch->user_data);
    }
}

static void
poller_run_woken (SmtpPoller *poller)
{
    GQueue *serving = &poller->woken[poller->filling];
    GList *link;

    poller->filling = !poller->filling;
    while ((link = g_queue_pop_head_link (serving))) {
        SmtpPollerWatch *watch = link->data;

        watch->wake_queue = NULL;
        watch->ready (0, watch->user_data);
    }
}

static gboolean
poller_is_woken (const SmtpPoller *poller)
{
    return poller->woken[poller->filling].length > 0;
}

static gboolean
poller_source_prepare (GSource *source, gint *timeout)
{
    *timeout = -1;
    return poller_is_woken (((PollerSource *) source)->poller);
}

static gboolean
poller_source_check (GSource *source)
{
    SmtpPoller *poller = ((PollerSource *) source)->poller;

    return poller_is_woken (poller) || g_source_query_unix_fd (source, poller->epoll_tag) != 0;
}

static gboolean
poller_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
    SmtpPoller *poller = smtp_poller_ref (((PollerSource *) source)->poller);

    poller->dispatching = TRUE;
    if (g_source_query_unix_fd (source, poller->epoll_tag) != 0)
        poller_run_events (poller);
    poller_run_woken (poller);
    poller_run_deadlines (poller);
    poller->dispatching = FALSE;

    g_ptr_array_set_size (poller->removed, 0);
    smtp_poller_unref (poller);

    return G_SOURCE_CONTINUE;
}

static GSourceFuncs poller_source_functions = {
    .prepare = poller_source_prepare,
    .check = poller_source_check,
    .dispatch = poller_source_dispatch,
};

static void
watch_free (gpointer data)
{
    SmtpPollerWatch *watch = data;
    SmtpPoller *poller = watch->poller;

    g_free (watch);
    smtp_poller_unref (poller);
}

SmtpPoller *
smtp_poller_new (GMainContext *context, GError **error)
{
    SmtpPoller *poller;
    int epoll = epoll_create1 (EPOLL_CLOEXEC);

    if (epoll < 0) {
        g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "cannot make an epoll descriptor: %s",
                     g_strerror (errno));
        return NULL;
    }

    poller = g_new0 (SmtpPoller, 1);
    poller->references = 1;
    poller->epoll = epoll;
    poller->buffer = g_malloc (BUFFER_BYTES);
    poller->removed = g_ptr_array_new_with_free_func (watch_free);
    poller->swept = seconds_now ();

    poller->source = g_source_new (&poller_source_functions, sizeof (PollerSource));
    ((PollerSource *) poller->source)->poller = poller;
    g_source_set_static_name (poller->source, "SMTP poller");
    poller->epoll_tag = g_source_add_unix_fd (poller->source, epoll, G_IO_IN);

    /* Nobody runs the loop inside a callback of ours. Without this GLib takes the descriptor out of the loop for each
     * dispatch and puts it back, and wakes the loop for nothing both times. */
    g_source_set_can_recurse (poller->source, TRUE);
    g_source_attach (poller->source, context);

    return poller;
}

SmtpPoller *
smtp_poller_ref (SmtpPoller *poller)
{
    poller->references++;
    return poller;
}

void
smtp_poller_unref (SmtpPoller *poller)
{
    if (--poller->references > 0)
        return;

    g_source_destroy (poller->source);
    g_source_unref (poller->source);
    g_ptr_array_unref (poller->removed);
    g_free (poller->buffer);
    close (poller->epoll);
    g_free (poller);
}

gchar *
smtp_poller_buffer (SmtpPoller *poller, gsize *size)
{
    *size = BUFFER_BYTES;
    return poller->buffer;
}

/* A descriptor without events is taken out of the set, because epoll reports EPOLLHUP and EPOLLERR in any case. */
static gboolean
watch_apply_events (SmtpPollerWatch *watch, guint32 events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int operation;

    if (watch->events == events)
        return TRUE;

    if (events == 0)
        operation = EPOLL_CTL_DEL;
    else if (watch->events == 0)
        operation = EPOLL_CTL_ADD;
    else
        operation = EPOLL_CTL_MOD;

    if (epoll_ctl (watch->poller->epoll, operation, watch->fd, &event) < 0)
        return FALSE;

    watch->events = events;
    return TRUE;
}

SmtpPollerWatch *
smtp_poller_add (SmtpPoller *poller, int fd, guint32 events, SmtpPollerReady ready, SmtpPollerExpired expired,
                 gpointer user_data, GError **error)
{
    SmtpPollerWatch *watch;

    g_return_val_if_fail (fd >= 0 && ready, NULL);

    watch = g_new0 (SmtpPollerWatch, 1);
    watch->poller = smtp_poller_ref (poller);
    watch->fd = fd;
    watch->ready = ready;
    watch->expired = expired;
    watch->user_data = user_data;

    if (!watch_apply_events (watch, events)) {
        g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "cannot watch the descriptor %d: %s", fd,
                     g_strerror (errno));
        watch_free (watch);
        return NULL;
    }

    return watch;
}

void
smtp_poller_watch_set_events (SmtpPollerWatch *watch, guint32 events)
{
    if (!watch_apply_events (watch, events))
        g_warning ("cannot change what is watched of the descriptor %d: %s", watch->fd, g_strerror (errno));
}

void
smtp_poller_watch_wake (SmtpPollerWatch *watch)
{
    if (watch->wake_queue)
        return;

    watch->wake_queue = &watch->poller->woken[watch->poller->filling];
    watch->wake_link.data = watch;
    g_queue_push_tail_link (watch->wake_queue, &watch->wake_link);
}

void
smtp_poller_watch_set_deadline (SmtpPollerWatch *watch, guint seconds)
{
    SmtpPoller *poller = watch->poller;

    watch_clear_deadline (watch);
    if (seconds == 0)
        return;

    /* One more, because this second has begun already. */
    watch->deadline = seconds_now () + seconds + 1;
    watch_link (watch, &poller->slots[watch->deadline % WHEEL_SLOTS]);

    /* Nobody has swept the wheel while it was empty. */
    if (poller->n_deadlines++ == 0)
        poller->swept = MAX (poller->swept, seconds_now ());
    if (poller->alarm == 0 || watch->deadline < poller->alarm)
        poller_set_alarm (poller, watch->deadline);
}

void
smtp_poller_watch_remove (SmtpPollerWatch *watch)
{
    watch_clear_deadline (watch);
    if (watch->wake_queue)
        g_queue_unlink (watch->wake_queue, &watch->wake_link);
    smtp_poller_watch_set_events (watch, 0);

    if (watch->poller->dispatching)
        g_ptr_array_add (watch->poller->removed, watch);
    else
        watch_free (watch);
}
