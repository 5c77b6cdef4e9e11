/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How the client opens a session: greeting, EHLO, STARTTLS, AUTH.
 */

#include "talk.h"

#include <string.h>

static const TalkSetup plain = {.parameters = {.security = SMTP_SECURITY_NONE}};
static const TalkSetup opportunistic = {.parameters = {.security = SMTP_SECURITY_OPPORTUNISTIC}};
static const TalkSetup starttls = {.parameters = {.security = SMTP_SECURITY_STARTTLS}};
static const TalkSetup implicit = {.parameters = {.security = SMTP_SECURITY_IMPLICIT}};

/* An implicit session, so that no STARTTLS stands in the way. */
static const TalkSetup login = {
    .parameters = {.security = SMTP_SECURITY_IMPLICIT, .user = "user", .password = "secret"}};

static void
test_a_greeting_leads_to_ehlo (void)
{
    talk_play (&plain, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250-mx.example greets relay.example\n"
                       "S: 250 SIZE 1000\n"
                       "E: ready\n");
}

static void
test_a_greeting_may_have_many_lines (void)
{
    talk_play (&plain, "S: 220-mx.example ESMTP\n"
                       "S: 220-No spam here\n"
                       "S: 220\n"
                       "C: EHLO relay.example\n"
                       "S: 250 mx.example\n"
                       "E: ready\n");
}

static void
test_a_refusing_greeting_ends_it (void)
{
    talk_play (&plain, "S: 554 No SMTP service here\n"
                       "E: failed reply: the server takes no mail from this host (554 No SMTP service here)\n");
}

static void
test_a_server_that_is_too_busy_closes (void)
{
    talk_play (&plain, "S: 421 Too busy\n"
                       "E: failed closed: the server closes the session (421 Too busy)\n");
}

static void
test_another_protocol_is_told_so (void)
{
    talk_play (&plain, "S: HTTP/1.1 400 Bad Request\n"
                       "E: failed protocol: the server does not speak SMTP: the line is no reply: "
                       "HTTP/1.1 400 Bad Request\n");
}

static void
test_an_old_server_gets_helo (void)
{
    talk_play (&plain, "S: 220 mx.example SMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 502 Command not implemented\n"
                       "C: HELO relay.example\n"
                       "S: 250 mx.example\n"
                       "E: ready\n");
}

static void
test_a_server_that_refuses_helo_too_is_left (void)
{
    talk_play (&plain, "S: 220 mx.example SMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 550 I do not know you\n"
                       "C: HELO relay.example\n"
                       "S: 550 I still do not\n"
                       "E: failed name: the server refuses EHLO relay.example (550 I do not know you)\n");
    talk_play (&plain, "S: 220 mx.example SMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 502 Command not implemented\n"
                       "C: HELO relay.example\n"
                       "S: 550 I do not know you\n"
                       "E: failed name: the server refuses HELO relay.example (550 I do not know you)\n");
}

/* Whatever came of HELO. */
static void
test_the_reason_is_that_of_ehlo (void)
{
    static const gchar *const ends[] = {"S: 550 I still do not\n", "S: 421 Go away\n", "S: 450 Later\n", "A: eof\n"};

    for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
        g_autofree gchar *script = g_strconcat (
            "S: 220 mx.example ESMTP\n"
            "C: EHLO relay.example\n"
            "S: 550 5.7.1 need a fully-qualified name\n"
            "C: HELO relay.example\n",
            ends[i],
            "E: failed name: the server refuses EHLO relay.example (550 5.7.1 need a fully-qualified name)\n", NULL);

        talk_play (&plain, script);
    }
}

