/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Authentication mechanisms
 *
 * A thin layer over GNU SASL, which knows the mechanisms. This file decides which of them are used, and in which
 * order of preference: those that keep the password from the server's wire and log come first.
 *
 *  - SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 7677, RFC 5802): the password is not sent, and the server has to prove that
 *    it knows it too. The forms with channel binding (-PLUS) are left out: they need TLS's secrets in here.
 *  - CRAM-MD5 (RFC 2195): the password is not sent.
 *  - PLAIN and LOGIN: it is. Behind TLS that is what nearly all providers offer.
 *
 * The library knows more, which are left out because they need more than a user and a password, or are known to be
 * broken (DIGEST-MD5, RFC 6331; NTLM).
 */

#include "smtp/sasl.h"

#include <gsasl.h>
#include <string.h>

static const gchar *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"};

struct _SmtpSasl {
    Gsasl *library;
    Gsasl_session *session;
    gboolean starts;
    gboolean complete;
};

GQuark
smtp_sasl_error_quark (void)
{
    return g_quark_from_static_string ("smtp-sasl-error");
}

static gboolean
list_has (const gchar *list, const gchar *mechanism)
{
    gsize length = strlen (mechanism);

    for (const gchar *word = list; word && *word;) {
        gsize word_length = strcspn (word, " ");

        if (word_length == length && g_ascii_strncasecmp (word, mechanism, length) == 0)
            return TRUE;
        word += word_length;
        word += strspn (word, " ");
    }

    return FALSE;
}

const gchar *
smtp_sasl_choose (const gchar *offered, const gchar *allowed, const gchar *tried)
{
    for (guint i = 0; i < G_N_ELEMENTS (mechanisms); i++) {
        if (list_has (offered, mechanisms[i]) && (!allowed || list_has (allowed, mechanisms[i])) &&
            !list_has (tried, mechanisms[i]))
            return mechanisms[i];
    }

    return NULL;
}

const gchar *
smtp_sasl_known (void)
{
    return "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN";
}

static gboolean
mechanism_starts (const gchar *mechanism)
{
    return strcmp (mechanism, "CRAM-MD5") != 0 && strcmp (mechanism, "LOGIN") != 0;
}

SmtpSasl *
smtp_sasl_new (const gchar *mechanism, const gchar *user, const gchar *password, GError **error)
{
    g_autoptr (SmtpSasl) sasl = g_new0 (SmtpSasl, 1);
    int result = gsasl_init (&sasl->library);

    if (result == GSASL_OK)
        result = gsasl_client_start (sasl->library, mechanism, &sasl->session);
    if (result == GSASL_OK)
        result = gsasl_property_set (sasl->session, GSASL_AUTHID, user);
    if (result == GSASL_OK)
        result = gsasl_property_set (sasl->session, GSASL_PASSWORD, password);
    if (result != GSASL_OK) {
        g_set_error (error, SMTP_SASL_ERROR, SMTP_SASL_ERROR_SETUP, "%s cannot be used: %s", mechanism,
                     gsasl_strerror (result));
        return NULL;
    }

    sasl->starts = mechanism_starts (mechanism);
    return g_steal_pointer (&sasl);
}

void
smtp_sasl_free (SmtpSasl *sasl)
{
    if (!sasl)
        return;

    if (sasl->session)
        gsasl_finish (sasl->session);
    if (sasl->library)
        gsasl_done (sasl->library);
    g_free (sasl);
}

gboolean
smtp_sasl_starts (const SmtpSasl *sasl)
{
    return sasl->starts;
}

static SmtpSaslError
error_code (int result)
{
    return result == GSASL_SASLPREP_ERROR ? SMTP_SASL_ERROR_SETUP : SMTP_SASL_ERROR_CHALLENGE;
}

gchar *
smtp_sasl_step (SmtpSasl *sasl, const gchar *challenge, GError **error)
{
    char *output = NULL;
    gchar *response;
    int result;

    /* The library would answer with what it said last. */
    if (sasl->complete) {
        g_set_error (error, SMTP_SASL_ERROR, SMTP_SASL_ERROR_CHALLENGE, "the server asks for more than there is");
        return NULL;
    }

    result = gsasl_step64 (sasl->session, challenge, &output);
    if (result != GSASL_OK && result != GSASL_NEEDS_MORE) {
        g_set_error (error, SMTP_SASL_ERROR, error_code (result), "%s", gsasl_strerror (result));
        return NULL;
    }

    sasl->complete = result == GSASL_OK;
    response = g_strdup (output ? output : "");
    gsasl_free (output);

    return response;
}

gboolean
smtp_sasl_is_complete (const SmtpSasl *sasl)
{
    return sasl->complete;
}
