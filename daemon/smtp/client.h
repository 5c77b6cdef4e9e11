/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/envelope.h"
#include "smtp/reply.h"

/*
 * The client's side of one SMTP session, sans I/O: the greeting, EHLO (or HELO), STARTTLS, AUTH, then any number of
 * transactions, then QUIT. Bytes come in by smtp_client_feed (); output and events go through SmtpClientHandlers.
 */

typedef struct _SmtpClient SmtpClient;

typedef enum {
    SMTP_SECURITY_NONE,          /* never TLS */
    SMTP_SECURITY_OPPORTUNISTIC, /* STARTTLS if it is offered */
    SMTP_SECURITY_STARTTLS,      /* STARTTLS, or no delivery */
    SMTP_SECURITY_IMPLICIT       /* TLS from the first byte (RFC 8314 3.3) */
} SmtpSecurity;

typedef struct {
    const gchar *host_name; /* for EHLO */
    SmtpSecurity security;
    const gchar *user;         /* (nullable) no authentication without it */
    const gchar *password;     /* (nullable) */
    const gchar *mechanisms;   /* (nullable) space-separated mechanisms to choose from; NULL: all known */
    gboolean auth_without_tls; /* allow AUTH, whatever the mechanism, without TLS */
} SmtpClientParameters;

/* What the peer waits for: which timeout of RFC 5321 4.5.3.2 holds now. */
typedef enum {
    SMTP_CLIENT_WAIT_NONE,     /* idle between transactions; a TLS handshake under way; or over */
    SMTP_CLIENT_WAIT_GREETING, /* 5 minutes */
    SMTP_CLIENT_WAIT_COMMAND,  /* MAIL, RCPT and all others: 5 minutes */
    SMTP_CLIENT_WAIT_DATA,     /* the 354: 2 minutes */
    SMTP_CLIENT_WAIT_BLOCK,    /* content is leaving: 3 minutes a block */
    SMTP_CLIENT_WAIT_END       /* after the end of the content: 10 minutes */
} SmtpClientWait;

/* Why a session cannot be used. All are temporary for the messages that wait for it, unless @reply says otherwise. A 421
 * is always SMTP_CLIENT_FAILED_CLOSED. */
typedef enum {
    SMTP_CLIENT_FAILED_REPLY,    /* the greeting, or a probe's MAIL was refused: see the reply */
    SMTP_CLIENT_FAILED_NAME,     /* EHLO was refused, and HELO did not help: see the reply */
    SMTP_CLIENT_FAILED_TLS,      /* TLS is required and not offered, or refused */
    SMTP_CLIENT_FAILED_AUTH,     /* authentication refused, or no mechanism in common, or only without TLS */
    SMTP_CLIENT_FAILED_PROTOCOL, /* what came is no SMTP */
    SMTP_CLIENT_FAILED_CLOSED    /* 421, or the connection ended */
} SmtpClientFailure;

/* All but result and trace are called at the end of the outermost call into the client, so none of them comes from inside
 * another, and each may call any function of the client. Any may call smtp_client_free (). */
typedef struct {
    /* Send @bytes. */
    void (*send) (GBytes *bytes, gpointer user_data);

    /* Start TLS, then call smtp_client_secured (). */
    void (*start_tls) (gpointer user_data);

    /* The session can take a transaction: after the opening, and after each transaction. */
    void (*ready) (gpointer user_data);

    /* The transaction wants content: call smtp_client_content () with the next piece, now or later. Called again
     * after each piece. */
    void (*want_content) (gpointer user_data);

    /* What became of the recipient, an index into the envelope: exactly once for each in the transaction, before
     * done. @reply (transfer none) is the reply that decided it. Only those that were too many for one transaction have no
     * result when it is done: they are for the next. Each transaction has at least one result. */
    void (*result) (guint recipient, const SmtpReply *reply, gpointer user_data);

    /* All results of the transaction are told. ready or failed follows. */
    void (*done) (gpointer user_data);

    /* (nullable) A line was sent or received, without CRLF; content and secrets are left out. For transcripts. */
    void (*trace) (gboolean sent, const gchar *line, gpointer user_data);

    /* The session is over. Recipients of a transaction under way that had no result are without one: they are to be
     * tried again. @reason is one line for people; @reply (nullable, transfer none) what the server said. */
    void (*failed) (SmtpClientFailure failure, const gchar *reason, const SmtpReply *reply, gpointer user_data);
} SmtpClientHandlers;

