/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Domains in ASCII
 *
 * A domain in letters beyond ASCII has a second name for the same thing, made of A-labels (RFC 5890 2.3.2.1), which every
 * mail server can take. The local part of an address has nothing of the kind. The rules are those of IDNA2008, so "ß"
 * stays itself (non-transitional); capitals and forms that look alike are made one first (UTS 46), as people type them.
 */

#include "message/a-label.h"

#include <idn2.h>
#include <string.h>

#include "message/address.h"

gchar *
message_domain_to_ascii (const gchar *domain, gsize length)
{
    g_autofree gchar *text = g_strndup (domain, length);
    gchar *made = NULL;
    gchar *ascii;

    if (strlen (text) != length || !g_utf8_validate_len (text, length, NULL) ||
        idn2_to_ascii_8z (text, &made, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return NULL;

    ascii = g_strdup (made);
    idn2_free (made);
    return ascii;
}

gchar *
message_address_to_ascii (const gchar *address)
{
    const gchar *domain = message_address_domain (address);
    g_autofree gchar *ascii = NULL;
    g_autofree gchar *local_part = NULL;

    if (message_address_is_ascii (address))
        return g_strdup (address);
    if (domain == NULL)
        return NULL;

    local_part = g_strndup (address, (gsize) (domain - address));
    if (!g_str_is_ascii (local_part))
        return NULL;

    ascii = message_domain_to_ascii (domain, strlen (domain));
    return ascii != NULL ? g_strconcat (local_part, ascii, NULL) : NULL;
}
