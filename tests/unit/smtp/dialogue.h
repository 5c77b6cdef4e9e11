/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/server.h"

/*
 * One session with the SMTP server, played by a test: what the client sends goes in, and what the client and the relay
 * would see is written down.
 *
 * The relay that the test plays refuses by name: a sender that starts with "refused", a recipient that does, a message
 * whose sender starts with "full", the end of one whose sender starts with "lost". "stop" in the same places is a 421.
 */

typedef enum {
    DIALOGUE_TRUSTED, /* TCP, from a trusted network */
    DIALOGUE_STRANGER,
    DIALOGUE_LOCAL,
    DIALOGUE_TLS,   /* as trusted, and STARTTLS is offered */
    DIALOGUE_STRICT /* as trusted, but LF does not stand for CRLF */
} DialogueKind;

typedef enum {
    DIALOGUE_FINISH_AT_ONCE, /* the relay answers in the handler */
    DIALOGUE_FINISH_LATER,   /* it answers when all that came was fed */
    DIALOGUE_FINISH_BY_HAND  /* by dialogue_finish () */
} DialogueFinish;

typedef struct {
    SmtpServer *server;
    DialogueFinish finish;
    GString *replies; /* "220 250/2.1.0 …": the code and enhanced status code of each */
    GString *output;  /* as it went over the wire */
    GString *events;  /* what the relay was told, one word or "(…)" each */
    GString *content; /* of the message under way */
    guint messages;   /* that came to their end */
    gboolean begun;
    gboolean ending; /* smtp_server_finish () is owed */
    const SmtpReply *close_in_content;
} Dialogue;

/* The limits that all dialogues have. */
#define DIALOGUE_MESSAGE_LONGEST_BYTES 1000
#define DIALOGUE_RECIPIENTS_MOST       3
#define DIALOGUE_ERRORS_MOST           5

Dialogue *dialogue_new (DialogueKind kind, DialogueFinish finish);
Dialogue *dialogue_new_with_limits (DialogueKind kind, DialogueFinish finish, guint64 message_longest_bytes,
                                    guint recipients_most, guint errors_most);
void dialogue_free (Dialogue *dialogue);

/* Feeds a copy of exactly @length bytes, and answers what is to be answered. */
void dialogue_feed (Dialogue *dialogue, const gchar *data, gsize length);
void dialogue_say (Dialogue *dialogue, const gchar *text);

/* Gives the answer that is owed to the server. */
void dialogue_finish (Dialogue *dialogue);

void dialogue_assert_replies (Dialogue *dialogue, const gchar *expected);
void dialogue_assert_events (const Dialogue *dialogue, const gchar *expected);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Dialogue, dialogue_free)
