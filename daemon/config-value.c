/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Configuration values
 *
 * Text in, a number or a name out. A value is taken whole or not at all: "5 apples" is no number, and "10Q" no size. A
 * lenient reader would run a mail system with a limit that nobody meant. Nothing here knows where a value stands, so the
 * caller words the complaint.
 */

#include "config-value.h"

#include <gio/gio.h>
#include <string.h>

/* RFC 1035 2.3.4 */
#define LABEL_LONGEST_BYTES  63
#define DOMAIN_LONGEST_BYTES 255

typedef struct {
    const gchar *name;
    guint64 factor;
} Unit;

static const Unit size_units[] = {{"K", G_GUINT64_CONSTANT (1) << 10},
                                  {"M", G_GUINT64_CONSTANT (1) << 20},
                                  {"G", G_GUINT64_CONSTANT (1) << 30},
                                  {"T", G_GUINT64_CONSTANT (1) << 40}};

static const Unit span_units[] = {
    {"s", 1},       {"sec", 1},      {"second", 1},    {"seconds", 1},      {"m", 60},           {"min", 60},
    {"minute", 60}, {"minutes", 60}, {"h", 3600},      {"hour", 3600},      {"hours", 3600},     {"d", 86400},
    {"day", 86400}, {"days", 86400}, {"w", 7 * 86400}, {"week", 7 * 86400}, {"weeks", 7 * 86400}};

/* Reads digits at *@text and steps over them. */
static gboolean
read_digits (const gchar **text, guint64 *number)
{
    guint64 sum = 0;

    if (!g_ascii_isdigit (**text))
        return FALSE;

    for (; g_ascii_isdigit (**text); (*text)++)
        if (!g_uint64_checked_mul (&sum, sum, 10) || !g_uint64_checked_add (&sum, sum, (guint64) (**text - '0')))
            return FALSE;

    *number = sum;
    return TRUE;
}

static void
skip_spaces (const gchar **text)
{
    while (g_ascii_isspace (**text))
        (*text)++;
}

/* The unit that is @length letters at @text. */
static const Unit *
find_unit (const Unit *units, gsize n_units, const gchar *text, gsize length)
{
    for (gsize i = 0; i < n_units; i++)
        if (strlen (units[i].name) == length && g_ascii_strncasecmp (units[i].name, text, length) == 0)
            return &units[i];

    return NULL;
}

/* Steps over the letters at *@text. */
static gsize
skip_letters (const gchar **text)
{
    const gchar *start = *text;

    while (g_ascii_isalpha (**text))
        (*text)++;

    return (gsize) (*text - start);
}

gboolean
config_value_number (const gchar *text, guint64 *number)
{
    return read_digits (&text, number) && *text == '\0';
}

gboolean
config_value_rate (const gchar *text, guint *most, guint *seconds)
{
    guint64 number, span;

    if (!read_digits (&text, &number) || number > G_MAXUINT)
        return FALSE;
    if (number == 0 && *text == '\0') {
        *most = *seconds = 0;
        return TRUE;
    }
    if (number == 0 || *text != '/' || !config_value_span (text + 1, &span) || span == 0 || span > G_MAXINT)
        return FALSE;
    *most = (guint) number;
    *seconds = (guint) span;

    return TRUE;
}

gboolean
config_value_size (const gchar *text, guint64 *bytes)
{
    const gchar *suffix;
    const Unit *unit;
    guint64 number;

    if (!read_digits (&text, &number))
        return FALSE;

    skip_spaces (&text);
    suffix = text;
    if (*suffix == '\0') {
        *bytes = number;
        return TRUE;
    }

    unit = find_unit (size_units, G_N_ELEMENTS (size_units), suffix, skip_letters (&text));
    return unit != NULL && *text == '\0' && g_uint64_checked_mul (bytes, number, unit->factor);
}

/* One "5min" at *@text, which is stepped over; a number without a unit is in seconds. */
static gboolean
read_span_part (const gchar **text, guint64 *seconds)
{
    const gchar *letters;
    const Unit *unit;
    guint64 number;
    gsize n_letters;

    if (!read_digits (text, &number))
        return FALSE;

    skip_spaces (text);
    letters = *text;
    n_letters = skip_letters (text);
    if (n_letters == 0) {
        *seconds = number;
        return TRUE;
    }

    unit = find_unit (span_units, G_N_ELEMENTS (span_units), letters, n_letters);
    return unit != NULL && g_uint64_checked_mul (seconds, number, unit->factor);
}

gboolean
config_value_span (const gchar *text, guint64 *seconds)
{
    guint64 sum = 0;

    do {
        guint64 part;

        if (!read_span_part (&text, &part) || !g_uint64_checked_add (&sum, sum, part))
            return FALSE;
        skip_spaces (&text);
    } while (*text != '\0');

    *seconds = sum;
    return TRUE;
}

gboolean
config_value_short_span (const gchar *text, guint64 *msec)
{
    const gchar *rest = text;

    if (read_digits (&rest, msec) && g_ascii_strcasecmp (rest, "ms") == 0)
        return TRUE;

    return config_value_span (text, msec) && g_uint64_checked_mul (msec, *msec, 1000);
}

gboolean
config_value_boolean (const gchar *text, gboolean *value)
{
    static const gchar *const yes[] = {"yes", "true", "1", NULL};
    static const gchar *const no[] = {"no", "false", "0", NULL};
    g_autofree gchar *lower = g_ascii_strdown (text, -1);

    *value = g_strv_contains (yes, lower);
    return *value || g_strv_contains (no, lower);
}

