/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * identity_host_name:
 * @wait_seconds: how long the name service may take
 *
 * The machine's fully qualified name, else its host name, else "localhost.localdomain". May wait for the name service;
 * not for a thread that serves.
 *
 * Returns: (transfer full)
 */
gchar *identity_host_name (guint wait_seconds);

/* Returns: (transfer full) (nullable): the domain in the first line of the file @path (/etc/mailname) that is no comment */
gchar *identity_mail_name (const gchar *path);

/* Whether others can do something with the host name or domain @name: it has a dot, and is none that every machine has. */
gboolean identity_is_useful (const gchar *name);
