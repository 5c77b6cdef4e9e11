/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Text for a terminal
 *
 * Addresses and replies come from anywhere. Shown as they are, an escape sequence in one could rewrite the screen,
 * and a right-to-left override could make one address look like another; so everything from outside passes
 * text_escape () on its way to a terminal. In JSON the same characters are spelled in JSON's own way; only a message's
 * content is printed as it is.
 *
 * Sizes and spans are rounded to what an eye takes in: two digits and a unit.
 */

#include "postern-text.h"

#include <pwd.h>
#include <string.h>

#include "message/printable.h"
#include "output/output.h"
#include "output/width.h"

/* More than any mail waits; it keeps sums of spans far from their limits. */
#define CENTURY_SECONDS (G_GINT64_CONSTANT (100) * 366 * 24 * 60 * 60)

static void
append_character (GString *escaped, gunichar c)
{
    if (c == '\n')
        g_string_append (escaped, "\\n");
    else if (c == '\r')
        g_string_append (escaped, "\\r");
    else if (c == '\t')
        g_string_append (escaped, "\\t");
    else if (message_is_harmless (c))
        g_string_append_unichar (escaped, c);
    else if (c < 0x80)
        g_string_append_printf (escaped, "\\x%02x", c);
    else
        g_string_append_printf (escaped, "\\u%04x", c);
}

/* How many bytes from @text on are shown as they are, without a look at Unicode: mostly all. */
static gsize
plain_length (const gchar *text)
{
    gsize length = 0;

    while (g_ascii_isprint (text[length]))
        length++;
    return length;
}

gchar *
text_escape (const gchar *text)
{
    const gchar *all = text == NULL ? "" : text;
    gsize plain = plain_length (all);
    GString *escaped = g_string_new_len (all, (gssize) plain);
    const gchar *end = all + plain + strlen (all + plain);

    text = all + plain;
    while (text < end) {
        gunichar c = g_utf8_get_char_validated (text, end - text);

        if (c == (gunichar) -1 || c == (gunichar) -2) {
            g_string_append_printf (escaped, "\\x%02x", (guchar) *text);
            text++;
            continue;
        }
        append_character (escaped, c);
        text = g_utf8_next_char (text);
    }
    return g_string_free (escaped, FALSE);
}

gchar *
text_fit (const gchar *text, guint columns)
{
    /* Where there is no "…" it would be three dots. */
    const gchar *ellipsis = output_is_utf8 () ? "…" : "~";
    const gchar *end = text;
    guint width = 0;

    if (width_of_text (text) <= columns)
        return g_strdup (text);

    while (*end != '\0') {
        guint next = width + width_of_character (g_utf8_get_char (end));

        if (next > columns - 1)
            break;
        width = next;
        end = g_utf8_next_char (end);
    }
    return g_strdup_printf ("%.*s%s", (int) (end - text), text, ellipsis);
}

gchar *
text_size (guint64 bytes)
{
    static const gchar units[] = "KMGTPE";
    gdouble size = (gdouble) bytes;
    gint unit = -1;

    if (bytes < 1024)
        return g_strdup_printf ("%" G_GUINT64_FORMAT " B", bytes);

    /* 999.5 would be shown with four digits. */
    while (size >= 999.5 && unit + 1 < (gint) sizeof units - 1) {
        size /= 1024;
        unit++;
    }
    return g_strdup_printf (size < 9.95 ? "%.1f %c" : "%.0f %c", size, units[unit]);
}

gchar *
text_span (gint64 usec)
{
    gint64 seconds = ABS (usec) / G_USEC_PER_SEC;

    if (seconds < 1)
        return g_strdup ("now");
    if (seconds < 120)
        return g_strdup_printf ("%" G_GINT64_FORMAT " s", seconds);
    if (seconds < 2 * 60 * 60)
        return g_strdup_printf ("%" G_GINT64_FORMAT " min", seconds / 60);
    if (seconds < 2 * 24 * 60 * 60)
        return g_strdup_printf ("%" G_GINT64_FORMAT " h", seconds / (60 * 60));
    return g_strdup_printf ("%" G_GINT64_FORMAT " d", seconds / (24 * 60 * 60));
}

static gchar *
format_time (GDateTime *time, const gchar *format)
{
    return time == NULL ? g_strdup ("?") : g_date_time_format (time, format);
}

gchar *
text_time (gint64 usec, gint64 now_usec)
{
    g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (usec / G_USEC_PER_SEC);
    g_autoptr (GDateTime) now = g_date_time_new_from_unix_local (now_usec / G_USEC_PER_SEC);
    gboolean is_today = time != NULL && now != NULL && g_date_time_get_year (time) == g_date_time_get_year (now) &&
                        g_date_time_get_day_of_year (time) == g_date_time_get_day_of_year (now);

    return format_time (time, is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S");
}

gchar *
text_relative (gint64 usec, gint64 now_usec)
{
    gint64 distance = usec - now_usec;
    g_autofree gchar *span = text_span (distance);

    if (ABS (distance) < G_USEC_PER_SEC)
        return g_steal_pointer (&span);
    return distance < 0 ? g_strconcat (span, " ago", NULL) : g_strconcat ("in ", span, NULL);
}

gchar *
text_iso_time (gint64 usec)
{
    g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (usec / G_USEC_PER_SEC);

    return format_time (time, "%Y-%m-%dT%H:%M:%SZ");
}

/* The seconds of a unit that starts at @text; 0 if there is none. @length: its letters. */
static gint64
unit_seconds (const gchar *text, gsize *length)
{
    static const struct {
        const gchar *name;
        gint64 seconds;
    } units[] = {
        {"", 1},     {"s", 1},       {"sec", 1},          {"m", 60},
        {"min", 60}, {"h", 60 * 60}, {"d", 24 * 60 * 60}, {"w", 7 * 24 * 60 * 60},
    };

    for (*length = 0; g_ascii_isalpha (text[*length]);)
        (*length)++;
    for (guint i = 0; i < G_N_ELEMENTS (units); i++) {
        if (strlen (units[i].name) == *length && g_ascii_strncasecmp (units[i].name, text, *length) == 0)
            return units[i].seconds;
    }
    return 0;
}

gboolean
text_parse_span (const gchar *text, gint64 *usec)
{
    gint64 total = 0;

    text += strspn (text, " ");
    if (*text == '\0')
        return FALSE;

    while (*text != '\0') {
        gchar *end;
        guint64 count = g_ascii_strtoull (text, &end, 10);
        gsize length;
        gint64 seconds;

        if (!g_ascii_isdigit (*text) || count > (guint64) CENTURY_SECONDS)
            return FALSE;

        end += strspn (end, " ");
        seconds = unit_seconds (end, &length);
        if (seconds == 0)
            return FALSE;

        total += (gint64) count * seconds;
        if (total > CENTURY_SECONDS)
            return FALSE;

        text = end + length;
        text += strspn (text, " ");
    }

    *usec = total * G_USEC_PER_SEC;
    return TRUE;
}

gchar *
text_user (gint64 uid)
{
    const struct passwd *entry;

    if (uid < 0)
        return g_strdup ("unknown");

    entry = getpwuid ((uid_t) uid);
    return entry == NULL ? g_strdup_printf ("%" G_GINT64_FORMAT, uid) : text_escape (entry->pw_name);
}
