/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/client-capabilities.h"
#include "smtp/client.h"
#include "smtp/dots.h"
#include "smtp/reply-parser.h"
#include "smtp/sasl.h"

/* Shared by the client's own files only: client.c, client-opening.c, client-transaction.c. */

typedef enum {
    CLIENT_OPENING,   /* greeting, EHLO, STARTTLS, AUTH */
    CLIENT_SHAKING,   /* TLS is being started by the owner */
    CLIENT_READY,     /* for a transaction */
    CLIENT_BUSY,      /* with a transaction */
    CLIENT_RESETTING, /* RSET or a probe is under way */
    CLIENT_QUITTING,  /* QUIT was sent */
    CLIENT_OVER       /* failed was or is to be told */
} ClientState;

/* What a reply that is owed will answer. The table of what to do with it is in client.c. */
typedef enum {
    CLIENT_EXPECTS_GREETING,
    CLIENT_EXPECTS_EHLO,
    CLIENT_EXPECTS_HELO,
    CLIENT_EXPECTS_STARTTLS,
    CLIENT_EXPECTS_AUTH,
    CLIENT_EXPECTS_AUTH_CANCEL,
    CLIENT_EXPECTS_MAIL,
    CLIENT_EXPECTS_RCPT,
    CLIENT_EXPECTS_DATA,
    CLIENT_EXPECTS_CHUNK,
    CLIENT_EXPECTS_LAST_CHUNK,
    CLIENT_EXPECTS_END,
    CLIENT_EXPECTS_END_OF_NOTHING,
    CLIENT_EXPECTS_PROBE,
    CLIENT_EXPECTS_RSET,
    CLIENT_EXPECTS_QUIT
} ClientExpectation;

/* Where the content of a transaction is. */
typedef enum {
    CLIENT_CONTENT_LATER,  /* not its turn yet */
    CLIENT_CONTENT_WANTED, /* the owner owes a piece */
    CLIENT_CONTENT_HELD,   /* the next piece waits for replies */
    CLIENT_CONTENT_OVER    /* all sent, or no longer wanted */
} ClientContent;

typedef enum {
    CLIENT_RECIPIENT_OPEN,
    CLIENT_RECIPIENT_ACCEPTED, /* by RCPT; the end of the content decides */
    CLIENT_RECIPIENT_PUT_OFF,  /* one too many for this transaction: it has no result of this one */
    CLIENT_RECIPIENT_TOLD      /* its result */
} ClientRecipientState;

typedef struct {
    guint index; /* in the envelope */
    ClientRecipientState state;
} ClientRecipient;

typedef struct {
    const MessageEnvelope *envelope;
    ClientRecipient *recipients; /* those that the server is asked about */
    guint n_recipients;
    guint n_sent;     /* RCPT commands */
    guint n_answered; /* of them */
    guint n_accepted; /* state CLIENT_RECIPIENT_ACCEPTED */
    guint n_put_off;  /* state CLIENT_RECIPIENT_PUT_OFF */
    guint n_told;
    guint n_taken;         /* by RCPT */
    guint n_refusals;      /* in a row that say that there are too many */
    SmtpReply *put_off_by; /* (nullable) the last of them */
    guint64 size;
    gboolean utf8;    /* SMTPUTF8 is asked for */
    gboolean is_7bit; /* the content is */
    gboolean begun;   /* the server has accepted MAIL: it is in a transaction until that ends, or RSET */
    gboolean data;    /* DATA was sent */
    ClientContent content;
    guint n_chunks; /* BDAT commands not answered yet */
    SmtpDots dots;
} ClientTransaction;

struct _SmtpClient {
    guint references;
    gboolean freed;

    gchar *host_name;
    SmtpSecurity security;
    gchar *user;       /* (nullable) */
    gchar *password;   /* (nullable) */
    gchar *mechanisms; /* (nullable) */
    gboolean auth_without_tls;
    const SmtpClientHandlers *handlers;
    gpointer user_data;

    ClientState state;
    SmtpReplyParser *parser;
    GArray *expected; /* of ClientExpectation, in the order of the replies */
    guint answered;   /* so many of them have come */
    SmtpCapabilities capabilities;
    guint recipients_shown; /* the last transaction that had too many recipients had so many; 0: none had */
    gboolean secure;        /* TLS is up */
    gboolean tls_refused;
    SmtpReply *ehlo_refusal; /* (nullable) for a reason: HELO was sent in its place */

