/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Addresses of the envelope
 *
 * Reads the paths that MAIL and RCPT carry (RFC 5321 4.1.2 with the UTF-8 of RFC 6531 3.3) and gives each mailbox
 * one spelling, the canonical form that the rest of Postern keeps, compares and sends: no source route, quotes only
 * where the local part needs them, the domain in lower case, address literals as inet_ntop(3) writes them. Whoever
 * holds a canonical address can put it between angle brackets and send it; no further check is needed.
 *
 * The grammar is the envelope's, not the header's: comments, folding and display names are no part of it, and
 * message/address-list.h deals with those.
 *
 * Non-ASCII is only understood where the caller says that SMTPUTF8 was asked for. A domain of U-labels stays UTF-8:
 * turning it into A-labels is the resolver's business, and RFC 6531 3.7.1 wants it passed on as it is.
 */

#include <arpa/inet.h>
#include <string.h>

#include "message/address.h"
#include "message/error.h"

/* RFC 1035 2.3.4. A U-label is not held to it: the limit is on its A-label, which only the resolver makes. */
#define LABEL_LONGEST_BYTES 63

#define IPV6_TAG "IPv6:"

#define ADDRESS_USUAL_BYTES 64

/* What is being read, and how much of it is left. */
typedef struct {
    const gchar *at;
    const gchar *end;
    MessagePathFlags flags;
    const gchar *whole; /* for errors */
    gsize whole_length;
} Scanner;

static gboolean
fail (const Scanner *scanner, GError **error, gint code, const gchar *reason)
{
    g_autofree gchar *quoted = message_error_quote (scanner->whole, scanner->whole_length);

    g_set_error (error, MESSAGE_ERROR, code, "“%s” is not an address: %s", quoted, reason);
    return FALSE;
}

static gboolean
peek (const Scanner *scanner, gchar expected)
{
    return scanner->at < scanner->end && *scanner->at == expected;
}

static gboolean
skip (Scanner *scanner, gchar expected)
{
    if (!peek (scanner, expected))
        return FALSE;

    scanner->at++;
    return TRUE;
}

