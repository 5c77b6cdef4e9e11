/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The author is whom -f names, or the environment, or the user who calls.
 */

#include "cli/sendmail-author.h"
#include "cli/sendmail-error.h"

static void
expect_name (const gchar *gecos, const gchar *login, const gchar *expected)
{
    g_autofree gchar *name = sendmail_author_name_from_gecos (gecos, login);

    g_assert_cmpstr (name, ==, expected);
}

static void
name_is_the_first_part_of_gecos (void)
{
    expect_name ("Jane Doe,Room 5,1234,,", "jane", "Jane Doe");
    expect_name ("root", "root", "root");
    expect_name ("", "jane", "");
    expect_name (",,,", "jane", "");
}

static void
ampersand_is_the_login_name (void)
{
    expect_name ("& Doe", "jane", "Jane Doe");
    expect_name ("&", "", "");
}

static SendmailAuthor *
author_of (gchar *sender, gchar *full_name, GError **error)
{
    const SendmailOptions options = {.sender = sender, .full_name = full_name};
    const SendmailEnvironment environment = {0};

    return sendmail_author_new (&options, &environment, error);
}

static void
sender_may_be_written_in_any_way (void)
{
    static const struct {
        const gchar *sender;
        const gchar *expected;
    } cases[] = {{"user@Example.ORG", "user@example.org"},
                 {"<user@example.org>", "user@example.org"},
                 {"Jane Doe <user@example.org>", "user@example.org"},
                 {"user@example.org (Jane Doe)", "user@example.org"},
                 {"www-data", "www-data"},
                 {"", ""},
                 {"<>", ""},
                 {"jürgen@example.org", "jürgen@example.org"}};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_autoptr (SendmailAuthor) author = author_of ((gchar *) cases[i].sender, NULL, &error);

        g_assert_no_error (error);
        g_assert_cmpstr (author->address, ==, cases[i].expected);
        g_assert_null (author->full_name);
    }
}

static void
bad_sender_is_a_usage_error (void)
{
    static const gchar *const senders[] = {"a b", "a@b@c", "a@b, c@d", "user@exa mple.org", "user@\n"};

    for (guint i = 0; i < G_N_ELEMENTS (senders); i++) {
        g_autoptr (GError) error = NULL;

        g_assert_null (author_of ((gchar *) senders[i], NULL, &error));
        g_assert_error (error, SENDMAIL_ERROR, EX_USAGE);
    }
}

static void
caller_is_the_author_without_a_sender (void)
{
    g_autoptr (SendmailAuthor) author = author_of (NULL, (gchar *) "Jane", NULL);

    g_assert_cmpstr (author->address, !=, "");
    g_assert_cmpstr (author->full_name, ==, "Jane");
}

/* What MAIL and a missing From say. */
static void
expect_author (gchar *sender, const SendmailEnvironment *environment, const gchar *address, const gchar *from)
{
    const SendmailOptions options = {.sender = sender, .full_name = (gchar *) "Jane (x) Doe"};
    g_autoptr (GError) error = NULL;
    g_autoptr (SendmailAuthor) author = sendmail_author_new (&options, environment, &error);
    g_autofree gchar *body = NULL;

    g_assert_no_error (error);
    body = sendmail_author_from (author, FALSE);
    g_assert_cmpstr (author->address, ==, address);
    g_assert_cmpstr (body, ==, from);
}

static void
environment_names_the_author (void)
{
    const SendmailEnvironment user = {.user = "shop"};
    const SendmailEnvironment both = {.user = "shop", .host = "Example.ORG"};
    const SendmailEnvironment whole = {.user = "shop@example.org", .host = "example.net"};
    const SendmailEnvironment odd = {.user = "DOMAIN\\shop", .host = "example.org"};
    const SendmailEnvironment sender = {
        .user = "shop", .host = "example.org", .sender_user = "bounces", .sender_host = "example.net"};

    expect_author (NULL, &user, "shop", "\"Jane (x) Doe\" <shop>");
    expect_author (NULL, &both, "shop@example.org", "\"Jane (x) Doe\" <shop@example.org>");
    expect_author (NULL, &whole, "shop@example.org", "\"Jane (x) Doe\" <shop@example.org>");
    expect_author (NULL, &odd, "\"DOMAIN\\\\shop\"@example.org", "\"Jane (x) Doe\" <\"DOMAIN\\\\shop\"@example.org>");
    expect_author (NULL, &sender, "bounces@example.net", "\"Jane (x) Doe\" <shop@example.org>");
    expect_author ((gchar *) "a@b.example", &both, "a@b.example", "\"Jane (x) Doe\" <shop@example.org>");
    expect_author ((gchar *) "", &both, "", "\"Jane (x) Doe\" <shop@example.org>");
}

static void
bad_environment_is_a_usage_error (void)
{
    const SendmailEnvironment environments[] = {
        {.user = "shop", .host = "exa mple"}, {.user = "a\nb"}, {.host = "@"}};

    for (guint i = 0; i < G_N_ELEMENTS (environments); i++) {
        const SendmailOptions options = {0};
        g_autoptr (GError) error = NULL;

        g_assert_null (sendmail_author_new (&options, &environments[i], &error));
        g_assert_error (error, SENDMAIL_ERROR, EX_USAGE);
    }
}

static void
name_can_be_a_comment (void)
{
    static const struct {
        const gchar *name;
        const gchar *from;
    } cases[] = {{"Jane Doe", "a@b.example (Jane Doe)"},
                 {"J (x) \\ \"D\"\n", "a@b.example (J \\(x\\) \\\\ \"D\" )"},
                 {"Jürgen", "a@b.example (=?UTF-8?Q?J=C3=BCrgen?=)"},
                 {"J\xfcrgen", NULL}};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (SendmailAuthor) author = author_of ((gchar *) "a@b.example", (gchar *) cases[i].name, NULL);
        g_autofree gchar *from = sendmail_author_from (author, TRUE);

        g_assert_cmpstr (from, ==, cases[i].from);
    }
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/cli/sendmail-author/name-is-the-first-part-of-gecos", name_is_the_first_part_of_gecos);
    g_test_add_func ("/cli/sendmail-author/ampersand-is-the-login-name", ampersand_is_the_login_name);
    g_test_add_func ("/cli/sendmail-author/sender-may-be-written-in-any-way", sender_may_be_written_in_any_way);
    g_test_add_func ("/cli/sendmail-author/bad-sender-is-a-usage-error", bad_sender_is_a_usage_error);
    g_test_add_func ("/cli/sendmail-author/caller-is-the-author-without-a-sender",
                     caller_is_the_author_without_a_sender);

    g_test_add_func ("/cli/sendmail-author/environment-names-the-author", environment_names_the_author);
    g_test_add_func ("/cli/sendmail-author/bad-environment-is-a-usage-error", bad_environment_is_a_usage_error);
    g_test_add_func ("/cli/sendmail-author/name-can-be-a-comment", name_can_be_a_comment);

    return g_test_run ();
}
