/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * Who a caller is, and what polkit says the caller may do.
 */

#define BUS_ACTION_INSPECT      "org.postern.relay1.inspect"
#define BUS_ACTION_MANAGE       "org.postern.relay1.manage"
#define BUS_ACTION_READ_CONTENT "org.postern.relay1.read-content"
#define BUS_ACTION_CONFIGURE    "org.postern.relay1.configure"

typedef struct _BusAuthorization BusAuthorization;

/* @uid: -1 with @error. */
typedef void (*BusIdentified) (gint64 uid, const GError *error, gpointer user_data);

/* @error: why not, a BUS_ERROR; %NULL if it is authorized. */
typedef void (*BusAuthorized) (const GError *error, gpointer user_data);

/**
 * bus_authorization_new:
 * @polkit: whether polkit watches over this bus; it does over the system bus only
 *
 * Returns: (transfer full): which must be freed before @connection
 */
BusAuthorization *bus_authorization_new (GDBusConnection *connection, gboolean polkit);

/* What is still asked is answered with an error, when the main loop runs next. */
void bus_authorization_free (BusAuthorization *authorization);

/**
 * bus_authorization_identify:
 * @sender: the unique name of a caller
 *
 * Asks the bus which user that is. @identified is called from the main loop, or at once.
 */
void bus_authorization_identify (BusAuthorization *authorization, const gchar *sender, BusIdentified identified,
                                 gpointer user_data);

/* Whether it is known which user @sender is. */
gboolean bus_authorization_knows (const BusAuthorization *authorization, const gchar *sender);

/* Whether @uid may do everything without being asked for: root, and the user whom the daemon runs as. */
gboolean bus_authorization_is_master (const BusAuthorization *authorization, gint64 uid);

/**
 * bus_authorization_check:
 * @sender: the unique name of a caller
 * @uid: its user
 * @action: a polkit action
 * @interactive: whether polkit may ask the person for a password, which takes as long as the person does
 *
 * Asks whether the caller may. @authorized is called from the main loop, or at once.
 */
void bus_authorization_check (BusAuthorization *authorization, const gchar *sender, gint64 uid, const gchar *action,
                              gboolean interactive, BusAuthorized authorized, gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusAuthorization, bus_authorization_free)