    gboolean authenticated;
    SmtpSasl *sasl;          /* (nullable) */
    const gchar *mechanism;  /* (nullable) the one that is under way */
    GString *tried;          /* mechanisms that the server did not want after all */
    gchar *initial_response; /* (nullable) did not fit the AUTH command */
    gchar *auth_fault;       /* (nullable) why we broke it off */
    gchar *auth_in_plain;    /* (nullable) mechanisms that were offered before TLS */

    ClientTransaction *transaction; /* (nullable) */

    /* What is to be told when the outermost call into the client ends. */
    guint depth;
    GString *output; /* follows the outbox */
    GQueue outbox;   /* of GBytes */
    gboolean tell_start_tls;
    gboolean tell_want_content;
    gboolean tell_done;
    gboolean tell_ready;
    gboolean tell_failed;
    SmtpClientFailure failure;
    gchar *failure_reason;
    SmtpReply *failure_reply; /* (nullable) */
    gboolean kept_content;    /* see smtp_client_kept_content () */
};

/* ---- client.c ---- */

/* Sends a line, and expects its reply as @expectation. */
void client_command (SmtpClient *client, ClientExpectation expectation, const gchar *format, ...)
    G_GNUC_PRINTF (3, 4);

/* The same for a line with a secret: @shown goes into the transcript. */
void client_secret_command (SmtpClient *client, ClientExpectation expectation, const gchar *line, const gchar *shown);
void client_expect (SmtpClient *client, ClientExpectation expectation);

/* Sends @bytes behind what was sent before. */
void client_send_bytes (SmtpClient *client, GBytes *bytes);

/* The session is over; @reply is copied. Only the first reason counts. The transaction is freed with the outermost
 * call. */
void client_fail (SmtpClient *client, SmtpClientFailure failure, const SmtpReply *reply, const gchar *format, ...)
    G_GNUC_PRINTF (4, 5);
void client_become_ready (SmtpClient *client);
void client_send_reset (SmtpClient *client);

static inline gboolean
client_reply_is_success (const SmtpReply *reply)
{
    return reply->code / 100 == 2;
}

/* ---- client-opening.c ---- */

void client_take_greeting (SmtpClient *client, const SmtpReply *reply);
void client_take_ehlo (SmtpClient *client, const SmtpReply *reply);
void client_take_helo (SmtpClient *client, const SmtpReply *reply);
void client_take_starttls (SmtpClient *client, const SmtpReply *reply);
void client_take_auth (SmtpClient *client, const SmtpReply *reply);
void client_take_auth_cancel (SmtpClient *client, const SmtpReply *reply);
void client_take_secured (SmtpClient *client);

/* The session is over; if EHLO was refused for a reason that is why. @consequence: (nullable): what it led to. Returns: FALSE if
 * it was not */
gboolean client_fail_for_ehlo (SmtpClient *client, const gchar *consequence);

/* ---- client-transaction.c ---- */

void client_transaction_start (SmtpClient *client, const SmtpTransaction *transaction);
void client_send_probe (SmtpClient *client, const gchar *sender);
void client_transaction_free (ClientTransaction *transaction);
void client_take_content (SmtpClient *client, GBytes *piece, gboolean last);
void client_tell (SmtpClient *client, ClientRecipient *recipient, const SmtpReply *reply);

/* Sends what may be sent now, or ends the transaction. */
void client_advance (SmtpClient *client);
void client_fail_nonsense (SmtpClient *client, const SmtpReply *reply, const gchar *command);
void client_take_mail (SmtpClient *client, const SmtpReply *reply);
void client_take_data (SmtpClient *client, const SmtpReply *reply);
void client_take_chunk (SmtpClient *client, const SmtpReply *reply);
void client_take_last_chunk (SmtpClient *client, const SmtpReply *reply);
void client_take_end (SmtpClient *client, const SmtpReply *reply);
void client_take_end_of_nothing (SmtpClient *client, const SmtpReply *reply);

/* A reply while content is leaving after DATA. */
void client_take_interruption (SmtpClient *client, const SmtpReply *reply);

/* ---- client-recipients.c ---- */

void client_take_rcpt (SmtpClient *client, const SmtpReply *reply);

/* Whether the server has shown that it takes no more recipients in this transaction. */
gboolean client_is_full (const ClientTransaction *transaction);

/* At a transaction's end, or a session's: what it has shown of how many recipients there may be. */
void client_learn_recipients (SmtpClient *client);

/* Puts off those that it was not asked about; only once all others have their reply. */
void client_put_off_rest (ClientTransaction *transaction);