static void
test_the_reason_is_that_of_ehlo_where_helo_has_not_what_it_takes (void)
{
    TalkSetup setup = login;

    setup.parameters.security = SMTP_SECURITY_NONE;
    setup.parameters.auth_without_tls = TRUE;
    talk_play (&starttls, "S: 220 mx.example ESMTP\n"
                          "C: EHLO relay.example\n"
                          "S: 501 5.5.2 bad name\n"
                          "C: HELO relay.example\n"
                          "S: 250 mx.example\n"
                          "E: failed name: the server refuses EHLO relay.example, and offers no TLS by HELO "
                          "(501 5.5.2 bad name)\n");
    talk_play (&setup, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 501 5.5.2 bad name\n"
                       "C: HELO relay.example\n"
                       "S: 250 mx.example\n"
                       "E: failed name: the server refuses EHLO relay.example, and offers no login by HELO "
                       "(501 5.5.2 bad name)\n");
}

static void
test_a_temporary_refusal_of_ehlo_ends_it (void)
{
    talk_play (&plain, "S: 220 mx.example SMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 451 Come back later\n"
                       "E: failed name: the server refuses EHLO relay.example (451 Come back later)\n");
}

static void
test_an_end_before_the_greeting_is_told (void)
{
    talk_play (&plain, "A: eof\n"
                       "E: failed closed: the connection ended while the greeting was awaited\n");
}

static void
test_an_end_in_the_middle_is_told (void)
{
    talk_play (&plain, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "A: eof\n"
                       "E: failed closed: the connection ended while the reply to EHLO was awaited\n");
}

static void
test_an_unasked_reply_ends_it (void)
{
    talk_play (&plain,
               "S: 220 mx.example ESMTP\n"
               "C: EHLO relay.example\n"
               "S: 250 mx.example\n"
               "E: ready\n"
               "S: 250 And another thing\n"
               "E: failed protocol: the server sent a reply that nothing asked for (250 And another thing)\n");
}

static void
test_a_server_may_close_an_idle_session (void)
{
    talk_play (&plain, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250 mx.example\n"
                       "E: ready\n"
                       "S: 421 4.4.2 Idle for too long\n"
                       "E: failed closed: the server closes the session (421 4.4.2 Idle for too long)\n");
}

static void
test_starttls_comes_before_everything (void)
{
    talk_play (&starttls, "S: 220 mx.example ESMTP\n"
                          "C: EHLO relay.example\n"
                          "S: 250-mx.example\n"
                          "S: 250 STARTTLS\n"
                          "C: STARTTLS\n"
                          "S: 220 Go ahead\n"
                          "E: start_tls\n"
                          "A: secured\n"
                          "C: EHLO relay.example\n"
                          "S: 250 mx.example\n"
                          "E: ready\n");
}

/* DSN is offered in plain only: it must be gone. */
static void
test_what_was_offered_in_plain_is_forgotten (void)
{
    g_autoptr (Talk) talk = talk_new (&starttls);

    talk_feed (talk, "220 a\r\n", 7);
    talk_feed (talk, "250-a\r\n250-DSN\r\n250 STARTTLS\r\n", 30);
    g_assert_true (smtp_client_offers_dsn (talk->client));
    talk_feed (talk, "220 b\r\n", 7);
    smtp_client_secured (talk->client);
    g_assert_false (smtp_client_offers_dsn (talk->client));
    talk_feed (talk, "250 a\r\n", 7);
    g_assert_false (smtp_client_offers_dsn (talk->client));
}

static void
test_required_tls_that_is_not_offered_ends_it (void)
{
    talk_play (&starttls, "S: 220 mx.example ESMTP\n"
                          "C: EHLO relay.example\n"
                          "S: 250 mx.example\n"
                          "E: failed tls: the server does not offer TLS\n");
}

static void
test_required_tls_does_not_come_with_helo (void)
{
    talk_play (&starttls, "S: 220 mx.example ESMTP\n"
                          "C: EHLO relay.example\n"
                          "S: 500 What\n"
                          "C: HELO relay.example\n"
                          "S: 250 mx.example\n"
                          "E: failed tls: the server does not offer TLS\n");
}

static void
test_required_tls_that_is_refused_ends_it (void)
{
    talk_play (&starttls, "S: 220 mx.example ESMTP\n"
                          "C: EHLO relay.example\n"
                          "S: 250-mx.example\n"
                          "S: 250 STARTTLS\n"
                          "C: STARTTLS\n"
                          "S: 454 4.7.0 TLS not available\n"
                          "E: failed tls: the server refuses STARTTLS (454 4.7.0 TLS not available)\n");
}

