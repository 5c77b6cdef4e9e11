/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The opening of a client's session
 *
 * Greeting, EHLO (HELO for a server that does not know it), STARTTLS and EHLO again, AUTH. At its end the session is
 * what the configuration asked for, or it has failed: a required TLS that is not offered, or a login that does not
 * succeed, never leads to mail being sent without.
 *
 * A server that knows EHLO and refuses it gave a reason, mostly the name that it was told. HELO may do nevertheless; if it does
 * not, whatever fails then, that reason is the one to be told.
 *
 * What was learned in plain is forgotten once TLS is up (RFC 3207 4.2), and bytes that come in plain behind the
 * server's consent to STARTTLS end the session: they can only be put there to be taken for encrypted ones.
 *
 * Without TLS no mechanism is used at all unless the configuration allows it. Those that do not send the password
 * would give a listener something to guess it from.
 */

#include "smtp/client-private.h"

#include <string.h>

/* A longer AUTH line is sent without its initial response, which then follows by itself (RFC 4954 4). */
#define COMMAND_LONGEST_BYTES 510

#define SECRET_SHOWN "********"

static void client_open_further (SmtpClient *client);

void
client_take_greeting (SmtpClient *client, const SmtpReply *reply)
{
    if (client_reply_is_success (reply))
        client_command (client, CLIENT_EXPECTS_EHLO, "EHLO %s", client->host_name);
    else
        client_fail (client, SMTP_CLIENT_FAILED_REPLY, reply, "the server takes no mail from this host");
}

void
client_take_ehlo (SmtpClient *client, const SmtpReply *reply)
{
    g_clear_pointer (&client->ehlo_refusal, smtp_reply_free);
    if (client_reply_is_success (reply)) {
        smtp_capabilities_read (&client->capabilities, reply);
        client_open_further (client);
        return;
    }

    /* 500, 502: the command is not known. */
    if (reply->code != 500 && reply->code != 502)
        client->ehlo_refusal = smtp_reply_copy (reply);
    if (smtp_reply_is_permanent (reply)) {
        client_command (client, CLIENT_EXPECTS_HELO, "HELO %s", client->host_name);
    } else {
        client_fail_for_ehlo (client, NULL);
    }
}

gboolean
client_fail_for_ehlo (SmtpClient *client, const gchar *consequence)
{
    if (!client->ehlo_refusal)
        return FALSE;

    client_fail (client, SMTP_CLIENT_FAILED_NAME, client->ehlo_refusal, "the server refuses EHLO %s%s%s",
                 client->host_name, consequence ? ", and " : "", consequence ? consequence : "");
    return TRUE;
}

void
client_take_helo (SmtpClient *client, const SmtpReply *reply)
{
    if (client_reply_is_success (reply))
        client_open_further (client);
    else if (!client_fail_for_ehlo (client, NULL))
        client_fail (client, SMTP_CLIENT_FAILED_NAME, reply, "the server refuses HELO %s", client->host_name);
}

/* ---- STARTTLS ---- */

/* Returns: whether STARTTLS, or the end of the session without it, comes next */
static gboolean
client_start_tls (SmtpClient *client)
{
    gboolean required = client->security == SMTP_SECURITY_STARTTLS;

    if (client->secure || client->tls_refused || (!required && client->security != SMTP_SECURITY_OPPORTUNISTIC))
        return FALSE;
    if (!required && !client->capabilities.starttls)
        return FALSE;

    if (client->capabilities.starttls)
        client_command (client, CLIENT_EXPECTS_STARTTLS, "STARTTLS");
    else if (!client_fail_for_ehlo (client, "offers no TLS by HELO"))
        client_fail (client, SMTP_CLIENT_FAILED_TLS, NULL, "the server does not offer TLS");

    return TRUE;
}

void
client_take_starttls (SmtpClient *client, const SmtpReply *reply)
{
    if (client_reply_is_success (reply)) {
        client->state = CLIENT_SHAKING;
        client->tell_start_tls = TRUE;
    } else if (client->security == SMTP_SECURITY_OPPORTUNISTIC) {
        client->tls_refused = TRUE;
        client_open_further (client);
    } else {
        client_fail (client, SMTP_CLIENT_FAILED_TLS, reply, "the server refuses STARTTLS");
    }
}

void
client_take_secured (SmtpClient *client)
{
    client->secure = TRUE;
    if (client->state != CLIENT_SHAKING)
        return;

    client->state = CLIENT_OPENING;
    client->auth_in_plain = g_steal_pointer (&client->capabilities.auth);
    smtp_capabilities_clear (&client->capabilities);
    smtp_reply_parser_reset (client->parser);
    client_command (client, CLIENT_EXPECTS_EHLO, "EHLO %s", client->host_name);
}

/* ---- AUTH ---- */

static void
client_respond (SmtpClient *client, const gchar *response)
{
    client_secret_command (client, CLIENT_EXPECTS_AUTH, response, SECRET_SHOWN);
}

