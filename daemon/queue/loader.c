/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The loader
 *
 * Reads what is not in memory any more, apart from the writer, so that a delivery never waits behind a sync. Where a
 * part lies is looked up when it is asked for; the request holds the generations, so that the sealer may move the part
 * and remove the file meanwhile. One thread, since a GDBM file may be used by one only; requests are served in turn,
 * and those that ask for many messages are kept short by their callers.
 */

#include <pthread.h>

#include "queue/loader.h"
#include "queue/queue.h"
#include "queue/snapshot.h"

/* One part to read. */
typedef struct {
    QueueGeneration *generation; /* (nullable): it is gone, or the part never was there */
    QueuePlace place;
    QueuePart part;
    guint32 number;
} Piece;

typedef struct _Request Request;
struct _Request {
    void (*run) (Request *request);
    void (*done) (Request *request); /* (nullable): on the main thread */

    GArray *loaded; /* of QueueLoaded */
    GArray *pieces; /* of Piece: for each message, its record and then the segments of its state */
    QueueId id;     /* of a chunk */
    GBytes *piece;
    GError *error;
    QueueGeneration *release;

    QueueLoadedFunc messages_func;
    QueueChunkFunc chunk_func;
    gpointer user_data;
};

struct _QueueLoader {
    QueueCatalog *catalog;
    QueueMailbox *mailbox;
    GThread *thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    GQueue requests; /* of Request; guarded by the lock */
    gboolean stopping;
};

static void
piece_clear (gpointer data)
{
    g_clear_pointer (&((Piece *) data)->generation, queue_generation_unref);
}

static void
loaded_clear (gpointer data)
{
    QueueLoaded *loaded = data;

    g_clear_pointer (&loaded->message, queue_message_unref);
    g_clear_error (&loaded->error);
}

static Request *
request_new (void (*run) (Request *request))
{
    Request *request = g_new0 (Request, 1);

    request->run = run;
    request->pieces = g_array_new (FALSE, FALSE, sizeof (Piece));
    g_array_set_clear_func (request->pieces, piece_clear);
    request->loaded = g_array_new (FALSE, FALSE, sizeof (QueueLoaded));
    g_array_set_clear_func (request->loaded, loaded_clear);

    return request;
}

static void
request_free (Request *request)
{
    g_array_unref (request->pieces);
    g_array_unref (request->loaded);
    g_clear_pointer (&request->piece, g_bytes_unref);
    g_clear_error (&request->error);
    g_free (request);
}

static void
request_done (gpointer data, gpointer user_data)
{
    Request *request = data;

    request->done (request);
    request_free (request);
}

static void
push_request (QueueLoader *loader, Request *request)
{
    pthread_mutex_lock (&loader->lock);
    g_queue_push_tail (&loader->requests, request);
    pthread_cond_signal (&loader->wake);
    pthread_mutex_unlock (&loader->lock);
}

/* Waits for it. Returns: NULL when there will be none */
static Request *
next_request (QueueLoader *loader, gboolean *stopping)
{
    Request *request;

    pthread_mutex_lock (&loader->lock);
    while (g_queue_is_empty (&loader->requests) && !loader->stopping)
        pthread_cond_wait (&loader->wake, &loader->lock);
    request = g_queue_pop_head (&loader->requests);
    *stopping = loader->stopping;
    pthread_mutex_unlock (&loader->lock);

    return request;
}

static gpointer
loader_thread (gpointer data)
{
    QueueLoader *loader = data;

    for (;;) {
        gboolean stopping;
        Request *request = next_request (loader, &stopping);

        if (request == NULL)
            return NULL;
        if (stopping)
            g_set_error_literal (&request->error, QUEUE_ERROR, QUEUE_ERROR_GONE, "the queue is being closed");
        request->run (request);

        /* Generations are let go here, where their files were opened. */
        g_array_set_size (request->pieces, 0);
        if (request->done != NULL)
            queue_mailbox_post (loader->mailbox, request_done, request, NULL);
        else
            request_free (request);
    }
}

static GBytes *
read_piece (const Piece *piece, QueueId id, GError **error)
{
    if (piece->generation == NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "a part of the message is in no generation");
        return NULL;
    }

    return queue_generation_read (piece->generation, &piece->place, piece->part, id, piece->number, error);
}