static void
test_opportunistic_tls_goes_on_without (void)
{
    talk_play (&opportunistic, "S: 220 mx.example ESMTP\n"
                               "C: EHLO relay.example\n"
                               "S: 250 mx.example\n"
                               "E: ready\n");
    talk_play (&opportunistic, "S: 220 mx.example ESMTP\n"
                               "C: EHLO relay.example\n"
                               "S: 250-mx.example\n"
                               "S: 250 STARTTLS\n"
                               "C: STARTTLS\n"
                               "S: 454 4.7.0 TLS not available\n"
                               "E: ready\n");
}

static void
test_opportunistic_tls_is_used_where_offered (void)
{
    talk_play (&opportunistic, "S: 220 mx.example ESMTP\n"
                               "C: EHLO relay.example\n"
                               "S: 250-mx.example\n"
                               "S: 250 STARTTLS\n"
                               "C: STARTTLS\n"
                               "S: 220 Go ahead\n"
                               "E: start_tls\n"
                               "A: secured\n"
                               "C: EHLO relay.example\n"
                               "S: 250-mx.example\n"
                               "S: 250 STARTTLS\n"
                               "E: ready\n");
}

/* Whether they come with the consent or behind it, an attacker put them there. */
static void
test_plain_bytes_behind_starttls_end_it (void)
{
    static const gchar *const ends[] = {"220 b\r\n250 forged\r\n", "220 b\r\n2", "220 b\r\n"};

    for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
        g_autoptr (Talk) talk = talk_new (&starttls);

        talk_feed (talk, "220 a\r\n", 7);
        talk_feed (talk, "250-a\r\n250 STARTTLS\r\n", 21);
        talk_feed (talk, ends[i], strlen (ends[i]));
        if (i == 2)
            talk_feed (talk, "250 forged\r\n", 12);
        g_assert_true (
            g_str_has_suffix (talk->log->str, "E: failed tls: bytes came in plain where TLS should have begun\n"));
        g_assert_true ((strstr (talk->log->str, "E: start_tls") != NULL) == (i == 2));
    }
}

static void
test_implicit_tls_comes_first (void)
{
    talk_play (&implicit, "A: secured\n"
                          "S: 220 mx.example ESMTP\n"
                          "C: EHLO relay.example\n"
                          "S: 250-mx.example\n"
                          "S: 250 STARTTLS\n"
                          "E: ready\n");
}

static void
test_implicit_tls_accepts_no_plain_greeting (void)
{
    talk_play (&implicit, "S: 220 mx.example ESMTP\n"
                          "E: failed tls: bytes came in plain where TLS should have begun\n");
}

#define SECURE_OPENING                                                                                               \
    "A: secured\n"                                                                                                   \
    "S: 220 mx.example ESMTP\n"                                                                                      \
    "C: EHLO relay.example\n"                                                                                        \
    "S: 250-mx.example\n"

static void
test_login_by_plain (void)
{
    talk_play (&login, SECURE_OPENING "S: 250 AUTH PLAIN LOGIN\n"
                                      "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n"
                                      "S: 235 2.7.0 Welcome\n"
                                      "E: ready\n");
}

static void
test_login_by_login (void)
{
    talk_play (&login, SECURE_OPENING "S: 250 AUTH LOGIN\n"
                                      "C: AUTH LOGIN\n"
                                      "S: 334 VXNlcm5hbWU6\n"
                                      "C: dXNlcg==\n"
                                      "S: 334 UGFzc3dvcmQ6\n"
                                      "C: c2VjcmV0\n"
                                      "S: 235 2.7.0 Welcome\n"
                                      "E: ready\n");
}

static void
test_login_by_cram_md5 (void)
{
    talk_play (&login, SECURE_OPENING "S: 250 AUTH PLAIN CRAM-MD5\n"
                                      "C: AUTH CRAM-MD5\n"
                                      "S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\n"
                                      "C: dXNlciA3MzNiYTg3ZTY0ZWQ3ZTQ0MWYwNjJjNGFjNmRiMDEwMw==\n"
                                      "S: 235 2.7.0 Welcome\n"
                                      "E: ready\n");
}

