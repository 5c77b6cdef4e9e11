/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Over many messages
 *
 * A listing, a bulk action and the sorting into lanes all go over the messages in the order of their ids, from a cursor,
 * in slices between which the main loop serves everybody else. What the index knows decides first: state, age and user
 * exactly; sender, recipients and remote by hashes, which let through all that match and few others. Only what is left
 * is read from the disk, some dozens at a time, and compared exactly.
 */

#include <string.h>

#include "message/address.h"
#include "queue/bytes.h"
#include "queue/queue-private.h"

/* A slice looks at so many messages in the index (some 100 µs), or hands on so many (a millisecond or two). */
#define SLICE_LOOKED_AT 2048
#define SLICE_MATCHES   64

typedef struct {
    GArray *ids; /* (nullable) of QueueId, in order */
    gint state;
    gint64 uid;
    gint64 before_usec;
    gchar *sender;    /* (nullable) */
    gchar *recipient; /* (nullable) */
    gchar *domain;    /* (nullable) */
    gchar *remote;    /* (nullable) */
    guint32 sender_hash;
    guint32 remote_hash;
    guint64 bits;
} Filter;

/* A message that matches as far as the index knows. */
typedef struct {
    QueueId id;
    QueueMessage *core; /* (nullable) until it is read, or if it cannot be */
    QueueHead head;     /* as it was when reading was asked for: to see whether it changed meanwhile */
} Candidate;

struct _QueueSweep {
    Queue *queue;
    Filter filter;
    QueueSweepFuncs funcs;
    gpointer user_data;
    QueueId cursor;     /* the last one looked at */
    QueueId last;       /* what arrives after the start is not met */
    guint position;     /* in the filter's ids */
    GArray *candidates; /* of Candidate: of this slice */
    gboolean at_end;    /* there is nothing behind the cursor */
    guint idle;         /* source */
    guint held;         /* it must not be freed: it is being worked on, or read for */
    gboolean stopped;
};

static gint
compare_ids (gconstpointer a, gconstpointer b)
{
    QueueId left = *(const QueueId *) a, right = *(const QueueId *) b;

    return left < right ? -1 : left > right;
}

/* As canonical addresses have it, or the hash would miss it. @address: (nullable) */
static void
lower_domain (gchar *address)
{
    gchar *domain = address == NULL ? NULL : strrchr (address, '@');

    for (; domain != NULL && *domain != '\0'; domain++)
        *domain = g_ascii_tolower (*domain);
}

static void
filter_init (Filter *filter, const QueueFilter *from)
{
    g_autofree gchar *domain = from->domain == NULL ? NULL : g_ascii_strdown (from->domain, -1);

    filter->state = from->state;
    filter->uid = from->uid;
    filter->before_usec = from->before_usec;
    filter->sender = g_strdup (from->sender);
    filter->recipient = g_strdup (from->recipient);
    filter->domain = g_steal_pointer (&domain);
    filter->remote = g_strdup (from->remote);
    filter->sender_hash = queue_bytes_hash_text (from->sender);
    filter->remote_hash = queue_bytes_hash_text (from->remote);
    lower_domain (filter->recipient);
    if (filter->recipient != NULL)
        filter->bits |= queue_record_bits (filter->recipient);
    if (filter->domain != NULL)
        filter->bits |= queue_record_bits (filter->domain);
    if (from->ids != NULL) {
        filter->ids = g_array_new (FALSE, FALSE, sizeof (QueueId));
        g_array_append_vals (filter->ids, from->ids, from->n_ids);
        g_array_sort (filter->ids, compare_ids);
    }
}

static void
filter_clear (Filter *filter)
{
    g_clear_pointer (&filter->ids, g_array_unref);
    g_free (filter->sender);
    g_free (filter->recipient);
    g_free (filter->domain);
    g_free (filter->remote);
}

/* Whether the message may match, by what the index knows. */
static gboolean
filter_lets_pass (const Filter *filter, const QueueEntry *entry)
{
    if (filter->state >= 0 && queue_entry_shown_state (entry) != (QueueState) filter->state)
        return FALSE;
    if (filter->uid >= 0 && queue_entry_uid (entry) != filter->uid)
        return FALSE;
    if (filter->before_usec > 0 && entry->arrival_usec >= filter->before_usec)
        return FALSE;
    if (filter->sender != NULL && entry->sender != filter->sender_hash)
        return FALSE;
    if (filter->remote != NULL && entry->head.remote != filter->remote_hash)
        return FALSE;

    return (entry->head.recipients & filter->bits) == filter->bits;
}

/* Whether the message itself has to be compared. */
static gboolean
filter_needs_message (const Filter *filter)
{
    return filter->sender != NULL || filter->recipient != NULL || filter->domain != NULL || filter->remote != NULL;
}

