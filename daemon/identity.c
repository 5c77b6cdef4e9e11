/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Identity
 *
 * Who this machine is, where the configuration does not say it. The host name often has no domain; the name service
 * then knows the full one (/etc/hosts has it as a rule). But the name service may also ask a network that is
 * away, and a mail relay has to start without one: it is asked on a thread of its own and for a bounded time. A thread
 * that is late finds nobody waiting, and cleans up after itself.
 *
 * What such places say is often of no use: what an installer put there, or what a machine without a name is called.
 */

#include "identity.h"

#include "config-value.h"
#include "small-file.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#define FALLBACK_NAME "localhost.localdomain"

/* A name, and perhaps a comment on it. */
#define MAIL_NAME_LONGEST_BYTES 4096

typedef struct {
    gatomicrefcount references;
    GMutex mutex;
    GCond answered;
    gboolean done;
    gchar *name;
    gchar *full_name; /* (nullable) */
} Lookup;

static void
lookup_unref (Lookup *lookup)
{
    if (!g_atomic_ref_count_dec (&lookup->references))
        return;

    g_mutex_clear (&lookup->mutex);
    g_cond_clear (&lookup->answered);
    g_free (lookup->name);
    g_free (lookup->full_name);
    g_free (lookup);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Lookup, lookup_unref)

gboolean
identity_is_useful (const gchar *name)
{
    static const gchar *const none[] = {".localdomain", ".localhost", ".invalid"};

    for (guint i = 0; i < G_N_ELEMENTS (none); i++)
        if (g_str_has_suffix (name, none[i]))
            return FALSE;

    return strchr (name, '.') != NULL;
}

static gchar *
canonical_name (const gchar *name)
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    gchar *found = NULL;

    if (getaddrinfo (name, NULL, &hints, &list) != 0)
        return NULL;

    if (list->ai_canonname != NULL)
        found = config_value_domain (list->ai_canonname);
    freeaddrinfo (list);
    if (found != NULL && !identity_is_useful (found))
        g_clear_pointer (&found, g_free);
    return found;
}

static gpointer
lookup_thread (gpointer data)
{
    g_autoptr (Lookup) lookup = data;
    gchar *full_name = canonical_name (lookup->name);

    g_mutex_lock (&lookup->mutex);
    lookup->full_name = full_name;
    lookup->done = TRUE;
    g_cond_signal (&lookup->answered);
    g_mutex_unlock (&lookup->mutex);
    return NULL;
}

/* Asks the name service for the full form of @name. */
static gchar *
look_up (const gchar *name, guint wait_seconds)
{
    g_autoptr (Lookup) lookup = g_new0 (Lookup, 1);
    gint64 end = g_get_monotonic_time () + (gint64) wait_seconds * G_USEC_PER_SEC;
    g_autoptr (GThread) thread = NULL;
    gchar *found;

    g_atomic_ref_count_init (&lookup->references);
    g_atomic_ref_count_inc (&lookup->references);
    g_mutex_init (&lookup->mutex);
    g_cond_init (&lookup->answered);
    lookup->name = g_strdup (name);
    thread = g_thread_new ("host-name", lookup_thread, lookup);

    g_mutex_lock (&lookup->mutex);
    while (!lookup->done && g_cond_wait_until (&lookup->answered, &lookup->mutex, end))
        ;
    found = lookup->done ? g_steal_pointer (&lookup->full_name) : NULL;
    g_mutex_unlock (&lookup->mutex);
    return found;
}

gchar *
identity_host_name (guint wait_seconds)
{
    g_autofree gchar *name = config_value_domain (g_get_host_name ());
    gchar *full_name;

    if (name == NULL)
        return g_strdup (FALLBACK_NAME);
    if (identity_is_useful (name))
        return g_steal_pointer (&name);

    full_name = look_up (name, wait_seconds);
    if (full_name != NULL)
        return full_name;

    /* "localhost" is what a machine without a name is called. */
    return g_str_equal (name, "localhost") ? g_strdup (FALLBACK_NAME) : g_steal_pointer (&name);
}

gchar *
identity_mail_name (const gchar *path)
{
    gsize length;
    g_autofree gchar *text = small_file_read (path, MAIL_NAME_LONGEST_BYTES, NULL, &length, NULL);
    g_auto (GStrv) lines = NULL;

    if (text == NULL)
        return NULL;

    lines = g_strsplit (text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        const gchar *line = g_strstrip (lines[i]);

        if (*line != '\0' && *line != '#')
            return config_value_domain (line);
    }

    return NULL;
}