static void
test_the_old_form_of_auth_is_understood (void)
{
    talk_play (&login, SECURE_OPENING "S: 250 AUTH=PLAIN\n"
                                      "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n"
                                      "S: 235 2.7.0 Welcome\n"
                                      "E: ready\n");
}

static void
test_the_configuration_restricts_mechanisms (void)
{
    TalkSetup setup = login;

    setup.parameters.mechanisms = "LOGIN";
    talk_play (&setup, SECURE_OPENING "S: 250 AUTH PLAIN LOGIN CRAM-MD5\n"
                                      "C: AUTH LOGIN\n"
                                      "S: 535 5.7.8 No\n"
                                      "E: failed auth: the server refuses the login by LOGIN (535 5.7.8 No)\n");
}

static void
test_no_mechanism_in_common_is_told (void)
{
    TalkSetup setup = login;

    setup.parameters.mechanisms = "PLAIN LOGIN";
    talk_play (&setup, SECURE_OPENING "S: 250 AUTH GSSAPI CRAM-MD5\n"
                                      "E: failed auth: no login mechanism in common: the server offers "
                                      "GSSAPI CRAM-MD5, and PLAIN LOGIN may be used\n");
}

static void
test_no_login_offered_is_told (void)
{
    talk_play (&login, SECURE_OPENING "S: 250 PIPELINING\n"
                                      "E: failed auth: the server offers no login\n");
}

static void
test_a_login_that_was_offered_before_tls_only_is_told (void)
{
    TalkSetup setup = login;

    setup.parameters.security = SMTP_SECURITY_STARTTLS;
    talk_play (&setup, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250-mx.example\n"
                       "S: 250-AUTH PLAIN LOGIN\n"
                       "S: 250 STARTTLS\n"
                       "C: STARTTLS\n"
                       "S: 220 2.0.0 go\n"
                       "E: start_tls\n"
                       "A: secured\n"
                       "C: EHLO relay.example\n"
                       "S: 250-mx.example\n"
                       "S: 250 PIPELINING\n"
                       "E: failed auth: the server offers no login with TLS; before it, it offered PLAIN LOGIN\n");
}

static void
test_a_wrong_password_is_told (void)
{
    talk_play (&login,
               SECURE_OPENING "S: 250 AUTH PLAIN\n"
                              "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n"
                              "S: 535 5.7.8 Wrong password\n"
                              "E: failed auth: the server refuses the login by PLAIN (535 5.7.8 Wrong password)\n");
}

static void
test_a_temporary_failure_of_login_is_told (void)
{
    talk_play (&login, SECURE_OPENING "S: 250 AUTH PLAIN\n"
                                      "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n"
                                      "S: 454 4.7.0 Later\n"
                                      "E: failed auth: the server refuses the login by PLAIN (454 4.7.0 Later)\n");
}

static void
test_a_mechanism_that_is_not_known_after_all_is_replaced (void)
{
    talk_play (&login,
               SECURE_OPENING "S: 250 AUTH CRAM-MD5 PLAIN LOGIN\n"
                              "C: AUTH CRAM-MD5\n"
                              "S: 504 5.5.4 Not known\n"
                              "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n"
                              "S: 534 5.7.9 Too weak\n"
                              "C: AUTH LOGIN\n"
                              "S: 504 5.5.4 Not known\n"
                              "E: failed auth: the server refuses the login by LOGIN (504 5.5.4 Not known)\n");
}

static void
test_a_login_without_end_is_broken_off (void)
{
    talk_play (&login, SECURE_OPENING "S: 250 AUTH PLAIN\n"
                                      "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n"
                                      "S: 334 bW9yZQ==\n"
                                      "C: *\n"
                                      "S: 501 5.5.2 Broken off\n"
                                      "E: failed auth: the login by PLAIN failed: the server asks for more than "
                                      "there is\n");
}