static gboolean
recipient_matches (const Filter *filter, const QueueMessage *core, guint index)
{
    const gchar *address = message_envelope_recipient (core->envelope, index)->address;
    const gchar *domain = message_address_domain (address);

    if (queue_message_recipient (core, index)->state != QUEUE_RECIPIENT_PENDING)
        return FALSE;
    if (filter->recipient != NULL && !message_address_equal (filter->recipient, address))
        return FALSE;

    return filter->domain == NULL || (domain != NULL && g_ascii_strcasecmp (filter->domain, domain) == 0);
}

/* The remote that was tried last. (nullable) */
static const gchar *
last_remote (const QueueMessage *core)
{
    const QueueRecipient *last = NULL;

    for (guint i = 0; i < core->recipients->len; i++) {
        const QueueRecipient *recipient = queue_message_recipient (core, i);

        if (recipient->remote != NULL && (last == NULL || recipient->last_usec >= last->last_usec))
            last = recipient;
    }

    return last == NULL ? NULL : last->remote;
}

static gboolean
filter_matches (const Filter *filter, const QueueMessage *core)
{
    if (filter->sender != NULL && strcmp (filter->sender, core->envelope->sender) != 0)
        return FALSE;
    if (filter->remote != NULL && g_strcmp0 (filter->remote, last_remote (core)) != 0)
        return FALSE;
    if (filter->recipient == NULL && filter->domain == NULL)
        return TRUE;
    for (guint i = 0; i < core->recipients->len; i++) {
        if (recipient_matches (filter, core, i))
            return TRUE;
    }

    return FALSE;
}

/* ---- The sweep ---- */

static void
candidate_clear (gpointer data)
{
    g_clear_pointer (&((Candidate *) data)->core, queue_message_unref);
}

static void
release (QueueSweep *sweep)
{
    if (sweep->held > 0 || !sweep->stopped)
        return;
    filter_clear (&sweep->filter);
    g_array_unref (sweep->candidates);
    g_free (sweep);
}

static void
end_sweep (QueueSweep *sweep, QueueId next)
{
    if (sweep->stopped)
        return;
    sweep->stopped = TRUE;
    g_ptr_array_remove_fast (sweep->queue->sweeps, sweep);
    if (sweep->idle != 0)
        g_source_destroy (g_main_context_find_source_by_id (sweep->queue->context, sweep->idle));
    sweep->idle = 0;
    if (sweep->funcs.slice != NULL)
        sweep->funcs.slice (sweep->user_data);
    sweep->funcs.done (next, sweep->user_data);
}

/* The next entry that the filter asks for at all. (nullable) */
static QueueEntry *
next_entry (QueueSweep *sweep)
{
    const GArray *ids = sweep->filter.ids;
    QueueEntry *entry = NULL;

    if (ids == NULL) {
        entry = queue_index_after (sweep->queue->index, sweep->cursor);
    } else {
        while (entry == NULL && sweep->position < ids->len) {
            QueueId id = g_array_index (ids, QueueId, sweep->position++);

            if (id > sweep->cursor)
                entry = queue_index_find (sweep->queue->index, id);
        }
    }

    return entry == NULL || entry->id > sweep->last ? NULL : entry;
}

/* The message if it is in memory. (nullable) (transfer none) */
static QueueMessage *
known_message (Queue *queue, const QueueEntry *entry)
{
    const QueueWork *work = queue_work_find (queue, entry);

    return work != NULL && work->core != NULL ? work->core : queue_cache_message (queue->cache, entry->id);
}

static void
visit (QueueSweep *sweep, QueueEntry *entry, QueueMessage *core)
{
    if (core == NULL && filter_needs_message (&sweep->filter))
        return;
    if (core != NULL && !filter_matches (&sweep->filter, core))
        return;
    if (!sweep->funcs.visit (entry, core, sweep->user_data))
        end_sweep (sweep, entry->id);
}

static void
add_candidate (QueueSweep *sweep, const QueueEntry *entry)
{
    QueueMessage *known = known_message (sweep->queue, entry);
    const Candidate candidate = {
        .id = entry->id, .core = known == NULL ? NULL : queue_message_ref (known), .head = entry->head};

    g_array_append_val (sweep->candidates, candidate);
}

/* Looks for what matches. Visits it at once if the message itself is not needed. */
static void
look (QueueSweep *sweep)
{
    gboolean load = sweep->funcs.load || filter_needs_message (&sweep->filter);

    for (guint i = 0; i < SLICE_LOOKED_AT && sweep->candidates->len < SLICE_MATCHES && !sweep->stopped; i++) {
        QueueEntry *entry = next_entry (sweep);

        sweep->at_end = entry == NULL;
        if (entry == NULL)
            return;
        sweep->cursor = entry->id;
        if (!filter_lets_pass (&sweep->filter, entry))
            continue;
        if (load)
            add_candidate (sweep, entry);
        else
            visit (sweep, entry, NULL);
    }
}