static void
client_send_auth (SmtpClient *client, const gchar *initial_response)
{
    g_autofree gchar *bare = g_strdup_printf ("AUTH %s", client->mechanism);
    g_autofree gchar *shown = g_strdup_printf ("AUTH %s %s", client->mechanism, SECRET_SHOWN);
    g_autofree gchar *line = NULL;

    if (!initial_response) {
        client_command (client, CLIENT_EXPECTS_AUTH, "%s", bare);
        return;
    }

    line = g_strdup_printf ("%s %s", bare, initial_response[0] != '\0' ? initial_response : "=");
    if (strlen (line) <= COMMAND_LONGEST_BYTES) {
        client_secret_command (client, CLIENT_EXPECTS_AUTH, line, shown);
    } else {
        client->initial_response = g_strdup (initial_response);
        client_command (client, CLIENT_EXPECTS_AUTH, "%s", bare);
    }
    explicit_bzero (line, strlen (line));
}

static void
client_authenticate_by (SmtpClient *client, const gchar *mechanism)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *initial_response = NULL;

    client->mechanism = mechanism;
    g_clear_pointer (&client->sasl, smtp_sasl_free);
    client->sasl = smtp_sasl_new (mechanism, client->user, client->password ? client->password : "", &error);
    if (client->sasl && smtp_sasl_starts (client->sasl))
        initial_response = smtp_sasl_step (client->sasl, NULL, &error);
    if (error) {
        client_fail (client, SMTP_CLIENT_FAILED_AUTH, NULL, "cannot log in by %s: %s", mechanism, error->message);
        return;
    }

    client_send_auth (client, initial_response);
    if (initial_response)
        explicit_bzero (initial_response, strlen (initial_response));
}

static void
client_fail_without_login (SmtpClient *client)
{
    if (client_fail_for_ehlo (client, "offers no login by HELO"))
        return;

    if (client->auth_in_plain)
        client_fail (client, SMTP_CLIENT_FAILED_AUTH, NULL,
                     "the server offers no login with TLS; before it, it offered %s", client->auth_in_plain);
    else
        client_fail (client, SMTP_CLIENT_FAILED_AUTH, NULL, "the server offers no login%s",
                     client->secure ? "" : " without TLS");
}

static void
client_authenticate (SmtpClient *client)
{
    const gchar *offered = client->capabilities.auth;
    const gchar *mechanism;

    if (!client->secure && !client->auth_without_tls) {
        client_fail (client, SMTP_CLIENT_FAILED_AUTH, NULL,
                     "the connection is not encrypted, and without TLS there is no login");
        return;
    }
    if (!offered) {
        client_fail_without_login (client);
        return;
    }

    mechanism = smtp_sasl_choose (offered, client->mechanisms, client->tried->str);
    if (mechanism)
        client_authenticate_by (client, mechanism);
    else
        client_fail (client, SMTP_CLIENT_FAILED_AUTH, NULL,
                     "no login mechanism in common: the server offers %s, and %s may be used", offered,
                     client->mechanisms ? client->mechanisms : smtp_sasl_known ());
}

/* Nothing that we could say would make sense to the server: break the dialogue off (RFC 4954 4). */
static void
client_cancel_auth (SmtpClient *client, const gchar *fault)
{
    client->auth_fault = g_strdup (fault);
    client_command (client, CLIENT_EXPECTS_AUTH_CANCEL, "*");
}

static void
client_answer_challenge (SmtpClient *client, const SmtpReply *reply)
{
    g_autofree gchar *response = g_steal_pointer (&client->initial_response);
    g_autoptr (GError) error = NULL;

    if (!response)
        response = smtp_sasl_step (client->sasl, reply->text, &error);
    if (!response) {
        client_cancel_auth (client, error->message);
        return;
    }

    client_respond (client, response);
    explicit_bzero (response, strlen (response));
}

/* 504: not known after all; 534: too weak for this user (RFC 4954 6). */
static gboolean
client_try_another_mechanism (SmtpClient *client, const SmtpReply *reply)
{
    const gchar *next;

    if (reply->code != 504 && reply->code != 534)
        return FALSE;

    g_string_append_printf (client->tried, " %s", client->mechanism);
    next = smtp_sasl_choose (client->capabilities.auth, client->mechanisms, client->tried->str);
    if (next)
        client_authenticate_by (client, next);

    return next != NULL;
}

static void
client_finish_auth (SmtpClient *client, const SmtpReply *reply)
{
    if (!smtp_sasl_is_complete (client->sasl)) {
        client_fail (client, SMTP_CLIENT_FAILED_AUTH, reply,
                     "the server accepted the login by %s before it was complete, so it may not be the right one",
                     client->mechanism);
        return;
    }

    g_clear_pointer (&client->sasl, smtp_sasl_free);
    client->authenticated = TRUE;
    client_open_further (client);
}

void
client_take_auth (SmtpClient *client, const SmtpReply *reply)
{
    if (reply->code == 334)
        client_answer_challenge (client, reply);
    else if (client_reply_is_success (reply))
        client_finish_auth (client, reply);
    else if (!client_try_another_mechanism (client, reply))
        client_fail (client, SMTP_CLIENT_FAILED_AUTH, reply, "the server refuses the login by %s", client->mechanism);
}

void
client_take_auth_cancel (SmtpClient *client, const SmtpReply *reply)
{
    client_fail (client, SMTP_CLIENT_FAILED_AUTH, NULL, "the login by %s failed: %s", client->mechanism,
                 client->auth_fault);
}

/* ---- What comes next ---- */

static void
client_open_further (SmtpClient *client)
{
    if (client_start_tls (client))
        return;

    if (client->user && !client->authenticated)
        client_authenticate (client);
    else
        client_become_ready (client);
}