/* An impostor that does not know the password can say 235, but not prove that it is the server. */
static void
test_success_before_the_end_is_no_success (void)
{
    TalkSetup setup = login;

    setup.parameters.mechanisms = "LOGIN";
    talk_play (&setup,
               SECURE_OPENING "S: 250 AUTH LOGIN\n"
                              "C: AUTH LOGIN\n"
                              "S: 235 2.7.0 Welcome\n"
                              "E: failed auth: the server accepted the login by LOGIN before it was complete, "
                              "so it may not be the right one (235 2.7.0 Welcome)\n");
}

static void
test_a_long_secret_follows_the_command (void)
{
    g_autofree gchar *password = g_strnfill (450, 'p');
    g_autofree gchar *both = g_strdup_printf ("%cuser%c%s", 1, 1, password);
    g_autofree gchar *response = NULL;
    g_autofree gchar *script = NULL;
    TalkSetup setup = login;

    both[0] = both[5] = '\0';
    response = g_base64_encode ((const guchar *) both, 6 + 450);
    setup.parameters.password = password;
    script = g_strdup_printf (SECURE_OPENING "S: 250 AUTH PLAIN\n"
                                             "C: AUTH PLAIN\n"
                                             "S: 334\n"
                                             "C: %s\n"
                                             "S: 235 2.7.0 Welcome\n"
                                             "E: ready\n",
                              response);
    talk_play (&setup, script);
}

static void
test_no_login_without_tls (void)
{
    TalkSetup setup = login;

    setup.parameters.security = SMTP_SECURITY_NONE;
    talk_play (&setup, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250-mx.example\n"
                       "S: 250 AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN\n"
                       "E: failed auth: the connection is not encrypted, and without TLS there is no login\n");
    setup.parameters.security = SMTP_SECURITY_OPPORTUNISTIC;
    talk_play (&setup, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250-mx.example\n"
                       "S: 250 AUTH PLAIN\n"
                       "E: failed auth: the connection is not encrypted, and without TLS there is no login\n");
}

static void
test_login_without_tls_where_it_is_allowed (void)
{
    TalkSetup setup = login;

    setup.parameters.security = SMTP_SECURITY_NONE;
    setup.parameters.auth_without_tls = TRUE;
    talk_play (&setup, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250-mx.example\n"
                       "S: 250 AUTH PLAIN\n"
                       "C: AUTH PLAIN AHVzZXIAc2VjcmV0\n"
                       "S: 235 2.7.0 Welcome\n"
                       "E: ready\n");
}

static void
test_a_login_is_known_afterwards (void)
{
    g_autoptr (Talk) talk = talk_new (&login);

    smtp_client_secured (talk->client);
    talk_feed (talk, "220 a\r\n250-a\r\n250 AUTH PLAIN\r\n", 30);
    g_assert_false (smtp_client_is_authenticated (talk->client));
    talk_feed (talk, "235 ok\r\n", 8);
    g_assert_true (smtp_client_is_authenticated (talk->client));
}

static void
test_secrets_are_not_traced (void)
{
    g_autoptr (Talk) by_plain = talk_new (&login);
    g_autoptr (Talk) by_login = talk_new (&login);

    smtp_client_secured (by_plain->client);
    talk_feed (by_plain, "220 a\r\n", 7);
    talk_feed (by_plain, "250-a\r\n250 AUTH PLAIN\r\n", 23);
    talk_feed (by_plain, "235 2.7.0 ok\r\n", 14);
    g_assert_cmpstr (by_plain->trace->str, ==,
                     "S: 220 a\n"
                     "C: EHLO relay.example\n"
                     "S: 250-a\n"
                     "S: 250 AUTH PLAIN\n"
                     "C: AUTH PLAIN ********\n"
                     "S: 235 2.7.0 ok\n");

    smtp_client_secured (by_login->client);
    talk_feed (by_login, "220 a\r\n", 7);
    talk_feed (by_login, "250-a\r\n250 AUTH LOGIN\r\n", 23);
    talk_feed (by_login, "334 VXNlcm5hbWU6\r\n", 18);
    talk_feed (by_login, "334 UGFzc3dvcmQ6\r\n", 18);
    g_assert_true (g_str_has_suffix (by_login->trace->str, "C: AUTH LOGIN\n"
                                                           "S: 334 VXNlcm5hbWU6\n"
                                                           "C: ********\n"
                                                           "S: 334 UGFzc3dvcmQ6\n"
                                                           "C: ********\n"));
}

