/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/remote.h"

/* The remotes that the configuration names, and those that it named before and that are still busy. */

typedef struct _DeliveryRoster DeliveryRoster;

/* @queue, @poller, @events: must outlive the roster */
DeliveryRoster *delivery_roster_new (Queue *queue, SmtpPoller *poller, const DeliveryRemoteEvents *events,
                                     gpointer user_data);

/* Breaks off what is under way. */
void delivery_roster_free (DeliveryRoster *roster);

/**
 * delivery_roster_set:
 * @settings: must outlive the roster, or be replaced
 *
 * Remotes of the same name, host, port and user stay; others begin anew, and those that are named no more finish what
 * they have in hand and go.
 *
 * Returns: %FALSE with a SMTP_TLS_ERROR that names a trust file; then nothing has changed
 */
gboolean delivery_roster_set (DeliveryRoster *roster, const DeliverySettings *settings, GError **error);

/* (element-type DeliveryRemote) (transfer none): beside the settings' smarthosts; until the next set */
GPtrArray *delivery_roster_remotes (DeliveryRoster *roster);

/* (nullable) (transfer none): what the sessions of remote @index take their TLS from */
SmtpTls *delivery_roster_tls (DeliveryRoster *roster, guint index);

/* Frees former remotes that have nothing left to do. Not from within their events. */
void delivery_roster_tidy (DeliveryRoster *roster);

/* All their sessions finish what they have in hand and quit; no others are opened. */
void delivery_roster_retire (DeliveryRoster *roster);

/* All their sessions are broken off. */
void delivery_roster_break (DeliveryRoster *roster);

/* Sessions of all remotes, former ones too. */
guint delivery_roster_sessions (const DeliveryRoster *roster);
