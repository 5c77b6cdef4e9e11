/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "notify-relay.h"

/*
 * Notifications on the desktop, few even when much goes wrong at once.
 */

typedef struct _NotifyPopup NotifyPopup;

/* @session: the bus of the desktop */
NotifyPopup *notify_popup_new (GDBusConnection *session);

/* Shows what was not shown yet, waiting for the desktop to take it. */
void notify_popup_free (NotifyPopup *popup);

/* Something to show; a moment later, together with what else comes until then. */
void notify_popup_add (NotifyPopup *popup, NotifyKind kind, const gchar *recipient, const gchar *reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (NotifyPopup, notify_popup_free)
