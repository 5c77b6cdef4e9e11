/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/sendmail-reply.h"

/*
 * The connection to the relay: what is sent and the replies that are still to come. It never waits for the one
 * without taking in the other, so that neither side can block the other.
 */
typedef struct _SendmailConnection SendmailConnection;

/* Whom a reply is for, in the caller's own numbers; SENDMAIL_COMMAND_NONE is a reply that nobody waits for. */
#define SENDMAIL_COMMAND_NONE 0

typedef struct {
    guint command; /* what was given to sendmail_connection_command () */
    guint index;
} SendmailAwaited;

/**
 * SendmailReplyHandler:
 * @awaited: which command the reply is for
 *
 * Returns: %FALSE with a SENDMAIL_ERROR to give up
 */
typedef gboolean (*SendmailReplyHandler) (SendmailAwaited awaited, const SendmailReply *reply, gpointer user_data,
                                          GError **error);

/* Opens a stream socket to @path; returns -1 with a SENDMAIL_ERROR that says what to do. */
gint sendmail_connection_dial (const gchar *path, GError **error);

/**
 * sendmail_connection_open:
 * @path: the relay's socket
 * @verbose: whether commands and replies are shown on standard error
 * @handler: is called for each reply
 *
 * Returns: (transfer full): the connection; or %NULL with a SENDMAIL_ERROR
 */
SendmailConnection *sendmail_connection_open (const gchar *path, gboolean verbose, SendmailReplyHandler handler,
                                              gpointer user_data, GError **error);
void sendmail_connection_free (SendmailConnection *connection);

/* Awaits one more reply, for something that was sent otherwise or, the greeting, not at all. */
void sendmail_connection_await (SendmailConnection *connection, guint command, guint index);

/* Puts a command line in line for sending, and its reply in line for coming. @line is without CRLF. */
void sendmail_connection_command (SendmailConnection *connection, guint command, guint index, const gchar *line);

/* Puts a command line in line whose reply may come or not. */
void sendmail_connection_command_unawaited (SendmailConnection *connection, const gchar *line);

/* Puts bytes in line for sending. */
void sendmail_connection_append (SendmailConnection *connection, const gchar *data, gsize length);

/* How many bytes are in line for sending. */
gsize sendmail_connection_pending (const SendmailConnection *connection);

/* Sends what is in line. */
gboolean sendmail_connection_send (SendmailConnection *connection, GError **error);

/* Sends what is in line and takes in all replies that are awaited; @timeout_seconds is for each wait. */
gboolean sendmail_connection_finish (SendmailConnection *connection, guint timeout_seconds, GError **error);

/**
 * sendmail_connection_wait:
 * @input: a descriptor
 * @timeout_seconds: how long to wait
 * @ready: (out): whether @input can be read; %FALSE if the time is over
 *
 * Sends what is in line, then waits for @input, taking in replies meanwhile.
 */
gboolean sendmail_connection_wait (SendmailConnection *connection, gint input, guint timeout_seconds, gboolean *ready,
                                   GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailConnection, sendmail_connection_free)
