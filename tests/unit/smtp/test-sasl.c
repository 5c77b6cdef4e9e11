/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Authentication mechanisms: against known dialogues, and for SCRAM against the library's own server.
 */

#include "smtp/sasl.h"

#include <gsasl.h>
#include <string.h>

static gchar *
decode (const gchar *base64, gsize *length)
{
    return (gchar *) g_base64_decode (base64, length);
}

static void
test_chooses_the_strongest (void)
{
    g_assert_cmpstr (smtp_sasl_choose ("LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", NULL, NULL), ==,
                     "SCRAM-SHA-256");
    g_assert_cmpstr (smtp_sasl_choose ("LOGIN PLAIN CRAM-MD5", NULL, NULL), ==, "CRAM-MD5");
    g_assert_cmpstr (smtp_sasl_choose ("LOGIN PLAIN", NULL, NULL), ==, "PLAIN");
    g_assert_cmpstr (smtp_sasl_choose ("LOGIN", NULL, NULL), ==, "LOGIN");
    g_assert_cmpstr (smtp_sasl_choose ("login plain", NULL, NULL), ==, "PLAIN");
}

static void
test_chooses_only_what_is_known (void)
{
    g_assert_null (smtp_sasl_choose ("", NULL, NULL));
    g_assert_null (smtp_sasl_choose ("GSSAPI XOAUTH2 EXTERNAL ANONYMOUS NTLM DIGEST-MD5", NULL, NULL));
    g_assert_null (smtp_sasl_choose ("PLAINTEXT XPLAIN PLAI", NULL, NULL));
}

static void
test_chooses_only_what_is_allowed (void)
{
    g_assert_cmpstr (smtp_sasl_choose ("PLAIN LOGIN SCRAM-SHA-256", "LOGIN", NULL), ==, "LOGIN");
    g_assert_cmpstr (smtp_sasl_choose ("PLAIN LOGIN", "login  plain", NULL), ==, "PLAIN");
    g_assert_null (smtp_sasl_choose ("PLAIN LOGIN", "SCRAM-SHA-256", NULL));
}

static void
test_does_not_choose_what_failed (void)
{
    g_assert_cmpstr (smtp_sasl_choose ("PLAIN LOGIN", NULL, "PLAIN"), ==, "LOGIN");
    g_assert_null (smtp_sasl_choose ("PLAIN LOGIN", NULL, "LOGIN PLAIN"));
}

static void
test_all_known_can_be_chosen (void)
{
    g_auto (GStrv) known = g_strsplit (smtp_sasl_known (), " ", -1);

    g_assert_cmpuint (g_strv_length (known), ==, 5);
    for (guint i = 0; known[i]; i++)
        g_assert_cmpstr (smtp_sasl_choose (known[i], NULL, NULL), ==, known[i]);
}

static void
test_plain_sends_both_at_once (void)
{
    GError *error = NULL;
    g_autoptr (SmtpSasl) sasl = smtp_sasl_new ("PLAIN", "user", "p\303\244ss", &error);
    g_autofree gchar *response = NULL;
    g_autofree gchar *text = NULL;
    gsize length;

    g_assert_no_error (error);
    g_assert_true (smtp_sasl_starts (sasl));
    response = smtp_sasl_step (sasl, NULL, &error);
    g_assert_no_error (error);
    text = decode (response, &length);
    g_assert_cmpuint (length, ==, 11);
    g_assert_true (memcmp (text, "\0user\0p\303\244ss", 11) == 0);
    g_assert_true (smtp_sasl_is_complete (sasl));
}

static void
test_login_answers_two_questions (void)
{
    GError *error = NULL;
    g_autoptr (SmtpSasl) sasl = smtp_sasl_new ("LOGIN", "user", "secret", &error);
    g_autofree gchar *first = NULL;
    g_autofree gchar *second = NULL;

    g_assert_false (smtp_sasl_starts (sasl));
    first = smtp_sasl_step (sasl, "VXNlcm5hbWU6", &error);
    g_assert_no_error (error);
    g_assert_cmpstr (first, ==, "dXNlcg==");
    g_assert_false (smtp_sasl_is_complete (sasl));
    second = smtp_sasl_step (sasl, "UGFzc3dvcmQ6", &error);
    g_assert_no_error (error);
    g_assert_cmpstr (second, ==, "c2VjcmV0");
    g_assert_true (smtp_sasl_is_complete (sasl));
}

