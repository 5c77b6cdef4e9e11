/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * What the service manager is told: the stages of the daemon's life, that it is alive, and a line on how it is doing.
 */

typedef struct _Service Service;

/* Writes the line that `systemctl status` shows. */
typedef void (*ServiceStatus) (GString *text, gpointer user_data);

/* Begins to feed the watchdog, if there is one. Without a service manager nothing is ever said. */
Service *service_new (ServiceStatus status, gpointer user_data);
void service_free (Service *service);

void service_ready (Service *service);
void service_reloading (Service *service);
void service_stopping (Service *service);

/* Stopping because there is nothing to do. Returns when the service manager knows it: whatever starts the service from then on
 * does so when this process has ended. */
void service_sleeping (Service *service);

/* Whether this process was started by a service manager, which holds its sockets and can start it anew. */
gboolean service_is_managed (void);

/* The status may have changed: it is asked for within a second, and told if it has. */
void service_touch (Service *service);

/**
 * service_failed:
 * @why: may have several lines; the first one is told, and how many more there are
 * @advice: what to do about it
 *
 * Tells why the daemon does not start, as the line that `systemctl status` shows. Waits until the service manager has
 * read it: it would not know any more whose word it is once the process is gone.
 */
void service_failed (const gchar *why, const gchar *advice);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Service, service_free)
