/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/address.h"
#include "message/envelope.h"
#include "message/header.h"

/* Whose address it is, by the field that it stands in; Resent- fields are as those without. */
typedef enum {
    MESSAGE_ROLE_SENDER,   /* From, Sender */
    MESSAGE_ROLE_REPLY,    /* Reply-To */
    MESSAGE_ROLE_RECIPIENT /* To, Cc, Bcc */
} MessageRole;

/**
 * MessageRewriteAddress:
 * @address: canonical, maybe bare
 *
 * Returns: (transfer full) (nullable): what the address becomes, canonical, with domain; %NULL if it stays, or is only
 *   completed
 */
typedef gchar *(*MessageRewriteAddress) (const gchar *address, MessageRole role, gpointer user_data);

/*
 * The one rule set by which the header of a submitted message is completed (RFC 6409 section 8). Strings belong to
 * the caller.
 */
typedef struct {
    const gchar *host_name;              /* for a new Message-ID */
    const MessageCompletion *completion; /* of addresses in address fields */
    const gchar *sender;                 /* the reverse-path, canonical, with domain; "" is null */
    const gchar *full_name;              /* (nullable) the display name for a From: that is added */
    MessageRewriteAddress address;       /* (nullable) what else is to be done to addresses */
    gpointer user_data;
    const gchar *original_field; /* (nullable) keeps a From: that @address has changed under this name */
    gint64 usec;                 /* when the message was submitted, for Date: */
} MessageRewrite;

/**
 * message_rewrite_submission:
 * @header: the header to complete
 * @rewrite: with what
 *
 * Adds Date, Message-ID and From where they are missing or empty, Sender where there are several authors and it is missing
 * (RFC 5322 3.6.2), and, to a message that was resent, the Resent- twins of these to the last resending's block (RFC
 * 5322 3.6.6). Completes addresses (see message_address_complete ()) in From, Sender, Reply-To, To, Cc, Bcc and their Resent-
 * twins, or puts in their place what the rewriting makes of them, leaving comments, display names, groups, quoted
 * strings and folding as they were. Removes Bcc, Resent-Bcc and Return-Path. A field that needs nothing is not touched,
 * nor is what cannot be understood. The From of a null sender is MAILER-DAEMON at the domain.
 */
void message_rewrite_submission (MessageHeader *header, const MessageRewrite *rewrite);

/* Whether the message was resent (RFC 5322 3.6.6): it has one of the Resent- fields. */
gboolean message_rewrite_is_resent (const MessageHeader *header);

/**
 * message_rewrite_recipients:
 * @header: the header of a message whose recipients are to be taken from it (`sendmail -t`)
 * @envelope: to whose recipients those of To, Cc and Bcc are added, bare ones as they are; of a message that was
 *   resent, only those of the last resending's Resent-To, Resent-Cc and Resent-Bcc (RFC 5322 3.6.6)
 *
 * The addresses are added in canonical form, each once, whether or not the transaction will have SMTPUTF8.
 *
 * Returns: %FALSE with a MESSAGE_ERROR that quotes the offending text if an address cannot be understood
 */
gboolean message_rewrite_recipients (const MessageHeader *header, MessageEnvelope *envelope, GError **error);
