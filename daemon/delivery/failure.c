/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The end of a session
 *
 * Says why a session with a remote is over, in a form for people (reason), for programs (status) and for the health
 * of the remote (kind). A session's end never decides about a message: whatever its reply says, the message can be
 * tried at another remote or later, so the status is always of class 4.
 */

#include "delivery/failure.h"

#include "smtp/tls.h"

#include <string.h>

/* RFC 3463 3.5, 3.6, 3.8; X.7.8 is from RFC 4954 6. */
static const gchar *
status_of_kind (DeliveryFailureKind kind)
{
    switch (kind) {
    case DELIVERY_FAILURE_NONE:
    case DELIVERY_FAILURE_LOCAL:
        return "4.3.0";
    case DELIVERY_FAILURE_LOOKUP:
        return "4.4.3";
    case DELIVERY_FAILURE_CONNECT:
        return "4.4.1";
    case DELIVERY_FAILURE_TLS:
    case DELIVERY_FAILURE_CERTIFICATE:
        return "4.7.5";
    case DELIVERY_FAILURE_LOGIN:
        return "4.7.8";
    case DELIVERY_FAILURE_REFUSED:
        return "4.3.2";
    case DELIVERY_FAILURE_CLOSED:
    case DELIVERY_FAILURE_TIMEOUT:
        return "4.4.2";
    case DELIVERY_FAILURE_PROTOCOL:
        return "4.5.0";
    }

    g_return_val_if_reached ("4.0.0");
}

DeliveryFailure *
delivery_failure_new (DeliveryFailureKind kind, const SmtpReply *reply, gchar *reason)
{
    DeliveryFailure *failure = g_new0 (DeliveryFailure, 1);
    gboolean has_status = reply && reply->status[0];

    failure->kind = kind;
    failure->reason = reason;
    failure->code = reply ? reply->code : 0;
    failure->answered = reply != NULL;
    g_strlcpy (failure->status, has_status ? reply->status : status_of_kind (kind), sizeof failure->status);
    failure->status[0] = '4';
    return failure;
}

static DeliveryFailureKind
kind_of_session (SmtpClientFailure failure)
{
    switch (failure) {
    case SMTP_CLIENT_FAILED_REPLY:
    case SMTP_CLIENT_FAILED_NAME:
        return DELIVERY_FAILURE_REFUSED;
    case SMTP_CLIENT_FAILED_TLS:
        return DELIVERY_FAILURE_TLS;
    case SMTP_CLIENT_FAILED_AUTH:
        return DELIVERY_FAILURE_LOGIN;
    case SMTP_CLIENT_FAILED_PROTOCOL:
        return DELIVERY_FAILURE_PROTOCOL;
    case SMTP_CLIENT_FAILED_CLOSED:
        return DELIVERY_FAILURE_CLOSED;
    }

    g_return_val_if_reached (DELIVERY_FAILURE_PROTOCOL);
}

DeliveryFailure *
delivery_failure_of_session (const gchar *address, const gchar *user, SmtpClientFailure failure, const gchar *reason,
                             const SmtpReply *reply)
{
    g_autofree gchar *quote = reply ? smtp_reply_line (reply) : NULL;
    gchar *text;

    if (failure == SMTP_CLIENT_FAILED_AUTH && reply)
        text = g_strdup_printf ("%s: authentication refused: %s%s%s", address, quote,
                                smtp_reply_is_permanent (reply) ? "; check the password of User=" : "",
                                smtp_reply_is_permanent (reply) ? user : "");
    else if (quote && !strstr (reason, quote))
        text = g_strdup_printf ("%s: %s: %s%s", address, reason, quote,
                                failure == SMTP_CLIENT_FAILED_NAME ? "; see HostName=" : "");
    else
        text = g_strdup_printf ("%s: %s", address, reason);

    return delivery_failure_new (kind_of_session (failure), reply, text);
}

/* What can be done here about a certificate's fault, if anything. */
static const gchar *
advice_for_tls (SmtpTlsError error)
{
    switch (error) {
    case SMTP_TLS_ERROR_NAME:
        return "; is Host= right? It has to be a name that the certificate is for";
    case SMTP_TLS_ERROR_TIME:
        return "; unless the clock of this machine is wrong, only who runs the server can renew it";
    case SMTP_TLS_ERROR_AUTHORITY:
        return "; if the host is the right one, name its authority in TrustFile=";
    case SMTP_TLS_ERROR_SETUP:
    case SMTP_TLS_ERROR_HANDSHAKE:
    case SMTP_TLS_ERROR_CERTIFICATE:
        return "";
    }

    g_return_val_if_reached ("");
}

DeliveryFailure *
delivery_failure_of_tls (const gchar *address, const GError *error)
{
    SmtpTlsError code = (SmtpTlsError) error->code;
    gboolean certificate = code != SMTP_TLS_ERROR_SETUP && code != SMTP_TLS_ERROR_HANDSHAKE;

    return delivery_failure_new (certificate ? DELIVERY_FAILURE_CERTIFICATE : DELIVERY_FAILURE_TLS, NULL,
                                 g_strdup_printf ("%s: %s%s", address, error->message, advice_for_tls (code)));
}

static const gchar *
what_was_missing (SmtpClientWait wait)
{
    switch (wait) {
    case SMTP_CLIENT_WAIT_NONE:
        return "the TLS handshake did not end";
    case SMTP_CLIENT_WAIT_GREETING:
        return "no greeting came";
    case SMTP_CLIENT_WAIT_COMMAND:
        return "a command was not answered";
    case SMTP_CLIENT_WAIT_DATA:
        return "DATA was not answered";
    case SMTP_CLIENT_WAIT_BLOCK:
        return "the content was not taken";
    case SMTP_CLIENT_WAIT_END:
        return "the end of the content was not answered";
    }

    g_return_val_if_reached (NULL);
}

DeliveryFailure *
delivery_failure_of_wait (const gchar *address, SmtpClientWait wait, guint seconds)
{
    return delivery_failure_new (DELIVERY_FAILURE_TIMEOUT, NULL,
                                 g_strdup_printf ("%s: %s within %u %s", address, what_was_missing (wait), seconds,
                                                  seconds == 1 ? "second" : "seconds"));
}

DeliveryFailure *
delivery_failure_copy (const DeliveryFailure *failure)
{
    DeliveryFailure *copy = g_memdup2 (failure, sizeof *failure);

    copy->reason = g_strdup (failure->reason);
    return copy;
}

void
delivery_failure_free (DeliveryFailure *failure)
{
    g_free (failure->reason);
    g_free (failure);
}

gboolean
delivery_failure_is_crowding (const DeliveryFailure *failure)
{
    return failure->code >= 400 && failure->code < 500;
}