typedef struct {
    const MessageEnvelope *envelope; /* must live until done or failed */
    const guint *recipients;         /* indexes into the envelope; copied */
    guint n_recipients;
    guint64 size;       /* of the content, bytes; 0: it is not known */
    gboolean asks_utf8; /* the content needs SMTPUTF8, which the server offers */
    gboolean is_7bit;   /* the content is, whatever the envelope says: it was converted */
} SmtpTransaction;

/* @parameters are copied, strings included; @handlers must outlive the client. Nothing is sent before the greeting came. */
SmtpClient *smtp_client_new (const SmtpClientParameters *parameters, const SmtpClientHandlers *handlers,
                             gpointer user_data);
void smtp_client_free (SmtpClient *client);

void smtp_client_feed (SmtpClient *client, const gchar *data, gsize length);

/* TLS is up, after start_tls or at the start of an implicit session. */
void smtp_client_secured (SmtpClient *client);

/* The connection ended; @reason says why. Leads to failed. */
void smtp_client_eof (SmtpClient *client, const gchar *reason);

/**
 * smtp_client_begin:
 *
 * Starts a transaction; only when ready. MAIL, RCPT and DATA (or BDAT with the content, RFC 3030) are pipelined where the
 * server allows it (RFC 2920). A message larger than SIZE allows (RFC 1870), or an address that needs SMTPUTF8 where it
 * is not offered (RFC 6531 3.4), gets its results without anything being sent: replies of our own (is_ours).
 *
 * SMTPUTF8 is asked for if an address of the envelope is beyond ASCII, or the content needs it. Where it is not offered, an
 * address goes in its form in ASCII if it has one (see message_address_to_ascii ()).
 *
 * Content goes out as it is: converting it for a server that does not take it is the caller's business.
 */
void smtp_client_begin (SmtpClient *client, const SmtpTransaction *transaction);

/* The next piece of content, CRLF line ends; @last with the final one, which may be empty. Only as an answer to
 * want_content, and not after done. */
void smtp_client_content (SmtpClient *client, GBytes *piece, gboolean last);

/* The content cannot be had (an I/O error): leave the transaction so that the server takes no part of it. Leads to
 * failed, because DATA can only be left by closing. */
void smtp_client_abandon (SmtpClient *client);

/* Sends QUIT; failed with SMTP_CLIENT_FAILED_CLOSED follows when the server has answered. Only when ready. */
void smtp_client_quit (SmtpClient *client);

/* Sends RSET to keep an idle session alive or to test it; ready follows. Only when ready. */
void smtp_client_reset (SmtpClient *client);

/* Sends MAIL with @sender and then RSET, without recipients: would the server take mail? Only when ready. ready follows, or
 * failed with SMTP_CLIENT_FAILED_REPLY and the reply to MAIL. */
void smtp_client_probe (SmtpClient *client, const gchar *sender);

SmtpClientWait smtp_client_wait (const SmtpClient *client);

/* Whether the server offers DSN (RFC 3461), so that NOTIFY=SUCCESS is its business now. */
gboolean smtp_client_offers_dsn (const SmtpClient *client);

/* Whether the server takes content with 8-bit bytes (RFC 6152). */
gboolean smtp_client_offers_8bitmime (const SmtpClient *client);

/* How many recipients the server takes in one transaction, as it announced (RFC 9422) or as it has shown; 0: not known. */
guint smtp_client_recipients_most (const SmtpClient *client);

/* Whether the server takes UTF-8 in addresses and headers (RFC 6531). */
gboolean smtp_client_offers_smtputf8 (const SmtpClient *client);

/* The largest message that the server takes (RFC 1870), bytes; 0: it told of no limit. */
guint64 smtp_client_size_most (const SmtpClient *client);

/* After SMTP_CLIENT_FAILED_CLOSED: whether it came while a transaction was under way and the server has read nothing of its
 * content, because the content's turn had not come. */
gboolean smtp_client_kept_content (const SmtpClient *client);

/* Whether a mechanism was agreed and used. */
gboolean smtp_client_is_authenticated (const SmtpClient *client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpClient, smtp_client_free)
