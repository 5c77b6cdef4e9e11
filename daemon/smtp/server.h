/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/envelope.h"
#include "smtp/reply.h"

/*
 * The server's side of one SMTP session (RFC 5321), sans I/O: bytes come in by smtp_server_feed (), replies go out
 * by smtp_server_take_output (). What only the relay can decide or do is asked of it through SmtpServerHandlers.
 */

typedef struct _SmtpServer SmtpServer;

typedef struct {
    const gchar *host_name;        /* in the greeting and in EHLO's reply */
    gboolean trusted;              /* may relay and use bare addresses */
    gboolean lenient;              /* a bare LF ends a command, bare CR and LF in content become CRLF */
    gboolean return_path;          /* XRETURNPATH is announced */
    gboolean tls_offered;          /* STARTTLS is announced */
    gboolean tls_active;           /* TLS from the first byte (submissions) */
    guint64 message_longest_bytes; /* 0: no limit; announced with SIZE */
    guint recipients_most;         /* 0: no limit */
    guint errors_most;             /* failed commands before 421 and the end of the session; 0: no limit */
} SmtpServerParameters;

/*
 * All are to be set. None may free the server, feed it or tell it of an end. smtp_server_finish () may be called in end,
 * and smtp_server_close () in any: it then acts when what called the handler is done.
 */
typedef struct {
    /* Each of the first three may refuse with a reply, which it returns (transfer full); NULL accepts. A reply of 421
     * also ends the session. */

    /* MAIL: @envelope has no recipients yet. @declared_bytes is SIZE=, 0 if not given. The handler may complete the
     * sender's address in place. */
    SmtpReply *(*mail) (MessageEnvelope *envelope, guint64 declared_bytes, gpointer user_data);

    /* RCPT: @recipient is not yet in an envelope; the handler may complete its address in place. */
    SmtpReply *(*recipient) (MessageRecipient *recipient, gpointer user_data);

    /* DATA or the first BDAT: content will follow. @envelope stays the server's. */
    SmtpReply *(*begin) (const MessageEnvelope *envelope, gpointer user_data);

    /* Content, decoded: no dot-stuffing, CRLF line ends and no other CR or LF, in pieces of any size. Lines may have any
     * length and hold any other byte, NUL included. What is not empty ends with CRLF. */
    void (*content) (const gchar *data, gsize length, gpointer user_data);

    /* The content is complete: make it durable, then call smtp_server_finish () once, now or later. Until then the
     * server reads no further. If the session ends first, abort is called instead and no reply is wanted; one that comes
     * nevertheless is ignored. */
    void (*end) (gpointer user_data);

    /* A begun message will not be completed: the connection is gone, RSET, too large, or bad content. The envelope that
     * begin was given is gone with it. */
    void (*abort) (gpointer user_data);

    /* STARTTLS was accepted: once the output is sent, start TLS, then call smtp_server_secured (). */
    void (*start_tls) (gpointer user_data);

    /* A command or a message was refused for a reason that the log should tell: no relaying, too many errors, limits, bare
     * CR or LF; not what the handlers above refused. @what is the command line that caused it, made printable, or
     * "DATA" or "BDAT" for what is wrong with content. Of recipients over the limit only the first is told. */
    void (*refused) (const SmtpReply *reply, const gchar *what, gpointer user_data);
} SmtpServerHandlers;

/**
 * smtp_server_new:
 * @parameters: copied, strings included
 * @handlers: must outlive the server
 *
 * The greeting waits in the output.
 */
SmtpServer *smtp_server_new (const SmtpServerParameters *parameters, const SmtpServerHandlers *handlers,
                             gpointer user_data);

/* Aborts a begun message. */
void smtp_server_free (SmtpServer *server);

/**
 * smtp_server_feed:
 * @data: bytes from the client
 *
 * Takes in bytes and acts on what is complete. A command line that is too long is skipped as a whole and refused once;
 * nothing of a line with a bare CR, a bare LF (but from a client that the server is lenient to) or a NUL is executed.
 * Content ends with CRLF.CRLF alone; without leniency, content with a bare CR or LF is read to that end and refused. What
 * was pipelined behind STARTTLS is discarded. While a message waits for smtp_server_finish (), at most what was
 * fed already is buffered: feed no more while smtp_server_is_busy ().
 */
void smtp_server_feed (SmtpServer *server, const gchar *data, gsize length);

/* Whether input should wait: a message is being committed, TLS is being started, or the session is over. */
gboolean smtp_server_is_busy (const SmtpServer *server);

/* The client has closed its side; a begun message is aborted. */
void smtp_server_eof (SmtpServer *server);

/* Appends what is to be sent to @out; returns how many bytes. */
gsize smtp_server_take_output (SmtpServer *server, GString *out);

/* How many command lines, contents and chunks of content have come to their end: what a client that is at work adds to. */
guint64 smtp_server_turns (const SmtpServer *server);

/* Whether content is what comes next. */
gboolean smtp_server_in_content (const SmtpServer *server);

/* Whether the session is over: send the output, then close. */
gboolean smtp_server_is_over (const SmtpServer *server);

/* The answer to SmtpServerHandlers.end. @reply is copied; 421 also ends the session. Goes on with commands that were
 * pipelined. */
void smtp_server_finish (SmtpServer *server, const SmtpReply *reply);

/* TLS is up (RFC 3207 4.2): all state is as after the greeting. */
void smtp_server_secured (SmtpServer *server);

/* Ends the session with @reply (421: stopping, idle, too many sessions), aborting a begun message. A message that
 * is being committed is still answered first. While TLS is being started there is no way to say anything, and the
 * session just ends. */
void smtp_server_close (SmtpServer *server, const SmtpReply *reply);

/* What the client called itself in EHLO or HELO, or NULL. */
const gchar *smtp_server_helo (const SmtpServer *server);

/* "SMTP", "ESMTP", "ESMTPS", "UTF8SMTP", "UTF8SMTPS" (RFC 3848, RFC 6531), of the transaction under way. */
const gchar *smtp_server_protocol (const SmtpServer *server);

/* Whether a message is under way: MAIL was accepted and its transaction is not over. */
gboolean smtp_server_in_transaction (const SmtpServer *server);

/* Whether the client owes the end of the content that it sends after DATA. */
gboolean smtp_server_awaits_dot (const SmtpServer *server);

/* The envelope of the transaction under way with the recipients that were accepted, or NULL. (transfer none) */
const MessageEnvelope *smtp_server_envelope (const SmtpServer *server);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpServer, smtp_server_free)
