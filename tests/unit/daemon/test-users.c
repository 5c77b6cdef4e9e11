/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Names of users: looked up aside, remembered, and given up without harm. */

#include "users.h"

#include <pwd.h>
#include <unistd.h>

/* A user id that no system has. */
#define NOBODY_AT_ALL 4000000123u

static void
count_found (const User *user, gpointer user_data)
{
    guint *n = user_data;

    (*n)++;
}

static void
copy_name (const User *user, gpointer user_data)
{
    gchar **name = user_data;

    *name = user->name != NULL ? g_strdup (user->name) : g_strdup ("(none)");
}

static gchar *
wait_for_name (Users *users, uid_t uid)
{
    gchar *name = NULL;

    users_look_up (users, uid, copy_name, &name);
    while (name == NULL)
        g_main_context_iteration (NULL, TRUE);
    return name;
}

static void
test_a_user_has_a_name (void)
{
    g_autoptr (Users) users = users_new ();
    g_autofree gchar *name = wait_for_name (users, 0);

    g_assert_cmpstr (name, ==, "root");
}

static void
test_a_user_without_an_entry_has_none (void)
{
    g_autoptr (Users) users = users_new ();
    g_autofree gchar *name = wait_for_name (users, NOBODY_AT_ALL);

    g_assert_cmpstr (name, ==, "(none)");
}

static void
test_a_name_is_remembered (void)
{
    g_autoptr (Users) users = users_new ();
    g_autofree gchar *first = wait_for_name (users, 0);
    g_autofree gchar *second = NULL;

    g_assert_null (users_look_up (users, 0, copy_name, &second));
    g_assert_cmpstr (second, ==, "root");
}

static void
test_many_wait_for_one_answer (void)
{
    g_autoptr (Users) users = users_new ();
    guint n = 0;

    for (guint i = 0; i < 10; i++)
        g_assert_nonnull (users_look_up (users, 0, count_found, &n));
    while (n < 10)
        g_main_context_iteration (NULL, TRUE);
}

static void
test_who_has_gone_is_not_told (void)
{
    g_autoptr (Users) users = users_new ();
    guint gone = 0;
    guint waiting = 0;
    UsersLookup *lookup = users_look_up (users, 0, count_found, &gone);

    users_look_up (users, 0, count_found, &waiting);
    users_lookup_cancel (lookup);
    while (waiting == 0)
        g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (gone, ==, 0);
}

static void
test_all_of_it_may_end_while_asking (void)
{
    Users *users = users_new ();
    g_autoptr (Users) later = users_new ();
    g_autofree gchar *name = NULL;
    guint n = 0;

    users_look_up (users, 0, count_found, &n);
    users_free (users);

    name = wait_for_name (later, 0);
    g_assert_cmpuint (n, ==, 0);
}

static void
test_thousands_of_users_are_not_all_kept (void)
{
    g_autoptr (Users) users = users_new ();
    guint n = 0;

    for (guint i = 0; i < 3000; i++) {
        guint before = n;

        users_look_up (users, NOBODY_AT_ALL + i, count_found, &n);
        while (n == before)
            g_main_context_iteration (NULL, TRUE);
    }

    /* The first ones were forgotten, the last one not. */
    g_assert_nonnull (users_look_up (users, NOBODY_AT_ALL, count_found, &n));
    g_assert_null (users_look_up (users, NOBODY_AT_ALL + 2999, count_found, &n));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/daemon/users/a-user-has-a-name", test_a_user_has_a_name);
    g_test_add_func ("/daemon/users/a-user-without-an-entry-has-none", test_a_user_without_an_entry_has_none);
    g_test_add_func ("/daemon/users/a-name-is-remembered", test_a_name_is_remembered);
    g_test_add_func ("/daemon/users/many-wait-for-one-answer", test_many_wait_for_one_answer);
    g_test_add_func ("/daemon/users/who-has-gone-is-not-told", test_who_has_gone_is_not_told);
    g_test_add_func ("/daemon/users/all-of-it-may-end-while-asking", test_all_of_it_may_end_while_asking);
    g_test_add_func ("/daemon/users/thousands-of-users-are-not-all-kept", test_thousands_of_users_are_not_all_kept);

    return g_test_run ();
}