static void
test_a_probe_asks_for_the_sender (void)
{
    talk_play (&plain, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250 mx.example\n"
                       "E: ready\n"
                       "A: probe a@example.org\n"
                       "C: MAIL FROM:<a@example.org>\n"
                       "S: 250 2.1.0 ok\n"
                       "C: RSET\n"
                       "S: 250 2.0.0 ok\n"
                       "E: ready\n"
                       "A: quit\n"
                       "C: QUIT\n"
                       "S: 221 2.0.0 Bye\n"
                       "E: failed closed: the session was ended (221 2.0.0 Bye)\n");
}

static void
test_a_refused_probe_ends_it (void)
{
    talk_play (&plain, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250 mx.example\n"
                       "E: ready\n"
                       "A: probe a@example.org\n"
                       "C: MAIL FROM:<a@example.org>\n"
                       "S: 550 5.7.1 Not you\n"
                       "E: failed reply: the server takes no mail from this sender (550 5.7.1 Not you)\n");
}

static void
test_reset_tests_an_idle_session (void)
{
    talk_play (&plain, "S: 220 mx.example ESMTP\n"
                       "C: EHLO relay.example\n"
                       "S: 250 mx.example\n"
                       "E: ready\n"
                       "A: reset\n"
                       "C: RSET\n"
                       "S: 250 2.0.0 ok\n"
                       "E: ready\n"
                       "A: quit\n"
                       "C: QUIT\n"
                       "A: eof\n"
                       "E: failed closed: the connection ended while the reply to QUIT was awaited\n");
}

static void
test_the_right_timeout_holds (void)
{
    g_autoptr (Talk) talk = talk_new (&starttls);

    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_GREETING);
    talk_feed (talk, "220 a\r\n", 7);
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_COMMAND);
    talk_feed (talk, "250-a\r\n250 STARTTLS\r\n", 21);
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_COMMAND);
    talk_feed (talk, "220 b\r\n", 7);
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_NONE);
    smtp_client_secured (talk->client);
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_COMMAND);
    smtp_client_eof (talk->client, "gone");
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_NONE);
}

static void
assert_can_be_freed_at (const TalkSetup *setup, const gchar *event, const gchar *server)
{
    g_autoptr (Talk) talk = talk_new (setup);
    g_auto (GStrv) replies = g_strsplit (server, "|", -1);

    talk->free_at = event;
    for (guint i = 0; replies[i]; i++)
        talk_feed (talk, replies[i], strlen (replies[i]));
    g_assert_null (talk->client);
}