/* What was read for a candidate is of no use if the message changed meanwhile. */
static gboolean
is_current (const Candidate *candidate, const QueueEntry *entry)
{
    return memcmp (&candidate->head, &entry->head, sizeof candidate->head) == 0;
}

static gboolean slice (gpointer user_data);

static void
schedule (QueueSweep *sweep)
{
    g_autoptr (GSource) source = g_idle_source_new ();

    /* Above other idle work, below whatever serves a session or a delivery. */
    g_source_set_priority (source, G_PRIORITY_HIGH_IDLE);
    g_source_set_callback (source, slice, sweep, NULL);
    sweep->idle = g_source_attach (source, sweep->queue->context);
}

static void
visit_candidates (QueueSweep *sweep)
{
    for (guint i = 0; i < sweep->candidates->len && !sweep->stopped; i++) {
        const Candidate *candidate = &g_array_index (sweep->candidates, Candidate, i);
        QueueEntry *entry = queue_index_find (sweep->queue->index, candidate->id);
        QueueMessage *core = candidate->core;

        if (entry == NULL)
            continue;
        if (!is_current (candidate, entry))
            core = known_message (sweep->queue, entry);
        if (filter_lets_pass (&sweep->filter, entry))
            visit (sweep, entry, core);
    }
    g_array_set_size (sweep->candidates, 0);
}

/* After a slice: the next one, or the end. */
static void
go_on (QueueSweep *sweep)
{
    if (sweep->stopped)
        return;
    if (sweep->at_end) {
        end_sweep (sweep, 0);
        return;
    }
    if (sweep->funcs.slice != NULL)
        sweep->funcs.slice (sweep->user_data);
    schedule (sweep);
}

static void
candidates_loaded (GArray *loaded, gpointer user_data)
{
    QueueSweep *sweep = user_data;
    guint next = 0;

    for (guint i = 0; i < sweep->candidates->len && !sweep->stopped; i++) {
        Candidate *candidate = &g_array_index (sweep->candidates, Candidate, i);
        QueueLoaded *there;
        QueueEntry *entry;

        if (candidate->core != NULL)
            continue;
        there = &g_array_index (loaded, QueueLoaded, next++);
        candidate->core = g_steal_pointer (&there->message);
        entry = queue_index_find (sweep->queue->index, candidate->id);
        if (entry != NULL && candidate->core == NULL && is_current (candidate, entry) &&
            g_error_matches (there->error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED))
            queue_set_damaged (sweep->queue, entry, there->error);
    }
    if (!sweep->stopped)
        visit_candidates (sweep);
    go_on (sweep);
    sweep->held--;
    release (sweep);
}

/* Returns: whether something had to be read, which goes on later. */
static gboolean
load_candidates (QueueSweep *sweep)
{
    g_autoptr (GPtrArray) entries = g_ptr_array_new ();

    for (guint i = 0; i < sweep->candidates->len; i++) {
        const Candidate *candidate = &g_array_index (sweep->candidates, Candidate, i);

        if (candidate->core == NULL)
            g_ptr_array_add (entries, queue_index_find (sweep->queue->index, candidate->id));
    }
    if (entries->len == 0)
        return FALSE;
    sweep->held++;
    queue_loader_messages (sweep->queue->loader, entries, candidates_loaded, sweep);

    return TRUE;
}

static gboolean
slice (gpointer user_data)
{
    QueueSweep *sweep = user_data;

    sweep->idle = 0;
    sweep->held++;
    look (sweep);
    if (sweep->stopped || !load_candidates (sweep)) {
        visit_candidates (sweep);
        go_on (sweep);
    }
    sweep->held--;
    release (sweep);

    return G_SOURCE_REMOVE;
}

QueueSweep *
queue_sweep_start (Queue *queue, const QueueFilter *filter, QueueId after, const QueueSweepFuncs *funcs,
                   gpointer user_data)
{
    QueueSweep *sweep = g_new0 (QueueSweep, 1);
    gboolean over;

    sweep->queue = queue;
    filter_init (&sweep->filter, filter);
    sweep->funcs = *funcs;
    sweep->user_data = user_data;
    sweep->cursor = after;
    sweep->last = queue->last_id;
    sweep->candidates = g_array_new (FALSE, FALSE, sizeof (Candidate));
    g_array_set_clear_func (sweep->candidates, candidate_clear);
    g_ptr_array_add (queue->sweeps, sweep);

    sweep->held++;
    slice (sweep);
    sweep->held--;
    over = sweep->stopped;
    release (sweep);

    return over ? NULL : sweep;
}

void
queue_sweep_stop (Queue *queue, QueueSweep *sweep)
{
    end_sweep (sweep, 0);
    release (sweep);
}
