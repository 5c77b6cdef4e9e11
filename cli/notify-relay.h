/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * A relay that is watched for what becomes of the own mail.
 */

typedef enum {
    NOTIFY_REFUSED, /* a recipient refused for good */
    NOTIFY_EXPIRED, /* a recipient was given up */
    NOTIFY_STUCK    /* a message waits for long; told once of each */
} NotifyKind;

/* @recipient, @reason: as they came, "" if there is none */
typedef void (*NotifyTold) (NotifyKind kind, const gchar *recipient, const gchar *reason, gpointer user_data);

typedef struct _NotifyRelay NotifyRelay;

/**
 * notify_relay_new:
 * @connection: the bus that the relay is on, or will be
 * @stuck_usec: how long a message waits until it is stuck
 *
 * The relay is never started by this.
 */
NotifyRelay *notify_relay_new (GDBusConnection *connection, gint64 stuck_usec, NotifyTold told, gpointer user_data);
void notify_relay_free (NotifyRelay *relay);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyRelay, notify_relay_free)
