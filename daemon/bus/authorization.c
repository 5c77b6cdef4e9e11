/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Authorization
 *
 * A user does with the own mail what the user likes; that is decided elsewhere, by comparing user ids. This file
 * answers the two questions that need somebody else: which user is behind a name on the bus (the bus driver knows),
 * and may that caller touch what is not the own (polkit knows).
 *
 * polkit watches over the system bus. A private or a session bus belongs to one user, so there the rule is plain:
 * root and the user whom the daemon runs as may do everything, nobody else anything. The same rule holds where polkit
 * is not installed or does not answer: its absence never opens a door, and never locks out root.
 *
 * Every question is asked with a deadline. A question to a person may take minutes; it costs the daemon one pending
 * call. A user may have so many of them asked at once, and no more.
 */

#include "bus/authorization.h"

/* libpolkit-gobject marks its interface as one that may change; it has not for ten years. */
#define POLKIT_I_KNOW_API_IS_SUBJECT_TO_CHANGE
#include <polkit/polkit.h>
#include <unistd.h>

#include "budget.h"
#include "bus/error.h"

#define IDENTIFY_SECONDS   20  /* the bus driver answers at once, or is overloaded */
#define ASK_POLKIT_SECONDS 20  /* polkit evaluates its rules, which may start programs */
#define ASK_PERSON_SECONDS 300 /* a person finds the password */
/* Questions to polkit, each of which may wait for a person. */
static const BudgetLimits questions_limits = {.most = 256, .each = 32, .root = 0, .others = 64, .few = 2};

#define USERS_KNOWN_MOST 1024 /* about 100 KiB; beyond it the knowledge is thrown away and gathered anew */

struct _BusAuthorization {
    GDBusConnection *connection;
    gboolean polkit;
    Budget *questions; /* that users have polkit asked */
    gint64 self;
    GCancellable *cancellable; /* ends all questions */
    GHashTable *users;         /* unique name → uid; a bus never gives a name to another connection */
};

typedef struct {
    BusAuthorization *authorization; /* only where the question was not cancelled */
    gchar *sender;
    BusIdentified identified;
    gpointer user_data;
} Identification;

typedef struct {
    BusAuthorization *authorization; /* of which it has a reference */
    gchar *sender;
    gint64 uid;
    gchar *action;
    gboolean interactive;
    BusAuthorized authorized;
    gpointer user_data;

    BudgetShare *question;     /* (nullable) it is not asked */
    GCancellable *cancellable; /* of this question: the deadline, or the end of all */
    gulong all_handler;
    guint deadline_id;
} Check;

BusAuthorization *
bus_authorization_new (GDBusConnection *connection, gboolean polkit)
{
    BusAuthorization *authorization = g_rc_box_new0 (BusAuthorization);

    authorization->connection = g_object_ref (connection);
    authorization->polkit = polkit;
    authorization->questions = budget_new (&questions_limits);
    authorization->self = geteuid ();
    authorization->cancellable = g_cancellable_new ();
    authorization->users = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    return authorization;
}

static void
authorization_clear (gpointer data)
{
    BusAuthorization *authorization = data;

    g_object_unref (authorization->cancellable);
    g_object_unref (authorization->connection);
    g_hash_table_unref (authorization->users);
    budget_free (authorization->questions);
}

static void
authorization_unref (BusAuthorization *authorization)
{
    g_rc_box_release_full (authorization, authorization_clear);
}

/* Questions to polkit come back later, and give back what they took. */
void
bus_authorization_free (BusAuthorization *authorization)
{
    if (authorization == NULL)
        return;

    g_cancellable_cancel (authorization->cancellable);
    authorization_unref (authorization);
}

gboolean
bus_authorization_knows (const BusAuthorization *authorization, const gchar *sender)
{
    return g_hash_table_contains (authorization->users, sender);
}

gboolean
bus_authorization_is_master (const BusAuthorization *authorization, gint64 uid)
{
    return uid == 0 || uid == authorization->self;
}

static void
remember_user (BusAuthorization *authorization, const gchar *sender, guint32 uid)
{
    if (g_hash_table_size (authorization->users) >= USERS_KNOWN_MOST)
        g_hash_table_remove_all (authorization->users);
    g_hash_table_insert (authorization->users, g_strdup (sender), GUINT_TO_POINTER (uid));
}

static void
identification_free (Identification *identification)
{
    g_free (identification->sender);
    g_free (identification);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Identification, identification_free)

static void
on_user_known (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (Identification) identification = user_data;
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
    guint32 uid;

    if (reply == NULL) {
        g_dbus_error_strip_remote_error (error);
        identification->identified (-1, error, identification->user_data);
        return;
    }

    g_variant_get (reply, "(u)", &uid);
    remember_user (identification->authorization, identification->sender, uid);
    identification->identified (uid, NULL, identification->user_data);
}

