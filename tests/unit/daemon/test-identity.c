/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the machine says of itself. */

#include "config-value.h"
#include "identity.h"

#include <string.h>
#include <unistd.h>

static void
test_the_host_has_a_name_that_can_be_shown (void)
{
    g_autofree gchar *name = identity_host_name (1);
    g_autofree gchar *canonical = config_value_domain (name);

    g_assert_cmpstr (name, ==, canonical);
}

static void
test_the_name_service_is_not_waited_for (void)
{
    gint64 start = g_get_monotonic_time ();
    g_autofree gchar *name = identity_host_name (0);

    g_assert_nonnull (name);
    g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
}

static gchar *
mail_name_of (const gchar *text)
{
    g_autofree gchar *path = NULL;
    gchar *name;
    int fd = g_file_open_tmp ("postern-identity-XXXXXX", &path, NULL);

    g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
    name = identity_mail_name (path);
    close (fd);
    unlink (path);
    return name;
}

static void
test_the_mail_name_is_a_first_line (void)
{
    g_autofree gchar *plain = mail_name_of ("Example.ORG\n");
    g_autofree gchar *unfinished = mail_name_of (" example.org ");
    g_autofree gchar *two = mail_name_of ("example.org\nexample.net\n");
    g_autofree gchar *empty = mail_name_of ("");
    g_autofree gchar *prose = mail_name_of ("the name of my host\n");
    g_autofree gchar *comment = mail_name_of ("# mine\n\n \nexample.org\n");
    g_autofree gchar *dot = mail_name_of ("example.org.\n");
    g_autofree gchar *windows = mail_name_of ("\xEF\xBB\xBF"
                                              "example.org\r\n");
    g_autofree gchar *only_comments = mail_name_of ("# mine\n#\n");

    g_assert_cmpstr (plain, ==, "example.org");
    g_assert_cmpstr (unfinished, ==, "example.org");
    g_assert_cmpstr (two, ==, "example.org");
    g_assert_null (empty);
    g_assert_null (prose);
    g_assert_cmpstr (comment, ==, "example.org");
    g_assert_cmpstr (dot, ==, "example.org");
    g_assert_cmpstr (windows, ==, "example.org");
    g_assert_null (only_comments);
    g_assert_null (identity_mail_name ("/nowhere"));
}

static void
test_a_name_that_every_machine_has_is_of_no_use (void)
{
    g_assert_true (identity_is_useful ("box.example.org"));
    g_assert_true (identity_is_useful ("box.lan"));
    g_assert_false (identity_is_useful ("box"));
    g_assert_false (identity_is_useful ("localhost"));
    g_assert_false (identity_is_useful ("localhost.localdomain"));
    g_assert_false (identity_is_useful ("box.localdomain"));
    g_assert_false (identity_is_useful ("box.localhost"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/daemon/identity/the-host-has-a-name-that-can-be-shown",
                     test_the_host_has_a_name_that_can_be_shown);
    g_test_add_func ("/daemon/identity/the-name-service-is-not-waited-for", test_the_name_service_is_not_waited_for);
    g_test_add_func ("/daemon/identity/the-mail-name-is-a-first-line", test_the_mail_name_is_a_first_line);
    g_test_add_func ("/daemon/identity/a-name-that-every-machine-has-is-of-no-use",
                     test_a_name_that_every_machine_has_is_of_no_use);

    return g_test_run ();
}
