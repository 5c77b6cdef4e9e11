/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/command.h"
#include "smtp/content.h"
#include "smtp/line.h"
#include "smtp/server.h"

/* What server.c (the stream) and server-commands.c (the commands) of the server share. */

/* What the next byte is. */
typedef enum {
    SMTP_SERVER_COMMAND,      /* part of a command line */
    SMTP_SERVER_DATA,         /* content */
    SMTP_SERVER_CHUNK,        /* an octet of a BDAT chunk */
    SMTP_SERVER_COMMITTING,   /* something to be kept until smtp_server_finish () */
    SMTP_SERVER_STARTING_TLS, /* something to be thrown away, as is all until smtp_server_secured () */
    SMTP_SERVER_OVER          /* of no interest any more */
} SmtpServerState;

/* What follows from a refusal. */
typedef enum {
    SMTP_BLAME_NOBODY = 0,
    SMTP_BLAME_CLIENT = 1 << 0, /* it counts as an error */
    SMTP_BLAME_TOLD = 1 << 1    /* the log should tell it */
} SmtpBlame;

struct _SmtpServer {
    SmtpServerParameters parameters; /* host_name is ours */
    const SmtpServerHandlers *handlers;
    gpointer user_data;

    SmtpServerState state;
    gboolean running;   /* a handler may be on the stack */
    GString *input;     /* fed and not consumed yet: a part of a line, or what waits for smtp_server_finish () */
    GString *output;    /* not taken yet */
    SmtpReply *goodbye; /* (nullable) to be said as soon as that is possible */
    guint errors;
    guint64 turns; /* commands and contents that have come to their end */

    SmtpLineReader lines;
    const SmtpCommand *command; /* (nullable) the one being executed */
    const gchar *line;          /* and its line */
    gsize line_length;

    gchar *helo;       /* (nullable) no session is open without it */
    gboolean extended; /* EHLO, not HELO */

    MessageEnvelope *envelope;   /* (nullable) MAIL was accepted */
    gboolean recipients_refused; /* at least one RCPT was */
    gboolean recipients_told;    /* that there are too many */
    gboolean begun;              /* the handlers hold a message */
    guint64 content_bytes;       /* handed over */
    SmtpContent content;

    SmtpReply *verdict;      /* (nullable) what the content under way will be answered with; it is not handed over */
    SmtpBlame verdict_blame; /* of the verdict */
    guint64 chunk_bytes;     /* of the BDAT under way */
    guint64 chunk_left;      /* of them, still to come */
    gboolean chunk_last;     /* with LAST */
};

/* server.c */

/* Writes one line as it is. */
void smtp_server_accept (SmtpServer *server, const gchar *line);

/* Writes a refusal. @reply (transfer full) */
void smtp_server_refuse (SmtpServer *server, SmtpReply *reply, SmtpBlame blame);

/* Decides that what follows is no content to be handed over, and ends the transaction. @reply (transfer full) */
void smtp_server_refuse_content (SmtpServer *server, SmtpReply *reply, SmtpBlame blame);

/* Asks the handlers to take a message's content. Returns (transfer full) (nullable) their refusal. */
SmtpReply *smtp_server_begin (SmtpServer *server, SmtpContentForm form);

/* Content follows: DATA's, or a chunk's. With a verdict it is read and not handed over. */
void smtp_server_expect_data (SmtpServer *server);
void smtp_server_expect_chunk (SmtpServer *server, guint64 bytes, gboolean last);

/* Forgets the envelope, and aborts a message that was begun. */
void smtp_server_end_transaction (SmtpServer *server);
void smtp_server_end_session (SmtpServer *server);

/* server-commands.c */

void smtp_server_execute (SmtpServer *server, const SmtpCommand *command);
