/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The mailbox
 *
 * A GSource whose ready time is set from the threads. The main loop is woken when the mailbox was empty; what is posted
 * until it gets there costs no further wake-up. It runs at the default priority: a commit that is durable is a client
 * that waits for its 250.
 *
 * The store's threads lock with pthreads instead of GLib, whose locks the thread sanitizer cannot see.
 */

#include <pthread.h>

#include "queue/mailbox.h"

typedef struct {
    GFunc call;
    gpointer data;
    gpointer user_data;
} Letter;

struct _QueueMailbox {
    GSource *source;
    pthread_mutex_t lock;
    GArray *letters; /* of Letter, guarded by the lock */
};

typedef struct {
    GSource source;
    QueueMailbox *mailbox;
} MailboxSource;

static GArray *
letters_new (void)
{
    return g_array_new (FALSE, FALSE, sizeof (Letter));
}

/* Returns: whether there were any. */
static gboolean
deliver_letters (QueueMailbox *mailbox)
{
    g_autoptr (GArray) letters = NULL;

    pthread_mutex_lock (&mailbox->lock);
    g_source_set_ready_time (mailbox->source, -1);
    letters = g_steal_pointer (&mailbox->letters);
    mailbox->letters = letters_new ();
    pthread_mutex_unlock (&mailbox->lock);

    for (guint i = 0; i < letters->len; i++) {
        const Letter *letter = &g_array_index (letters, Letter, i);

        letter->call (letter->data, letter->user_data);
    }

    return letters->len > 0;
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
    deliver_letters (((MailboxSource *) source)->mailbox);

    return G_SOURCE_CONTINUE;
}

static GSourceFuncs mailbox_funcs = {.dispatch = dispatch};

QueueMailbox *
queue_mailbox_new (void)
{
    QueueMailbox *mailbox = g_new0 (QueueMailbox, 1);

    pthread_mutex_init (&mailbox->lock, NULL);
    mailbox->letters = letters_new ();
    mailbox->source = g_source_new (&mailbox_funcs, sizeof (MailboxSource));
    ((MailboxSource *) mailbox->source)->mailbox = mailbox;
    g_source_set_static_name (mailbox->source, "postern queue");
    g_source_attach (mailbox->source, g_main_context_get_thread_default ());

    return mailbox;
}

void
queue_mailbox_post (QueueMailbox *mailbox, GFunc call, gpointer data, gpointer user_data)
{
    const Letter letter = {.call = call, .data = data, .user_data = user_data};
    gboolean is_first;

    pthread_mutex_lock (&mailbox->lock);
    is_first = mailbox->letters->len == 0;
    g_array_append_val (mailbox->letters, letter);
    pthread_mutex_unlock (&mailbox->lock);

    /* Without the lock, which the main thread would run into. If it was faster, it looks once in vain. */
    if (is_first)
        g_source_set_ready_time (mailbox->source, 0);
}

void
queue_mailbox_drain (QueueMailbox *mailbox)
{
    while (deliver_letters (mailbox))
        ;
}

void
queue_mailbox_free (QueueMailbox *mailbox)
{
    g_source_destroy (mailbox->source);
    g_source_unref (mailbox->source);
    g_array_unref (mailbox->letters);
    pthread_mutex_destroy (&mailbox->lock);
    g_free (mailbox);
}
