/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "postern-client.h"

/* What to do where there is no smarthost. */
#define REMOTES_NONE_ADVICE                                                                                          \
    "“postern setup” makes one; by hand, set Host= in the group [Smarthost] of postern.conf, then “postern reload”"

/*
 * The relay's remotes, as they were when they were asked for.
 */

typedef struct {
    GVariant *properties; /* what the others point into */
    const gchar *name;
    const gchar *host;
    guint16 port;
    const gchar *state;
    const gchar *error;
    guint64 since;
    guint64 next_probe;
    guint64 connections;
    guint64 sessions;
    guint64 delivered;
    guint64 deferred;
    guint64 failed;
} Remote;

/* Returns: (transfer full): of Remote, in the order of preference; or %NULL */
GPtrArray *remotes_load (const Client *client, GError **error);

/* Returns: (transfer full): "smtp.example.org:587", escaped */
gchar *remote_place (const Remote *remote);

/* Adds an array to what is being built. */
void remotes_add_json (JsonBuilder *builder, GPtrArray *remotes);