/* The example of RFC 2195 2. */
static void
test_cram_md5_answers_the_challenge (void)
{
    GError *error = NULL;
    g_autoptr (SmtpSasl) sasl = smtp_sasl_new ("CRAM-MD5", "tim", "tanstaaftanstaaf", &error);
    g_autofree gchar *response = NULL;

    g_assert_false (smtp_sasl_starts (sasl));
    response = smtp_sasl_step (sasl, "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+", &error);
    g_assert_no_error (error);
    g_assert_cmpstr (response, ==, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
    g_assert_true (smtp_sasl_is_complete (sasl));
}

static void
test_more_questions_than_answers_fail (void)
{
    GError *error = NULL;
    g_autoptr (SmtpSasl) sasl = smtp_sasl_new ("PLAIN", "user", "secret", &error);
    g_autofree gchar *response = smtp_sasl_step (sasl, NULL, &error);

    g_assert_no_error (error);
    g_assert_null (smtp_sasl_step (sasl, "", &error));
    g_assert_error (error, SMTP_SASL_ERROR, SMTP_SASL_ERROR_CHALLENGE);
    g_error_free (error);
}

static void
test_a_challenge_that_is_no_base64_fails (void)
{
    GError *error = NULL;
    g_autoptr (SmtpSasl) sasl = smtp_sasl_new ("CRAM-MD5", "user", "secret", &error);

    g_assert_null (smtp_sasl_step (sasl, "this is no base64!", &error));
    g_assert_error (error, SMTP_SASL_ERROR, SMTP_SASL_ERROR_CHALLENGE);
    g_error_free (error);
}

static int
server_property (Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    if (property != GSASL_PASSWORD)
        return GSASL_NO_CALLBACK;

    return gsasl_property_set (session, GSASL_PASSWORD, gsasl_callback_hook_get (library));
}

/* Plays the whole dialogue. Returns: what the last step of each side returned, "complete" or the client's error */
static gchar *
play_scram (const gchar *mechanism, const gchar *client_password, const gchar *server_password)
{
    GError *error = NULL;
    g_autoptr (SmtpSasl) client = smtp_sasl_new (mechanism, "user", client_password, &error);
    g_autofree gchar *to_server = NULL;
    g_autofree gchar *client_error = NULL;
    char *to_client = NULL;
    Gsasl *library;
    Gsasl_session *server;
    int result = GSASL_NEEDS_MORE;

    g_assert_no_error (error);
    g_assert_true (smtp_sasl_starts (client));
    g_assert_cmpint (gsasl_init (&library), ==, GSASL_OK);
    gsasl_callback_hook_set (library, (void *) server_password);
    gsasl_callback_set (library, server_property);
    g_assert_cmpint (gsasl_server_start (library, mechanism, &server), ==, GSASL_OK);

    to_server = smtp_sasl_step (client, NULL, &error);
    while (result == GSASL_NEEDS_MORE && !smtp_sasl_is_complete (client) && !error) {
        g_clear_pointer (&to_client, gsasl_free);
        result = gsasl_step64 (server, to_server, &to_client);
        if (result == GSASL_OK || result == GSASL_NEEDS_MORE) {
            g_free (to_server);
            to_server = smtp_sasl_step (client, to_client, &error);
        }
    }
    if (error)
        client_error = g_strdup (error->message);

    gsasl_free (to_client);
    gsasl_finish (server);
    gsasl_done (library);
    g_clear_error (&error);

    if (client_error)
        return g_steal_pointer (&client_error);
    return g_strdup (smtp_sasl_is_complete (client) ? "complete" : "refused");
}

static void
test_scram_convinces_both_sides (void)
{
    g_autofree gchar *sha1 = play_scram ("SCRAM-SHA-1", "pencil", "pencil");
    g_autofree gchar *sha256 = play_scram ("SCRAM-SHA-256", "pencil", "pencil");

    g_assert_cmpstr (sha1, ==, "complete");
    g_assert_cmpstr (sha256, ==, "complete");
}

static void
test_scram_with_a_wrong_password_never_completes (void)
{
    g_autofree gchar *outcome = play_scram ("SCRAM-SHA-256", "pencil", "crayon");

    g_assert_cmpstr (outcome, ==, "refused");
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/smtp/sasl/chooses-the-strongest", test_chooses_the_strongest);
    g_test_add_func ("/smtp/sasl/chooses-only-what-is-known", test_chooses_only_what_is_known);
    g_test_add_func ("/smtp/sasl/chooses-only-what-is-allowed", test_chooses_only_what_is_allowed);
    g_test_add_func ("/smtp/sasl/does-not-choose-what-failed", test_does_not_choose_what_failed);
    g_test_add_func ("/smtp/sasl/all-known-can-be-chosen", test_all_known_can_be_chosen);
    g_test_add_func ("/smtp/sasl/plain-sends-both-at-once", test_plain_sends_both_at_once);
    g_test_add_func ("/smtp/sasl/login-answers-two-questions", test_login_answers_two_questions);
    g_test_add_func ("/smtp/sasl/cram-md5-answers-the-challenge", test_cram_md5_answers_the_challenge);
    g_test_add_func ("/smtp/sasl/more-questions-than-answers-fail", test_more_questions_than_answers_fail);
    g_test_add_func ("/smtp/sasl/a-challenge-that-is-no-base64-fails", test_a_challenge_that_is_no_base64_fails);
    g_test_add_func ("/smtp/sasl/scram-convinces-both-sides", test_scram_convinces_both_sides);
    g_test_add_func ("/smtp/sasl/scram-with-a-wrong-password-never-completes",
                     test_scram_with_a_wrong_password_never_completes);

    return g_test_run ();
}