void
bus_authorization_identify (BusAuthorization *authorization, const gchar *sender, BusIdentified identified,
                            gpointer user_data)
{
    Identification *identification;
    gpointer uid;

    if (g_hash_table_lookup_extended (authorization->users, sender, NULL, &uid)) {
        identified (GPOINTER_TO_UINT (uid), NULL, user_data);
        return;
    }

    identification = g_new0 (Identification, 1);
    identification->authorization = authorization;
    identification->sender = g_strdup (sender);
    identification->identified = identified;
    identification->user_data = user_data;
    g_dbus_connection_call (authorization->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                            "org.freedesktop.DBus", "GetConnectionUnixUser", g_variant_new ("(s)", sender),
                            G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE, IDENTIFY_SECONDS * 1000,
                            authorization->cancellable, on_user_known, identification);
}

static void
check_free (Check *check)
{
    g_cancellable_disconnect (check->authorization->cancellable, check->all_handler);
    g_clear_handle_id (&check->deadline_id, g_source_remove);
    if (check->question != NULL)
        budget_give_back (check->question, 1);
    g_object_unref (check->cancellable);
    authorization_unref (check->authorization);
    g_free (check->sender);
    g_free (check->action);
    g_free (check);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Check, check_free)

static void
refuse (const Check *check, const gchar *why)
{
    g_autoptr (GError) error =
        g_error_new (BUS_ERROR, BUS_ERROR_NOT_AUTHORIZED,
                     "user %" G_GINT64_FORMAT " is not authorized: this needs the polkit action %s (%s)", check->uid,
                     check->action, why);

    check->authorized (error, check->user_data);
}

static void
refuse_too_many (const Check *check)
{
    g_autoptr (GError) error = g_error_new (BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED,
                                            "polkit is asked about too many calls of user %" G_GINT64_FORMAT
                                            " already; wait for the answers to some of them",
                                            check->uid);

    check->authorized (error, check->user_data);
}

static gboolean
on_deadline (gpointer user_data)
{
    Check *check = user_data;

    check->deadline_id = 0;
    g_cancellable_cancel (check->cancellable);
    return G_SOURCE_REMOVE;
}

static void
on_polkit_answered (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (Check) check = user_data;
    g_autoptr (GError) error = NULL;
    g_autoptr (PolkitAuthorizationResult) answer =
        polkit_authority_check_authorization_finish (POLKIT_AUTHORITY (source), result, &error);

    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        refuse (check, "polkit did not answer in time");
    } else if (answer == NULL) {
        g_dbus_error_strip_remote_error (error);
        refuse (check, error->message);
    } else if (polkit_authorization_result_get_is_authorized (answer)) {
        check->authorized (NULL, check->user_data);
    } else if (polkit_authorization_result_get_dismissed (answer)) {
        refuse (check, "the question for a password was dismissed");
    } else if (polkit_authorization_result_get_is_challenge (answer)) {
        refuse (check, check->interactive ? "there is no agent that could ask for a password"
                                          : "a password would have to be asked for");
    } else {
        refuse (check, "polkit does not allow it");
    }
}

static void
on_authority_known (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (Check) check = user_data;
    g_autoptr (GError) error = NULL;
    g_autoptr (PolkitAuthority) authority = polkit_authority_get_finish (result, &error);
    g_autoptr (PolkitSubject) subject = NULL;
    PolkitCheckAuthorizationFlags flags = check->interactive ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
                                                             : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE;

    if (authority == NULL) {
        g_dbus_error_strip_remote_error (error);
        refuse (check, error->message);
        return;
    }

    subject = polkit_system_bus_name_new (check->sender);
    polkit_authority_check_authorization (authority, subject, check->action, NULL, flags, check->cancellable,
                                          on_polkit_answered, check);
    g_steal_pointer (&check);
}

static void
on_all_cancelled (GCancellable *all, gpointer user_data)
{
    Check *check = user_data;

    g_cancellable_cancel (check->cancellable);
}

void
bus_authorization_check (BusAuthorization *authorization, const gchar *sender, gint64 uid, const gchar *action,
                         gboolean interactive, BusAuthorized authorized, gpointer user_data)
{
    const BudgetOwner owner = budget_user (uid);
    Check *check;

    if (bus_authorization_is_master (authorization, uid)) {
        authorized (NULL, user_data);
        return;
    }

    check = g_new0 (Check, 1);
    check->sender = g_strdup (sender);
    check->uid = uid;
    check->action = g_strdup (action);
    check->interactive = interactive;
    check->authorized = authorized;
    check->user_data = user_data;
    check->cancellable = g_cancellable_new ();
    check->authorization = g_rc_box_acquire (authorization);
    check->all_handler =
        g_cancellable_connect (authorization->cancellable, G_CALLBACK (on_all_cancelled), check, NULL);

    if (!authorization->polkit) {
        refuse (check, "polkit watches over the system bus only");
        check_free (check);
        return;
    }
    if (budget_take (authorization->questions, &owner, 1, &check->question) != BUDGET_TAKEN) {
        refuse_too_many (check);
        check_free (check);
        return;
    }

    check->deadline_id =
        g_timeout_add_seconds (interactive ? ASK_PERSON_SECONDS : ASK_POLKIT_SECONDS, on_deadline, check);
    polkit_authority_get_async (check->cancellable, on_authority_known, check);
}
