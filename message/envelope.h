/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The envelope of a message (RFC 5321 2.3.1): who sent it, who is to have it, and how its transport was asked for.
 * The SMTP server fills it in from MAIL and RCPT, the queue keeps it, a delivery speaks it again.
 */

/* What the relay offers to sendmail, and to nobody else: that a message's Return-Path names its sender, where no other is given.
 * A name with an X belongs to those who agree on it (RFC 5321 2.2.2). */
#define MESSAGE_RETURN_PATH_KEYWORD "XRETURNPATH"

/* RFC 3461 4.4 */
#define MESSAGE_ENVELOPE_ID_LONGEST_BYTES 100

/* NOTIFY= of RCPT, RFC 3461 4.1; 0 means that it was not given. */
typedef enum {
    MESSAGE_NOTIFY_NEVER = 1 << 0,
    MESSAGE_NOTIFY_SUCCESS = 1 << 1,
    MESSAGE_NOTIFY_FAILURE = 1 << 2,
    MESSAGE_NOTIFY_DELAY = 1 << 3
} MessageNotify;

/* RET= of MAIL, RFC 3461 4.3. */
typedef enum { MESSAGE_RETURN_UNSET = 0, MESSAGE_RETURN_FULL, MESSAGE_RETURN_HEADERS } MessageReturn;

/* BODY= of MAIL, RFC 6152. */
typedef enum { MESSAGE_BODY_7BIT = 0, MESSAGE_BODY_8BITMIME } MessageBody;

typedef struct {
    gchar *address;       /* canonical, with a domain */
    gchar *orcpt;         /* (nullable) ORCPT as "type;address", xtext decoded (RFC 3461 4.2) */
    MessageNotify notify; /* 0: not given, which means FAILURE and maybe DELAY */
} MessageRecipient;

typedef struct {
    gchar *sender; /* the reverse-path, canonical; "" is the null reverse-path */
    gchar *envid;  /* (nullable) ENVID, xtext decoded (RFC 3461 4.4) */
    MessageReturn ret;
    MessageBody body;
    gboolean smtputf8;     /* SMTPUTF8 was given (RFC 6531) */
    gboolean long_lines;   /* the content has lines that are longer than RFC 5321 4.5.3.1.6 allows */
    GPtrArray *recipients; /* of MessageRecipient, at least one once it is queued */
    GHashTable *lookup;    /* (nullable) private to envelope.c: where an address is in @recipients */
    GStringChunk *keys;    /* (nullable) of @lookup */
} MessageEnvelope;

/**
 * message_envelope_new:
 * @sender: the reverse-path, canonical; "" for null
 *
 * Returns: (transfer full): an envelope without recipients
 */
MessageEnvelope *message_envelope_new (const gchar *sender);
MessageEnvelope *message_envelope_copy (const MessageEnvelope *envelope);
void message_envelope_free (MessageEnvelope *envelope);

/**
 * message_envelope_add:
 * @address: canonical
 *
 * Adds a recipient; the same address twice is one recipient, the first one's parameters win. Takes the same time
 * however many recipients there are.
 *
 * Returns: (transfer none): the recipient, whose other fields the caller may fill in; stays where it is as long as
 *   the envelope lives
 */
MessageRecipient *message_envelope_add (MessageEnvelope *envelope, const gchar *address);

/* Gives recipient @index another address (canonical). Notices name the one that was meant: it becomes ORCPT if there was
 * none (RFC 3461 4.2). */
void message_envelope_redirect (MessageEnvelope *envelope, guint index, const gchar *address);

/* Recipient @index, which must exist. */
MessageRecipient *message_envelope_recipient (const MessageEnvelope *envelope, guint index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageEnvelope, message_envelope_free)
