/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The syntax of configuration files
 *
 * Groups, keys and comments as in a desktop's key files (GKeyFile), so that other programs can write them. They are read
 * here because a complaint has to name its line, and all that is wrong is told at once, not the first of it.
 *
 * No complaint shows the line itself: it may hold a password that somebody put where none belongs.
 */

#include "config-text.h"

#include "message/text-start.h"

#include <string.h>

typedef struct {
    const ConfigTextReader *reader;
    gpointer user_data;
    gchar *group; /* (nullable) before the first one, and below one whose name is wrong */
    gboolean has_group;
    guint line;
} Reading;

static void
complain (Reading *reading, const gchar *problem)
{
    reading->reader->wrong (reading->line, problem, reading->user_data);
}

static void
read_group (Reading *reading, gchar *text)
{
    gchar *end = strchr (text, ']');

    reading->has_group = TRUE;
    g_clear_pointer (&reading->group, g_free);
    if (end == NULL) {
        complain (reading, "expected “]” after the name of the group");
    } else if (end[1] != '\0') {
        complain (reading, "expected nothing after “]”; a comment has a line of its own");
    } else if (end == text + 1) {
        complain (reading, "expected the name of a group between “[” and “]”");
    } else {
        reading->group = g_strndup (text + 1, (gsize) (end - text) - 1);
        reading->reader->group (reading->group, reading->line, reading->user_data);
    }
}

/* What "\s", "\n" and so on stand for. */
static const gchar escapes[] = "s n\nt\tr\r\\\\";

/* Returns: (transfer full) (nullable): NULL for an escape that there is not */
static gchar *
unescape (const gchar *text)
{
    g_autoptr (GString) value = g_string_new (NULL);

    for (; *text != '\0'; text++) {
        gsize i = 0;

        if (*text != '\\') {
            g_string_append_c (value, *text);
            continue;
        }

        text++;
        while (escapes[i] != '\0' && escapes[i] != *text)
            i += 2;
        if (escapes[i] == '\0')
            return NULL;
        g_string_append_c (value, escapes[i + 1]);
    }

    return g_string_free (g_steal_pointer (&value), FALSE);
}

static void
read_entry (Reading *reading, gchar *text)
{
    gchar *sign = strchr (text, '=');
    g_autofree gchar *value = NULL;
    g_autofree gchar *problem = NULL;

    if (sign == NULL || sign == text) {
        complain (reading, "expected [GROUP], KEY=VALUE, or a comment that begins with “#”");
        return;
    }
    if (!reading->has_group)
        complain (reading, "expected a group, such as [Relay], before the first key");
    if (reading->group == NULL)
        return;

    *sign = '\0';
    g_strchomp (text);
    value = unescape (g_strchug (sign + 1));
    if (value != NULL && g_utf8_validate (value, -1, NULL) && g_utf8_validate (text, -1, NULL)) {
        g_strstrip (value);
        reading->reader->entry (reading->group, text, g_steal_pointer (&value), reading->line, reading->user_data);
        return;
    }

    problem = g_strdup_printf ("[%s] %s=: expected UTF-8 text, in which a backslash is written as two",
                               reading->group, g_utf8_validate (text, -1, NULL) ? text : "…");
    complain (reading, problem);
}

static void
read_line (Reading *reading, gchar *text)
{
    switch (*text) {
    case '\0':
    case '#':
        return;
    case ';':
        complain (reading, "expected “#” at the beginning of a comment, not “;”");
        return;
    case '[':
        read_group (reading, text);
        return;
    default:
        read_entry (reading, text);
        return;
    }
}

void
config_text_read (const gchar *text, gsize length, const ConfigTextReader *reader, gpointer user_data)
{
    Reading reading = {.reader = reader, .user_data = user_data};
    g_autoptr (GError) error = NULL;

    if (!message_text_start (&text, &length, &error)) {
        complain (&reading, error->message);
        return;
    }
    if (memchr (text, '\0', length) != NULL) {
        complain (&reading, "it is no UTF-8 text: it holds a zero byte");
        return;
    }

    while (length > 0) {
        const gchar *end = memchr (text, '\n', length);
        gsize n = end != NULL ? (gsize) (end - text) : length;
        g_autofree gchar *line = g_strndup (text, n);

        reading.line++;
        read_line (&reading, g_strstrip (line));
        text += n + (end != NULL ? 1 : 0);
        length -= n + (end != NULL ? 1 : 0);
    }
    g_free (reading.group);
}

void
config_text_append (GString *text, const gchar *key, const gchar *value)
{
    gsize length = strlen (value);

    g_string_append_printf (text, "%s=", key);
    for (gsize i = 0; i < length; i++) {
        /* A blank inside is no matter; at the ends it would be stripped. */
        gboolean is_inner_blank = value[i] == ' ' && i > 0 && i + 1 < length;
        gsize j = 0;

        while (escapes[j] != '\0' && escapes[j + 1] != value[i])
            j += 2;
        if (escapes[j] == '\0' || is_inner_blank)
            g_string_append_c (text, value[i]);
        else
            g_string_append_printf (text, "\\%c", escapes[j]);
    }
    g_string_append_c (text, '\n');
}
