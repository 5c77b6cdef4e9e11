/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What programs print
 *
 * Our sentences are in UTF-8, with typographic quotes. GLib writes a "?" for each character that the locale has not, and
 * services, cron and many a root's shell run without a locale at all. So where no locale was chosen, UTF-8 is: terminals
 * and the journal have it. Whoever chose another one gets ASCII's own quotes, and spelled-out code points for the rest;
 * the journal gets UTF-8 all the same, because it is read elsewhere.
 *
 * On a terminal lines end between words (wrap.h).
 *
 * A process has one standard output and one standard error, and GLib's handlers know no more than the text: this is
 * the one place outside the log with variables of its own.
 */

#include "output/output.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output/wrap.h"

/* What a terminal that does not tell has at least had since there are any. */
#define COLUMNS_DEFAULT 80

/* On less, words are no help. */
#define COLUMNS_LEAST 20

#define LOCALE_UTF8 "C.UTF-8"

typedef struct {
    int fd;
    gboolean is_utf8;
    gboolean is_terminal;
    WrapLine line;
} Stream;

static Stream out = {.fd = STDOUT_FILENO, .is_utf8 = TRUE};
static Stream err = {.fd = STDERR_FILENO, .is_utf8 = TRUE};

/* What stands for a character where there is ASCII only. */
static const struct {
    gunichar character;
    const gchar *ascii;
} equivalents[] = {
    {0x00a0, " "},  {0x2013, "-"},  {0x2014, "-"},   {0x2018, "'"},  {0x2019, "'"},
    {0x201c, "\""}, {0x201d, "\""}, {0x2026, "..."}, {0x2192, "->"},
};

static const gchar *
ascii_for (gunichar character)
{
    for (guint i = 0; i < G_N_ELEMENTS (equivalents); i++)
        if (equivalents[i].character == character)
            return equivalents[i].ascii;

    return NULL;
}

static gchar *
replace_typography (const gchar *text)
{
    GString *plain = g_string_new (NULL);

    for (const gchar *c = text; *c != '\0'; c = g_utf8_next_char (c)) {
        const gchar *ascii = ascii_for (g_utf8_get_char (c));

        if (ascii != NULL)
            g_string_append (plain, ascii);
        else
            g_string_append_len (plain, c, g_utf8_next_char (c) - c);
    }

    return g_string_free (plain, FALSE);
}

/* Returns: (transfer full) (nullable): in the locale's character set */
static gchar *
to_locale (const gchar *text)
{
    const gchar *charset;

    g_get_charset (&charset);
    return g_convert_with_fallback (text, -1, charset, "UTF-8", NULL, NULL, NULL, NULL);
}

static guint
columns_of (const Stream *stream)
{
    struct winsize size;
    const gchar *columns;

    if (!stream->is_terminal)
        return 0;
    if (ioctl (stream->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;

    columns = g_getenv ("COLUMNS");
    return columns != NULL && atoi (columns) > 0 ? (guint) atoi (columns) : COLUMNS_DEFAULT;
}

static void
print (Stream *stream, FILE *file, const gchar *text)
{
    guint columns = columns_of (stream);
    g_autofree gchar *plain = stream->is_utf8 ? NULL : replace_typography (text);
    g_autoptr (GString) wrapped = NULL;
    g_autofree gchar *local = NULL;

    if (plain != NULL)
        text = plain;
    if (columns >= COLUMNS_LEAST) {
        wrapped = g_string_new (NULL);
        wrap_append (&stream->line, columns, text, wrapped);
        text = wrapped->str;
    }
    if (!stream->is_utf8)
        local = to_locale (text);

    fputs (local != NULL ? local : text, file);
    fflush (file);
}

static void
print_out (const gchar *text)
{
    print (&out, stdout, text);
}

static void
print_err (const gchar *text)
{
    print (&err, stderr, text);
}

static void
look_at (Stream *stream)
{
    stream->is_utf8 = g_get_charset (NULL) || g_log_writer_is_journald (stream->fd);
    stream->is_terminal = isatty (stream->fd);
}

/* The locale of characters alone: in the daemon, messages and numbers stay as they are. */
static void
choose_locale (void)
{
    const gchar *locale = setlocale (LC_CTYPE, "");

    if (locale == NULL || strcmp (locale, "C") == 0 || strcmp (locale, "POSIX") == 0)
        setlocale (LC_CTYPE, LOCALE_UTF8);
}

void
output_install (void)
{
    choose_locale ();
    look_at (&out);
    look_at (&err);
    g_set_print_handler (print_out);
    g_set_printerr_handler (print_err);
}

void
output_answered (void)
{
    out.line = err.line = (WrapLine){0};
}

gboolean
output_is_utf8 (void)
{
    return out.is_utf8;
}

guint
output_columns (void)
{
    return columns_of (&out);
}
