/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The end of a session
 *
 * Says why a session with a remote is over, in a form for people (reason), for programs (status) and for the health
 * of the remote (kind). A session's end never decides about a message: whatever its reply says, the message can be
 * tried at another remote or later, so the status is always of class 4.
 */

#include "delivery/failure.h"

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
