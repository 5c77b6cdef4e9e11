/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The relay: all rooms tied together.
 */

typedef struct _Relay Relay;

typedef struct {
    const gchar *config; /* path of the main configuration file */
    gboolean config_may_be_missing;
    const gchar *state_directory; /* made if it is missing, mode 0700; the queue is in its "queue" */
    const gchar *bus;             /* see bus_new (); "none" for no bus */
    const gchar *const *listen;   /* (nullable) see listen_socket_bind () */

    /* There is nothing to do, and whoever holds the sockets starts the relay again: it should be stopped now. Called once. */
    void (*asleep) (gpointer user_data);
    gpointer user_data;
} RelayOptions;

/**
 * relay_new:
 * @options: strings must outlive the relay
 *
 * Reads the configuration, opens the queue, and listens. Serves when the main loop runs, and tells the service manager
 * that it is ready. A bad configuration is no error: the log is told, and mail is taken in.
 *
 * Returns: (transfer full): or %NULL with an error that says what to do: a QUEUE_ERROR, %G_IO_ERROR_INVALID_ARGUMENT for a place to listen that is not understood, or another GIOError
 */
Relay *relay_new (const RelayOptions *options, GError **error);

/* Breaks off what is under way. */
void relay_free (Relay *relay);

/* Reads the configuration anew. %FALSE: it is bad, the log was told, and the old one stays in force. */
gboolean relay_reload (Relay *relay, GError **error);

/**
 * relay_stop:
 *
 * Takes no more, tells clients to come again, ends what is under way or puts it back. @stopped is called when that is
 * done, at the latest after some seconds; then the relay can be freed.
 */
void relay_stop (Relay *relay, void (*stopped) (gpointer user_data), gpointer user_data);

/* Whether there is mail in the queue. */
gboolean relay_has_mail (Relay *relay);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Relay, relay_free)
