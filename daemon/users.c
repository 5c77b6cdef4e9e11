/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Users
 *
 * A client on the local socket is a user id to the kernel and a name to people. The name may come from a directory server,
 * so asking for it may take as long as a network takes: it is asked on another thread. Each user is asked for
 * once at a time, however many sessions wait for the answer, and the answer is good for some minutes: a program that
 * sends a thousand messages should not cost a thousand questions.
 */

#include "users.h"

#include <gio/gio.h>
#include <pwd.h>
#include <string.h>

#define REMEMBERED_USEC (10 * 60 * (gint64) G_USEC_PER_SEC)

/* A machine with more users than this that send mail asks again for some of them. */
#define REMEMBERED_MOST 1024

/* An entry of the password database is a short line; no entry is taken that needs more. */
#define ENTRY_LONGEST_BYTES (64 * 1024)

typedef struct {
    gint64 asked_usec; /* monotonic */
    User *user;        /* (nullable) while it is being asked for */
    GQueue waiting;    /* of UsersLookup */
} Memory;

struct _UsersLookup {
    Memory *memory;
    UsersFound found;
    gpointer user_data;
};

struct _Users {
    GHashTable *memories; /* of uid to Memory */
    GCancellable *cancellable;
};

static void
user_free (User *user)
{
    if (user == NULL)
        return;

    g_free (user->name);
    g_free (user->full_name);
    g_free (user);
}

static void
memory_free (Memory *memory)
{
    g_queue_clear_full (&memory->waiting, g_free);
    user_free (memory->user);
    g_free (memory);
}

Users *
users_new (void)
{
    Users *users = g_new0 (Users, 1);

    users->memories = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) memory_free);
    users->cancellable = g_cancellable_new ();
    return users;
}

void
users_free (Users *users)
{
    g_cancellable_cancel (users->cancellable);
    g_object_unref (users->cancellable);
    g_hash_table_unref (users->memories);
    g_free (users);
}

/* The first item of GECOS is the full name; "&" in it stands for the login name with a capital, as finger(1) has it. */
static gchar *
read_full_name (const gchar *gecos, const gchar *login)
{
    g_autoptr (GString) name = g_string_new (NULL);

    for (; *gecos != '\0' && *gecos != ','; gecos++) {
        if (*gecos != '&') {
            g_string_append_c (name, *gecos);
            continue;
        }
        g_string_append_c (name, g_ascii_toupper (login[0]));
        g_string_append (name, login[0] != '\0' ? login + 1 : "");
    }

    g_strstrip (name->str);
    return name->str[0] != '\0' && g_utf8_validate (name->str, -1, NULL) ? g_strdup (name->str) : NULL;
}

static void
ask (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_autofree gchar *buffer = g_malloc (ENTRY_LONGEST_BYTES);
    struct passwd entry;
    struct passwd *found = NULL;
    User *user = g_new0 (User, 1);

    getpwuid_r ((uid_t) GPOINTER_TO_UINT (data), &entry, buffer, ENTRY_LONGEST_BYTES, &found);
    if (found != NULL) {
        user->name = g_strdup (found->pw_name);
        user->full_name = read_full_name (found->pw_gecos != NULL ? found->pw_gecos : "", found->pw_name);
    }

    g_task_return_pointer (task, user, (GDestroyNotify) user_free);
}

static void
answered (GObject *source, GAsyncResult *result, gpointer user_data)
{
    Users *users = user_data;
    gpointer uid = g_task_get_task_data (G_TASK (result));
    User *user = g_task_propagate_pointer (G_TASK (result), NULL);
    UsersLookup *lookup;
    Memory *memory;

    /* Cancelled: the users are gone. */
    if (user == NULL)
        return;

    memory = g_hash_table_lookup (users->memories, uid);
    while ((lookup = g_queue_pop_head (&memory->waiting)) != NULL) {
        lookup->found (user, lookup->user_data);
        g_free (lookup);
    }

    /* Not before: it is what is being asked for that is not forgotten. */
    memory->user = user;
}

static gboolean
is_answered (gpointer uid, gpointer memory, gpointer unused)
{
    return ((Memory *) memory)->user != NULL;
}

/* The memory of @uid that is fresh, or being asked for. */
static Memory *
recall (Users *users, uid_t uid)
{
    gint64 now = g_get_monotonic_time ();
    Memory *memory = g_hash_table_lookup (users->memories, GUINT_TO_POINTER (uid));
    g_autoptr (GTask) task = NULL;

    if (memory != NULL && (memory->user == NULL || now - memory->asked_usec < REMEMBERED_USEC))
        return memory;

    if (g_hash_table_size (users->memories) >= REMEMBERED_MOST)
        g_hash_table_foreach_remove (users->memories, is_answered, NULL);

    memory = g_new0 (Memory, 1);
    memory->asked_usec = now;
    g_hash_table_replace (users->memories, GUINT_TO_POINTER (uid), memory);

    task = g_task_new (NULL, users->cancellable, answered, users);
    g_task_set_task_data (task, GUINT_TO_POINTER (uid), NULL);
    g_task_run_in_thread (task, ask);
    return memory;
}

UsersLookup *
users_look_up (Users *users, uid_t uid, UsersFound found, gpointer user_data)
{
    Memory *memory = recall (users, uid);
    UsersLookup *lookup;

    if (memory->user != NULL) {
        found (memory->user, user_data);
        return NULL;
    }

    lookup = g_new0 (UsersLookup, 1);
    lookup->memory = memory;
    lookup->found = found;
    lookup->user_data = user_data;
    g_queue_push_tail (&memory->waiting, lookup);
    return lookup;
}

void
users_lookup_cancel (UsersLookup *lookup)
{
    g_queue_remove (&lookup->memory->waiting, lookup);
    g_free (lookup);
}