/* Reads one message, whose pieces begin at *@next, and moves *@next behind them. */
static QueueMessage *
read_message (GArray *pieces, guint *next, const QueueLoaded *loaded, GError **error)
{
    const Piece *piece = &g_array_index (pieces, Piece, (*next)++);
    QueueId id = loaded->id;
    g_autoptr (GBytes) payload = read_piece (piece, id, error);
    g_autoptr (QueueMessage) message = NULL;
    QueueHead head;
    QueueSummary summary;
    gboolean good;

    if (payload != NULL) {
        message = queue_record_read_message (payload, id, &head, &summary);
        if (message == NULL)
            g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED,
                                 "the message's record cannot be understood");
    }
    good = message != NULL;
    for (; *next < pieces->len; (*next)++) {
        g_autoptr (GBytes) state = NULL;

        piece = &g_array_index (pieces, Piece, *next);
        if (piece->part != QUEUE_PART_STATE)
            break;
        if (!good)
            continue;
        state = read_piece (piece, id, error);
        good = state != NULL && queue_record_apply_state (state, piece->number, message);
        if (state != NULL && !good)
            g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "the state of its recipients is damaged");
    }
    if (good && !queue_record_fits_head (message, &loaded->head)) {
        g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "the state of its recipients is lost");
        return NULL;
    }

    return good ? g_steal_pointer (&message) : NULL;
}

static void
run_messages (Request *request)
{
    guint next = 0;

    for (guint i = 0; i < request->loaded->len; i++) {
        QueueLoaded *loaded = &g_array_index (request->loaded, QueueLoaded, i);

        if (request->error != NULL)
            loaded->error = g_error_copy (request->error);
        else
            loaded->message = read_message (request->pieces, &next, loaded, &loaded->error);
    }
}

static void
done_messages (Request *request)
{
    request->messages_func (request->loaded, request->user_data);
}

static void
run_chunk (Request *request)
{
    if (request->error == NULL)
        request->piece = read_piece (&g_array_index (request->pieces, Piece, 0), request->id, &request->error);
}

static void
done_chunk (Request *request)
{
    request->chunk_func (request->piece, request->error, request->user_data);
}

static void
run_release (Request *request)
{
    queue_generation_unref (request->release);
}

QueueLoader *
queue_loader_new (QueueCatalog *catalog, QueueMailbox *mailbox)
{
    QueueLoader *loader = g_new0 (QueueLoader, 1);

    loader->catalog = catalog;
    loader->mailbox = mailbox;
    pthread_mutex_init (&loader->lock, NULL);
    pthread_cond_init (&loader->wake, NULL);
    g_queue_init (&loader->requests);
    loader->thread = g_thread_new ("queue-loader", loader_thread, loader);

    return loader;
}

void
queue_loader_stop (QueueLoader *loader)
{
    pthread_mutex_lock (&loader->lock);
    loader->stopping = TRUE;
    pthread_cond_signal (&loader->wake);
    pthread_mutex_unlock (&loader->lock);
    g_thread_join (g_steal_pointer (&loader->thread));
}

void
queue_loader_free (QueueLoader *loader)
{
    pthread_mutex_destroy (&loader->lock);
    pthread_cond_destroy (&loader->wake);
    g_free (loader);
}

/* With the catalog locked. */
static void
add_piece (QueueLoader *loader, Request *request, const QueuePlace *place, QueuePart part, guint32 number)
{
    QueueGeneration *generation = queue_catalog_generation (loader->catalog, place->generation);
    const Piece piece = {.generation = generation == NULL ? NULL : queue_generation_ref (generation),
                         .place = *place,
                         .part = part,
                         .number = number};

    g_array_append_val (request->pieces, piece);
}

void
queue_loader_messages (QueueLoader *loader, GPtrArray *entries, QueueLoadedFunc loaded_func, gpointer user_data)
{
    Request *request = request_new (run_messages);

    request->done = done_messages;
    request->messages_func = loaded_func;
    request->user_data = user_data;
    queue_catalog_lock (loader->catalog);
    for (guint i = 0; i < entries->len; i++) {
        QueueEntry *entry = g_ptr_array_index (entries, i);
        const QueueLoaded loaded = {.id = entry->id, .head = entry->head};

        g_array_append_val (request->loaded, loaded);
        add_piece (loader, request, &entry->message, QUEUE_PART_MESSAGE, 0);
        for (guint j = 0; j < queue_record_segments (entry->n_recipients); j++) {
            const QueuePlace *state = queue_entry_state (entry, j);

            if (state->generation != 0)
                add_piece (loader, request, state, QUEUE_PART_STATE, j);
        }
    }
    queue_catalog_unlock (loader->catalog);
    push_request (loader, request);
}

void
queue_loader_chunk (QueueLoader *loader, QueueEntry *entry, guint chunk, QueueChunkFunc done, gpointer user_data)
{
    Request *request = request_new (run_chunk);

    request->done = done_chunk;
    request->chunk_func = done;
    request->user_data = user_data;
    request->id = entry->id;
    queue_catalog_lock (loader->catalog);
    add_piece (loader, request, queue_entry_chunk (entry, chunk), QUEUE_PART_CONTENT, chunk);
    queue_catalog_unlock (loader->catalog);
    push_request (loader, request);
}

void
queue_loader_release (QueueLoader *loader, QueueGeneration *generation)
{
    Request *request = request_new (run_release);

    request->release = generation;
    push_request (loader, request);
}