/* atext of RFC 5322 3.2.3, without the UTF-8 of RFC 6532 */
static gboolean
is_atext (gchar c)
{
    return g_ascii_isalnum (c) || (c != '\0' && strchr ("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/*
 * Moves over one non-ASCII character into @out, if it may be in an address. Control characters beyond ASCII and
 * separators look like nothing or like a line end to whoever reads a log, and no mailbox has them.
 */
static gboolean
scan_utf8 (Scanner *scanner, GString *out, gboolean fold_case, GError **error)
{
    gunichar character;

    if ((scanner->flags & MESSAGE_PATH_UTF8) == 0)
        return fail (scanner, error, MESSAGE_ERROR_UTF8, "it is not ASCII, and SMTPUTF8 was not asked for");

    character = g_utf8_get_char_validated (scanner->at, scanner->end - scanner->at);
    if (character == (gunichar) -1 || character == (gunichar) -2)
        return fail (scanner, error, MESSAGE_ERROR_UTF8, "it is not valid UTF-8");
    if (g_unichar_iscntrl (character) || g_unichar_isspace (character))
        return fail (scanner, error, MESSAGE_ERROR_SYNTAX, "it holds a control character or a space");

    scanner->at += g_unichar_to_utf8 (character, NULL);
    g_string_append_unichar (out, fold_case ? g_unichar_tolower (character) : character);
    return TRUE;
}

/* What is wrong where an atom of a Dot-string is missing. @out: what is before. */
static const gchar *
dot_string_fault (const Scanner *scanner, const GString *out)
{
    if (out->len == 0)
        return peek (scanner, '.')
                   ? "the part before the “@” starts with a dot, which takes quotes: \".a\"@example.org"
                   : "the part before the “@” is missing";

    return peek (scanner, '.')
               ? "the part before the “@” has two dots in a row, which takes quotes: \"a..b\"@example.org"
               : "the part before the “@” ends with a dot, which takes quotes: \"a.\"@example.org";
}

static gboolean
scan_atom (Scanner *scanner, GString *out, GError **error)
{
    gsize start = out->len;

    while (scanner->at < scanner->end) {
        gchar c = *scanner->at;

        if ((guchar) c >= 0x80) {
            if (!scan_utf8 (scanner, out, FALSE, error))
                return FALSE;
        } else if (is_atext (c)) {
            g_string_append_c (out, c);
            scanner->at++;
        } else {
            break;
        }
    }

    if (out->len > start)
        return TRUE;

    return fail (scanner, error, MESSAGE_ERROR_SYNTAX, dot_string_fault (scanner, out));
}

/* The content of a Quoted-string, its quotes and backslashes taken off; the opening quote is behind us. */
static gboolean
scan_quoted_string (Scanner *scanner, GString *out, GError **error)
{
    while (scanner->at < scanner->end) {
        gchar c = *scanner->at;

        if (c == '"') {
            scanner->at++;
            return TRUE;
        }

        if ((guchar) c >= 0x80) {
            if (!scan_utf8 (scanner, out, FALSE, error))
                return FALSE;
            continue;
        }

        if (c == '\\' && scanner->at + 1 < scanner->end)
            c = *++scanner->at;
        if (!g_ascii_isprint (c))
            return fail (scanner, error, MESSAGE_ERROR_SYNTAX, "a quoted local part holds no control characters");

        g_string_append_c (out, c);
        scanner->at++;
    }

    return fail (scanner, error, MESSAGE_ERROR_SYNTAX, "a quote is not closed");
}

static gboolean
is_dot_string (const GString *local)
{
    gchar before = '.';

    for (gsize i = 0; i < local->len; i++) {
        gchar c = local->str[i];

        if (c == '.' ? before == '.' : ((guchar) c < 0x80 && !is_atext (c)))
            return FALSE;
        before = c;
    }

    return before != '.';
}

static void
append_local_part (GString *out, const GString *local)
{
    if (is_dot_string (local)) {
        g_string_append_len (out, local->str, (gssize) local->len);
        return;
    }

    g_string_append_c (out, '"');
    for (gsize i = 0; i < local->len; i++) {
        if (local->str[i] == '"' || local->str[i] == '\\')
            g_string_append_c (out, '\\');
        g_string_append_c (out, local->str[i]);
    }
    g_string_append_c (out, '"');
}

/*
 * Words between single dots (@out is empty). The standard for the envelope has one word in quotes, or none in quotes at all; that
 * for headers had both next to each other (obs-local-part, RFC 5322 4.4), and what comes from a header is no other mailbox.
 */
static gboolean
scan_local_part (Scanner *scanner, GString *out, GError **error)
{
    g_autoptr (GString) plain = NULL;
    gboolean has_quotes = FALSE;

    for (guint words = 0; words == 0 || skip (scanner, '.'); words++) {
        gboolean quoted = skip (scanner, '"');

        has_quotes = has_quotes || quoted;
        if (words > 0)
            g_string_append_c (out, '.');
        if (quoted ? !scan_quoted_string (scanner, out, error) : !scan_atom (scanner, out, error))
            return FALSE;
    }

    if (!has_quotes)
        return TRUE;

    plain = g_string_new_len (out->str, (gssize) out->len);
    g_string_truncate (out, 0);
    append_local_part (out, plain);
    return TRUE;
}

/* The text between "[" and "]" (RFC 5321 4.1.3), and the brackets. */
static gboolean
scan_address_literal (Scanner *scanner, GString *out, GError **error)
{
    const gchar *close = memchr (scanner->at, ']', (gsize) (scanner->end - scanner->at));
    g_autofree gchar *literal = NULL;
    guchar binary[sizeof (struct in6_addr)];
    gchar text[INET6_ADDRSTRLEN];
    gint family = AF_INET;
    const gchar *number;

    if (close == NULL)
        return fail (scanner, error, MESSAGE_ERROR_SYNTAX, "the bracket of an address literal is not closed");

    literal = g_strndup (scanner->at + 1, (gsize) (close - scanner->at - 1));
    number = literal;
    if (g_ascii_strncasecmp (literal, IPV6_TAG, strlen (IPV6_TAG)) == 0) {
        family = AF_INET6;
        number += strlen (IPV6_TAG);
    }

    /* A NUL byte would make inet_pton () see less than what was written. */
    if (strlen (literal) != (gsize) (close - scanner->at - 1) || inet_pton (family, number, binary) != 1)
        return fail (scanner, error, MESSAGE_ERROR_SYNTAX,
                     "an address literal is written [192.0.2.1] or [IPv6:2001:db8::1]");

    g_string_append_printf (out, "[%s%s]", family == AF_INET6 ? IPV6_TAG : "",
                            inet_ntop (family, binary, text, sizeof (text)));
    scanner->at = close + 1;
    return TRUE;
}

/* What is wrong where a label is missing. @out: what is before. */
static const gchar *
label_fault (const Scanner *scanner, const GString *out)
{
    if (out->len > 0 && out->str[out->len - 1] == '.')
        return peek (scanner, '.') ? "its domain has two dots in a row"
                                   : "its domain ends with a dot; leave that out";

    return peek (scanner, '.') ? "its domain starts with a dot" : "its domain is missing";
}

/* sub-domain: letters, digits and, not at its ends, hyphens. */
static gboolean
scan_label (Scanner *scanner, GString *out, GError **error)
{
    gsize start = out->len;
    gboolean ascii = TRUE;

    while (scanner->at < scanner->end) {
        gchar c = *scanner->at;

        if ((guchar) c >= 0x80) {
            if (!scan_utf8 (scanner, out, TRUE, error))
                return FALSE;
            ascii = FALSE;
        } else if (g_ascii_isalnum (c) || c == '-' || c == '_') {
            g_string_append_c (out, g_ascii_tolower (c));
            scanner->at++;
        } else {
            break;
        }
    }

    if (out->len == start)
        return fail (scanner, error, MESSAGE_ERROR_SYNTAX, label_fault (scanner, out));
    if (out->str[start] == '-' || out->str[out->len - 1] == '-')
        return fail (scanner, error, MESSAGE_ERROR_SYNTAX, "a part of its domain starts or ends with a hyphen");
    if (ascii && out->len - start > LABEL_LONGEST_BYTES)
        return fail (scanner, error, MESSAGE_ERROR_TOO_LONG, "a part of its domain is longer than 63 bytes");

    return TRUE;
}

/* The dot behind us is the root's (RFC 1034 3.1), which DNS has and mail has not. */
static gboolean
is_at_end_of_domain (const Scanner *scanner)
{
    return scanner->at == scanner->end || strchr (">,:", *scanner->at) != NULL;
}

static gboolean
scan_domain (Scanner *scanner, GString *out, GError **error)
{
    gsize start = out->len;

    if (peek (scanner, '['))
        return scan_address_literal (scanner, out, error);

    if (!scan_label (scanner, out, error))
        return FALSE;
    while (skip (scanner, '.') && !is_at_end_of_domain (scanner)) {
        g_string_append_c (out, '.');
        if (!scan_label (scanner, out, error))
            return FALSE;
    }

    if (out->len - start > MESSAGE_DOMAIN_LONGEST_BYTES)
        return fail (scanner, error, MESSAGE_ERROR_TOO_LONG, "its domain is longer than 255 bytes");

    return TRUE;
}

/* A-d-l of RFC 5321 4.1.2: "@one,@two:", checked and forgotten. */
static gboolean
scan_source_route (Scanner *scanner, GError **error)
{
    do {
        g_autoptr (GString) ignored = g_string_new (NULL);

        if (!skip (scanner, '@'))
            return fail (scanner, error, MESSAGE_ERROR_SYNTAX, "its source route is not “@host,@host:”");
        if (!scan_domain (scanner, ignored, error))
            return FALSE;
    } while (skip (scanner, ','));

    if (!skip (scanner, ':'))
        return fail (scanner, error, MESSAGE_ERROR_SYNTAX, "its source route does not end in “:”");

    return TRUE;
}

static gboolean
is_postmaster (const GString *address)
{
    return g_ascii_strcasecmp (address->str, "postmaster") == 0;
}

/* Mailbox, or what the flags allow in its place; @closing ends it, or '\0' the end of the text. */
static gchar *
scan_mailbox (Scanner *scanner, gchar closing, GError **error)
{
    g_autoptr (GString) address = g_string_sized_new (ADDRESS_USUAL_BYTES);

    if (peek (scanner, '@') && !scan_source_route (scanner, error))
        return NULL;
    if (!scan_local_part (scanner, address, error))
        return NULL;

    if (skip (scanner, '@')) {
        g_string_append_c (address, '@');
        if (!scan_domain (scanner, address, error))
            return NULL;
    } else if (is_postmaster (address)) {
        g_string_assign (address, "postmaster");
    } else if ((scanner->flags & MESSAGE_PATH_BARE) == 0) {
        fail (scanner, error, MESSAGE_ERROR_SYNTAX, "it has no “@” and domain");
        return NULL;
    }

    if (closing != '\0' ? !skip (scanner, closing) : scanner->at < scanner->end) {
        fail (scanner, error, MESSAGE_ERROR_SYNTAX, "a character in it needs quotes or does not belong there");
        return NULL;
    }

    if (address->len + strlen ("<>") > MESSAGE_PATH_LONGEST_BYTES) {
        fail (scanner, error, MESSAGE_ERROR_TOO_LONG, "it is longer than 254 bytes");
        return NULL;
    }

    return g_string_free (g_steal_pointer (&address), FALSE);
}

static gchar *
scan_path (Scanner *scanner, GError **error)
{
    if (!skip (scanner, '<')) {
        fail (scanner, error, MESSAGE_ERROR_SYNTAX, "a path starts with “<”");
        return NULL;
    }

    if (!skip (scanner, '>'))
        return scan_mailbox (scanner, '>', error);

    if ((scanner->flags & MESSAGE_PATH_NULL) == 0) {
        fail (scanner, error, MESSAGE_ERROR_SYNTAX, "the null path “<>” is only a sender");
        return NULL;
    }

    return g_strdup ("");
}

/* What of a command line an error shows: the path, not the parameters behind it. */
static gsize
path_extent (const gchar *text, gsize length)
{
    const gchar *close = length > 0 ? memchr (text, '>', length) : NULL;

    return close != NULL ? (gsize) (close - text) + 1 : length;
}

gchar *
message_path_parse (const gchar *text, gsize length, MessagePathFlags flags, gsize *consumed, GError **error)
{
    Scanner scanner;
    gchar *address;

    g_return_val_if_fail (text != NULL || length == 0, NULL);

    if (text == NULL)
        text = "";
    scanner = (Scanner){text, text + length, flags, text, path_extent (text, length)};
    address = scan_path (&scanner, error);
    if (address != NULL && consumed != NULL)
        *consumed = (gsize) (scanner.at - text);

    return address;
}

gchar *
message_address_parse (const gchar *text, MessagePathFlags flags, GError **error)
{
    g_autofree gchar *stripped = NULL;
    g_autofree gchar *address = NULL;
    Scanner scanner;

    g_return_val_if_fail (text != NULL, NULL);

    stripped = g_strstrip (g_strdup (text));
    scanner = (Scanner){stripped, stripped + strlen (stripped), flags, stripped, strlen (stripped)};
    if (*stripped == '\0' && (flags & MESSAGE_PATH_NULL) != 0)
        return g_strdup ("");
    if (*stripped != '<')
        return scan_mailbox (&scanner, '\0', error);

    address = scan_path (&scanner, error);
    if (address != NULL && scanner.at < scanner.end) {
        fail (&scanner, error, MESSAGE_ERROR_SYNTAX, "something follows the closing “>”");
        return NULL;
    }

    return g_steal_pointer (&address);
}

const gchar *
message_address_domain (const gchar *address)
{
    const gchar *at;

    g_return_val_if_fail (address != NULL, NULL);

    /* A quoted local part may hold an "@"; a domain never holds a quote. */
    at = strrchr (address, '@');
    if (at == NULL || strchr (at, '"') != NULL)
        return NULL;

    return at + 1;
}

static gboolean
is_localhost (const gchar *domain)
{
    return g_ascii_strcasecmp (domain, "localhost") == 0 || g_ascii_strcasecmp (domain, "localhost.localdomain") == 0;
}

gboolean
message_address_is_localhost (const gchar *address)
{
    const gchar *domain;

    g_return_val_if_fail (address != NULL, FALSE);

    domain = message_address_domain (address);
    return domain != NULL && is_localhost (domain);
}

gchar *
message_address_local_part (const gchar *address)
{
    const gchar *domain;
    const gchar *end;
    GString *plain;

    g_return_val_if_fail (address != NULL, NULL);

    domain = message_address_domain (address);
    end = domain != NULL ? domain - 1 : address + strlen (address);
    if (*address != '"')
        return g_strndup (address, (gsize) (end - address));

    plain = g_string_new (NULL);
    for (const gchar *at = address + 1; at < end - 1; at++) {
        if (*at == '\\')
            at++;
        g_string_append_c (plain, *at);
    }
    return g_string_free (plain, FALSE);
}

/* An address literal (RFC 5321 4.1.3) is no name, and that of an IPv6 address has no dot. */
static gboolean
is_short_host (const gchar *domain)
{
    return domain[0] != '[' && strchr (domain, '.') == NULL;
}

gboolean
message_address_is_complete (const gchar *address, const MessageCompletion *completion)
{
    const gchar *own;

    g_return_val_if_fail (address != NULL, TRUE);
    g_return_val_if_fail (completion != NULL, TRUE);

    own = message_address_domain (address);
    if (own == NULL || is_localhost (own))
        return *address == '\0';

    return completion->parent == NULL || !is_short_host (own);
}

gchar *
message_address_complete (const gchar *address, const MessageCompletion *completion)
{
    const gchar *own;

    g_return_val_if_fail (address != NULL, NULL);
    g_return_val_if_fail (completion != NULL && completion->domain != NULL, NULL);

    if (message_address_is_complete (address, completion))
        return g_strdup (address);

    own = message_address_domain (address);
    if (own == NULL)
        return g_strconcat (address, "@", completion->domain, NULL);
    if (is_localhost (own))
        return g_strdup_printf ("%.*s%s", (gint) (own - address), address, completion->domain);

    return g_strconcat (address, ".", completion->parent, NULL);
}

gboolean
message_address_is_ascii (const gchar *address)
{
    g_return_val_if_fail (address != NULL, FALSE);

    return g_str_is_ascii (address);
}

gboolean
message_address_equal (const gchar *a, const gchar *b)
{
    const gchar *domain_a;
    const gchar *domain_b;

    g_return_val_if_fail (a != NULL, FALSE);
    g_return_val_if_fail (b != NULL, FALSE);

    domain_a = message_address_domain (a);
    domain_b = message_address_domain (b);
    if (domain_a == NULL || domain_b == NULL)
        return strcmp (a, b) == 0;

    return domain_a - a == domain_b - b && memcmp (a, b, (gsize) (domain_a - a)) == 0 &&
           g_ascii_strcasecmp (domain_a, domain_b) == 0;
}
