/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Signatures in the header
 *
 * A DKIM-Signature (RFC 6376) names the fields that it covers in its tag "h", and covers the body whatever it says. One of
 * ARC (RFC 8617 4.1.2) does the same. To change what is covered makes the signature worthless, and a receiver may then
 * refuse the message for it; so whoever wants to change a field asks here first.
 *
 * Folds are a case of their own: under the canonical form "relaxed" they do not count, under "simple" they do (3.4).
 */

#include <string.h>

#include "message/header.h"
#include "message/signature.h"

struct _MessageSignature {
    GHashTable *names;  /* of fields that are covered, in lower case */
    GHashTable *strict; /* those of them where folds count */
};

static gboolean
is_signature (const gchar *name)
{
    return g_ascii_strcasecmp (name, "DKIM-Signature") == 0 ||
           g_ascii_strcasecmp (name, "ARC-Message-Signature") == 0;
}

/* Returns: (transfer full) (nullable): the value of a tag (RFC 6376 3.2), without any white space */
static gchar *
find_tag (const gchar *body, const gchar *tag)
{
    g_autofree gchar *plain = g_malloc (strlen (body) + 1);
    g_auto (GStrv) tags = NULL;
    gchar *end = plain;

    for (; *body != '\0'; body++)
        if (!g_ascii_isspace (*body))
            *end++ = *body;
    *end = '\0';

    tags = g_strsplit (plain, ";", -1);
    for (guint i = 0; tags[i] != NULL; i++)
        if (g_str_has_prefix (tags[i], tag) && tags[i][strlen (tag)] == '=')
            return g_strdup (tags[i] + strlen (tag) + 1);

    return NULL;
}

static void
read_field (MessageSignature *self, const MessageField *field)
{
    g_autofree gchar *covered = find_tag (field->body, "h");
    g_autofree gchar *form = find_tag (field->body, "c");
    gboolean relaxed = form != NULL && g_ascii_strncasecmp (form, "relaxed", strlen ("relaxed")) == 0;
    g_auto (GStrv) names = g_strsplit (covered != NULL ? covered : "", ":", -1);

    /* It covers itself, but for the value of its tag "b" (3.7). */
    g_hash_table_add (self->names, g_ascii_strdown (field->name, -1));
    if (!relaxed)
        g_hash_table_add (self->strict, g_ascii_strdown (field->name, -1));

    for (guint i = 0; names[i] != NULL; i++) {
        if (!relaxed)
            g_hash_table_add (self->strict, g_ascii_strdown (names[i], -1));
        g_hash_table_add (self->names, g_ascii_strdown (names[i], -1));
    }
}

MessageSignature *
message_signature_read (const gchar *header, gsize length)
{
    g_autoptr (MessageHeader) fields = message_header_parse (header, length);
    MessageSignature *self = NULL;

    for (guint i = 0; i < message_header_count (fields); i++) {
        const MessageField *field = message_header_field (fields, i);

        if (!is_signature (field->name))
            continue;

        if (self == NULL) {
            self = g_new0 (MessageSignature, 1);
            self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
            self->strict = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
        }
        read_field (self, field);
    }

    return self;
}

void
message_signature_free (MessageSignature *self)
{
    g_hash_table_unref (self->names);
    g_hash_table_unref (self->strict);
    g_free (self);
}

gboolean
message_signature_covers (const MessageSignature *self, const gchar *name, gsize length, gboolean folds_only)
{
    g_autofree gchar *lower = g_ascii_strdown (name, (gssize) length);

    return g_hash_table_contains (folds_only ? self->strict : self->names, lower);
}
