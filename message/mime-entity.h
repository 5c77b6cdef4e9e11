/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/signature.h"

/*
 * An entity is a message or a part of one: a header and a body (RFC 2045 2.4). This is what its header says about the
 * body, and how a header comes to say something else.
 */

/* RFC 2046 5.1.1 allows 70; no line of a header holds one longer than this. */
#define MESSAGE_MIME_BOUNDARY_LONGEST_BYTES 998

typedef enum {
    MESSAGE_MIME_TEXT,       /* text/..., and what is like it */
    MESSAGE_MIME_DATA,       /* anything else that has no parts */
    MESSAGE_MIME_MULTIPART,  /* parts between delimiters */
    MESSAGE_MIME_MESSAGE,    /* message/rfc822: an entity in the body */
    MESSAGE_MIME_SEALED,     /* multipart/signed and /encrypted: nobody may change what is in it (RFC 1847 2) */
    MESSAGE_MIME_UNREADABLE, /* a multipart whose parts cannot be told apart */
} MessageMimeKind;

/* Content-Transfer-Encoding (RFC 2045 6). */
typedef enum {
    MESSAGE_MIME_LABEL_7BIT, /* or none */
    MESSAGE_MIME_LABEL_8BIT, /* or binary */
    MESSAGE_MIME_LABEL_QUOTED_PRINTABLE,
    MESSAGE_MIME_LABEL_BASE64,
    MESSAGE_MIME_LABEL_PRIVATE /* "x-..." */
} MessageMimeLabel;

typedef struct {
    MessageMimeKind kind;
    MessageMimeLabel label;
    gchar *boundary;      /* (nullable) of a multipart */
    gboolean is_digest;   /* its parts are messages where they do not say otherwise (RFC 2046 5.1.5) */
    gboolean has_type;    /* Content-Type says something that can be understood */
    gboolean has_version; /* MIME-Version is there */
} MessageMimeEntity;

/**
 * message_mime_entity_read:
 * @entity: (out): what the header says; to be cleared
 * @header: the header section, with CRLF line ends, with or without the empty line
 * @length: bytes at @header
 * @in_digest: whether it is a part of a multipart/digest
 */
void message_mime_entity_read (MessageMimeEntity *entity, const gchar *header, gsize length, gboolean in_digest);
void message_mime_entity_clear (MessageMimeEntity *entity);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (MessageMimeEntity, message_mime_entity_clear)

/* What may be in a header on its way. */
typedef enum {
    MESSAGE_MIME_HEADER_ASCII, /* nothing beyond ASCII */
    MESSAGE_MIME_HEADER_NO_UTF8, /* what is UTF-8 is said in ASCII; bytes of unknown meaning stay, as readers guess them best */
    MESSAGE_MIME_HEADER_ANY /* whatever is there */
} MessageMimeHeaderForm;

/* What is to become of a header. Whatever else is to be done, lines that are too long are folded. */
typedef struct {
    MessageMimeHeaderForm form;
    const MessageSignature *signature; /* (nullable) what it covers is not touched */
    const gchar *label;                /* (nullable) the new Content-Transfer-Encoding */
    const gchar *type;                 /* (nullable) the new Content-Type */
    gboolean add_version;              /* MIME-Version is to be there */
    gboolean end;                      /* the empty line is to be there */
} MessageMimeChange;

/* What could not be done. */
typedef enum {
    MESSAGE_MIME_LEFT_ADDRESS = 1 << 0,    /* a local part beyond ASCII, which has no other form */
    MESSAGE_MIME_LEFT_SIGNED = 1 << 1,     /* something beyond ASCII that is signed */
    MESSAGE_MIME_LEFT_LONG = 1 << 2,       /* a line that has no white space to fold at */
    MESSAGE_MIME_LEFT_LONG_SIGNED = 1 << 3 /* a line that is too long, and signed */
} MessageMimeLeft;

/**
 * message_mime_entity_write:
 * @header: as it was read
 * @length: bytes at @header
 * @change: what is to be said otherwise
 * @out: where the header is appended; what need not change is as it was
 *
 * Returns: what is not as @change wants it; an address that has no form in ASCII has a "?" for each such byte where
 *   nothing beyond ASCII may be, and else stays
 */
MessageMimeLeft message_mime_entity_write (const gchar *header, gsize length, const MessageMimeChange *change,
                                           GString *out);