static void
test_can_be_freed_in_any_event (void)
{
    assert_can_be_freed_at (&plain, "ready", "220 a\r\n|250 a\r\n|250 b\r\n");
    assert_can_be_freed_at (&starttls, "start_tls", "220 a\r\n|250-a\r\n250 STARTTLS\r\n|220 go\r\n|250 b\r\n");
    assert_can_be_freed_at (&plain, "failed reply: the server takes no mail from this host (554 a)", "554 a\r\n");
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

#define ADD(name, test) g_test_add_func ("/smtp/client/opening/" name, test)
    ADD ("a-greeting-leads-to-ehlo", test_a_greeting_leads_to_ehlo);
    ADD ("a-greeting-may-have-many-lines", test_a_greeting_may_have_many_lines);
    ADD ("a-refusing-greeting-ends-it", test_a_refusing_greeting_ends_it);
    ADD ("a-server-that-is-too-busy-closes", test_a_server_that_is_too_busy_closes);
    ADD ("another-protocol-is-told-so", test_another_protocol_is_told_so);
    ADD ("an-old-server-gets-helo", test_an_old_server_gets_helo);
    ADD ("a-server-that-refuses-helo-too-is-left", test_a_server_that_refuses_helo_too_is_left);
    ADD ("the-reason-is-that-of-ehlo", test_the_reason_is_that_of_ehlo);
    ADD ("the-reason-is-that-of-ehlo-where-helo-has-not-what-it-takes",
         test_the_reason_is_that_of_ehlo_where_helo_has_not_what_it_takes);
    ADD ("a-login-that-was-offered-before-tls-only-is-told", test_a_login_that_was_offered_before_tls_only_is_told);
    ADD ("a-temporary-refusal-of-ehlo-ends-it", test_a_temporary_refusal_of_ehlo_ends_it);
    ADD ("an-end-before-the-greeting-is-told", test_an_end_before_the_greeting_is_told);
    ADD ("an-end-in-the-middle-is-told", test_an_end_in_the_middle_is_told);
    ADD ("an-unasked-reply-ends-it", test_an_unasked_reply_ends_it);
    ADD ("a-server-may-close-an-idle-session", test_a_server_may_close_an_idle_session);
    ADD ("starttls-comes-before-everything", test_starttls_comes_before_everything);
    ADD ("what-was-offered-in-plain-is-forgotten", test_what_was_offered_in_plain_is_forgotten);
    ADD ("required-tls-that-is-not-offered-ends-it", test_required_tls_that_is_not_offered_ends_it);
    ADD ("required-tls-does-not-come-with-helo", test_required_tls_does_not_come_with_helo);
    ADD ("required-tls-that-is-refused-ends-it", test_required_tls_that_is_refused_ends_it);
    ADD ("opportunistic-tls-goes-on-without", test_opportunistic_tls_goes_on_without);
    ADD ("opportunistic-tls-is-used-where-offered", test_opportunistic_tls_is_used_where_offered);
    ADD ("plain-bytes-behind-starttls-end-it", test_plain_bytes_behind_starttls_end_it);
    ADD ("implicit-tls-comes-first", test_implicit_tls_comes_first);
    ADD ("implicit-tls-accepts-no-plain-greeting", test_implicit_tls_accepts_no_plain_greeting);
    ADD ("login-by-plain", test_login_by_plain);
    ADD ("login-by-login", test_login_by_login);
    ADD ("login-by-cram-md5", test_login_by_cram_md5);
    ADD ("the-old-form-of-auth-is-understood", test_the_old_form_of_auth_is_understood);
    ADD ("the-configuration-restricts-mechanisms", test_the_configuration_restricts_mechanisms);
    ADD ("no-mechanism-in-common-is-told", test_no_mechanism_in_common_is_told);
    ADD ("no-login-offered-is-told", test_no_login_offered_is_told);
    ADD ("a-wrong-password-is-told", test_a_wrong_password_is_told);
    ADD ("a-temporary-failure-of-login-is-told", test_a_temporary_failure_of_login_is_told);
    ADD ("a-mechanism-that-is-not-known-after-all-is-replaced",
         test_a_mechanism_that_is_not_known_after_all_is_replaced);
    ADD ("a-login-without-end-is-broken-off", test_a_login_without_end_is_broken_off);
    ADD ("success-before-the-end-is-no-success", test_success_before_the_end_is_no_success);
    ADD ("a-long-secret-follows-the-command", test_a_long_secret_follows_the_command);
    ADD ("no-login-without-tls", test_no_login_without_tls);
    ADD ("login-without-tls-where-it-is-allowed", test_login_without_tls_where_it_is_allowed);
    ADD ("a-login-is-known-afterwards", test_a_login_is_known_afterwards);
    ADD ("secrets-are-not-traced", test_secrets_are_not_traced);
    ADD ("a-probe-asks-for-the-sender", test_a_probe_asks_for_the_sender);
    ADD ("a-refused-probe-ends-it", test_a_refused_probe_ends_it);
    ADD ("reset-tests-an-idle-session", test_reset_tests_an_idle_session);
    ADD ("the-right-timeout-holds", test_the_right_timeout_holds);
    ADD ("can-be-freed-in-any-event", test_can_be_freed_in_any_event);

    return g_test_run ();
}