/* A label of a host name (RFC 1123 2.1); an underscore is no letter, but there are hosts that have it. */
static gboolean
is_label (const gchar *label)
{
    gsize length = strlen (label);

    if (length == 0 || length > LABEL_LONGEST_BYTES || label[0] == '-' || label[length - 1] == '-')
        return FALSE;

    return strspn (label, "abcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

gchar *
config_value_domain (const gchar *text)
{
    g_autofree gchar *bare = NULL;
    g_autofree gchar *ascii = NULL;
    g_autofree gchar *lower = NULL;
    g_auto (GStrv) labels = NULL;

    if (!g_utf8_validate (text, -1, NULL) || g_hostname_is_ip_address (text))
        return NULL;

    /* The root's dot (RFC 1034 3.1) is DNS's, and no part of a name in mail or in a certificate. */
    bare = g_strndup (text, strlen (text) - (g_str_has_suffix (text, ".") ? 1 : 0));
    ascii = g_hostname_to_ascii (bare);
    if (ascii == NULL || strlen (ascii) > DOMAIN_LONGEST_BYTES)
        return NULL;

    lower = g_ascii_strdown (ascii, -1);
    labels = g_strsplit (lower, ".", -1);
    for (guint i = 0; labels[i] != NULL; i++)
        if (!is_label (labels[i]))
            return NULL;

    return labels[0] != NULL ? g_steal_pointer (&lower) : NULL;
}

gchar *
config_value_host (const gchar *text)
{
    gsize length = strlen (text);
    g_autofree gchar *inner = NULL;

    if (length > 2 && text[0] == '[' && text[length - 1] == ']')
        inner = g_strndup (text + 1, length - 2);
    else if (g_hostname_is_ip_address (text))
        inner = g_strdup (text);
    else
        return config_value_domain (text);

    return g_hostname_is_ip_address (inner) ? g_steal_pointer (&inner) : NULL;
}

/* The part of a URL's or an address's @text that names the host, which @port follows. */
static gchar *
split_host (const gchar *text, const gchar **port)
{
    const gchar *at = strrchr (text, '@');
    const gchar *start = at != NULL ? at + 1 : text;
    gsize length = *start == '[' ? strcspn (start, "]/") + 1 : strcspn (start, ":/");
    g_autofree gchar *host = g_strndup (start, MIN (length, strlen (start)));

    *port = strlen (start) > length && start[length] == ':' ? start + length + 1 : NULL;
    return config_value_host (host);
}

gchar *
config_value_explain_host (const gchar *key, const gchar *text)
{
    const gchar *scheme_end = strstr (text, "://");
    const gchar *rest = scheme_end != NULL ? scheme_end + strlen ("://") : text;
    gboolean is_implicit = g_ascii_strncasecmp (text, "smtps:", strlen ("smtps:")) == 0;
    const gchar *port = NULL;
    g_autofree gchar *host = NULL;
    GString *words;

    if (strpbrk (text, " \t,") != NULL)
        return NULL;

    host = split_host (rest, &port);
    if (host == NULL)
        return NULL;

    words = g_string_new (NULL);
    g_string_append_printf (words, "the name alone, %s=%s", key, host);
    if (port != NULL && g_ascii_isdigit (*port) && g_str_equal (key, "Host"))
        g_string_append_printf (words, ", and Port=%.*s in a line of its own", (gint) strspn (port, G_CSET_DIGITS),
                                port);
    if (is_implicit)
        g_string_append (words, ", and TLS=implicit");
    return g_string_free (words, FALSE);
}

/* Levenshtein's distance between two short ASCII texts, case aside. */
static guint
edit_distance (const gchar *a, const gchar *b)
{
    gsize n = strlen (b);
    g_autofree guint *row = g_new (guint, n + 1);

    for (gsize j = 0; j <= n; j++)
        row[j] = (guint) j;

    for (gsize i = 1; a[i - 1] != '\0'; i++) {
        guint diagonal = row[0];

        row[0] = (guint) i;
        for (gsize j = 1; j <= n; j++) {
            guint above = row[j];
            guint change = g_ascii_tolower (a[i - 1]) == g_ascii_tolower (b[j - 1]) ? 0 : 1;

            row[j] = MIN (MIN (above, row[j - 1]) + 1, diagonal + change);
            diagonal = above;
        }
    }

    return row[n];
}

const gchar *
config_value_nearest (const gchar *text, const gchar *const *candidates)
{
    gsize length = strlen (text);
    const gchar *nearest = NULL;
    guint least = 0;

    if (length == 0 || length > DOMAIN_LONGEST_BYTES)
        return NULL;

    for (guint i = 0; candidates[i] != NULL; i++) {
        guint distance = edit_distance (text, candidates[i]);
        guint allowed = (guint) MAX (1, MIN (length, strlen (candidates[i])) / 3);
        gboolean begins = length >= 4 && g_ascii_strncasecmp (text, candidates[i], length) == 0;

        /* Half a name is as good as a slip: "Password" for "PasswordFile". */
        if (begins)
            distance = MIN (distance, 1);
        if ((begins || distance <= allowed) && (nearest == NULL || distance < least)) {
            nearest = candidates[i];
            least = distance;
        }
    }

    return nearest;
}
