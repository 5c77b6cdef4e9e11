/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The log
 *
 * All rooms log with GLib's structured functions; this writer takes the fields to the journal as they are where
 * standard error is connected to it, and else makes lines of them. A line has to be read by people and by tests alike: a
 * sentence first, then the POSTERN_ fields.
 *
 * Much of what is logged was chosen by strangers: addresses, a server's replies. The journal keeps fields apart by their
 * length. A text line cannot, so everything that could end the line, a field, or the sentence, or that could steer a terminal,
 * is written as an escape.
 *
 * Standard error may be a pipe whose reader has stopped reading. Mail does not wait for it: after a moment lines are left
 * out, and counted.
 */

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "message/printable.h"

#define FIELD_PREFIX "POSTERN_"

/* LOG_ERR of syslog(3), as the journal's PRIORITY= has it */
#define PRIORITY_ERROR "3"

#define LINE_USUAL_BYTES 768

/* A reader that is only slow catches up in this time. */
#define READER_WAIT_MSEC 1000

/* Lines that could not be written since the last that could. The log is what all threads share. */
static gint lines_lost;

/* A file takes every line at once. */
static gboolean stderr_is_file;

static gsize
field_length (const GLogField *field)
{
    return field->length < 0 ? strlen (field->value) : (gsize) field->length;
}

static void
append_escape (GString *line, const gchar *bytes, gsize n_bytes)
{
    if (n_bytes == 1 && bytes[0] == '\n') {
        g_string_append (line, "\\n");
        return;
    }

    for (gsize i = 0; i < n_bytes; i++)
        g_string_append_printf (line, "\\x%02x", (guint8) bytes[i]);
}

/* How many bytes at @text need no escape and no look at Unicode. */
static gsize
plain_run (const gchar *text, const gchar *end, const gchar *special)
{
    const gchar *start = text;

    while (text < end && g_ascii_isprint (*text) && (*special == '\0' || strchr (special, *text) == NULL))
        text++;

    return (gsize) (text - start);
}

/* Appends the character at @text, which needs more than a copy; returns its bytes. */
static gsize
append_character (GString *line, const gchar *text, const gchar *end)
{
    gunichar character = g_utf8_get_char_validated (text, end - text);
    gsize n_bytes = character >= 0x80 && character <= 0x10ffff ? (gsize) g_unichar_to_utf8 (character, NULL) : 1;

    if (g_ascii_isprint (*text))
        g_string_append_printf (line, "\\%c", *text);
    else if (n_bytes > 1 && message_is_harmless (character))
        g_string_append_len (line, text, (gssize) n_bytes);
    else
        append_escape (line, text, n_bytes);

    return n_bytes;
}

/* Appends text with escapes for what is not printable and for the characters in @special. */
static void
append_escaped (GString *line, const gchar *text, gsize length, const gchar *special)
{
    const gchar *end = text + length;

    while (text < end) {
        gsize run = plain_run (text, end, special);

        g_string_append_len (line, text, (gssize) run);
        text += run;
        if (text < end)
            text += append_character (line, text, end);
    }
}

static void
append_sentence (GString *line, const gchar *text, gsize length)
{
    const gchar *end = text + length;
    const gchar *prefix;

    /* What a stranger put into a sentence must not pass for one of the fields behind it. */
    while ((prefix = memmem (text, (gsize) (end - text), FIELD_PREFIX, strlen (FIELD_PREFIX))) != NULL) {
        append_escaped (line, text, (gsize) (prefix - text), "");
        g_string_append (line, "POSTERN\\x5f");
        text = prefix + strlen (FIELD_PREFIX);
    }

    append_escaped (line, text, (gsize) (end - text), "");
}

static gboolean
is_plain (const gchar *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_isalnum (text[i]) && (text[i] == '\0' || strchr ("@.:/+-_<>[]()=,%~*", text[i]) == NULL))
            return FALSE;

    return length > 0;
}

static void
append_field (GString *line, const GLogField *field)
{
    gsize length = field_length (field);

    g_string_append_c (line, ' ');
    g_string_append (line, field->key);
    g_string_append_c (line, '=');
    if (is_plain (field->value, length)) {
        g_string_append_len (line, field->value, (gssize) length);
        return;
    }

    g_string_append_c (line, '"');
    append_escaped (line, field->value, length, "\"\\");
    g_string_append_c (line, '"');
}

static const GLogField *
find_field (const GLogField *fields, gsize n_fields, const gchar *key)
{
    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal (fields[i].key, key))
            return &fields[i];

    return NULL;
}

/* What stands in front of the sentence: how bad it is, and who says it if it is not us. A programming error is called
 * CRITICAL, as GLib calls it, and is not to be mixed up with trouble of the machine, which has a priority. */
static void
append_severity (GString *line, GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    const GLogField *domain = find_field (fields, n_fields, "GLIB_DOMAIN");
    const GLogField *priority = find_field (fields, n_fields, "PRIORITY");
    const gchar *name = domain != NULL ? domain->value : "GLib";

    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) {
        g_string_append_printf (line, "%s-%s: ", name, level & G_LOG_LEVEL_ERROR ? "ERROR" : "CRITICAL");
        return;
    }

    if (priority != NULL && g_strcmp0 (priority->value, PRIORITY_ERROR) == 0)
        g_string_append (line, "error: ");
    else if (level & G_LOG_LEVEL_WARNING)
        g_string_append (line, "warning: ");
    if (!g_str_equal (name, G_LOG_DOMAIN))
        g_string_append_printf (line, "%s: ", name);
}

void
log_format (GLogLevelFlags level, const GLogField *fields, gsize n_fields, GString *line)
{
    const GLogField *message = find_field (fields, n_fields, "MESSAGE");

    append_severity (line, level, fields, n_fields);
    if (message != NULL)
        append_sentence (line, message->value, field_length (message));

    for (gsize i = 0; i < n_fields; i++)
        if (g_str_has_prefix (fields[i].key, FIELD_PREFIX))
            append_field (line, &fields[i]);
    g_string_append_c (line, '\n');
}

static void
write_line (const GString *line)
{
    gsize written = 0;

    while (written < line->len) {
        gssize n = write (STDERR_FILENO, line->str + written, line->len - written);

        if (n < 0 && errno != EINTR)
            return; /* there is no other place to say so */
        if (n > 0)
            written += (gsize) n;
    }
}

/* Whether standard error takes a line within the time that its reader has: once it was late, none. */
static gboolean
is_read (void)
{
    struct pollfd stderr_poll = {.fd = STDERR_FILENO, .events = POLLOUT};

    return stderr_is_file || poll (&stderr_poll, 1, g_atomic_int_get (&lines_lost) > 0 ? 0 : READER_WAIT_MSEC) != 0;
}

static void
write_text (GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    g_autoptr (GString) line = g_string_sized_new (LINE_USUAL_BYTES);
    gint lost;

    if (!is_read ()) {
        g_atomic_int_inc (&lines_lost);
        return;
    }

    lost = g_atomic_int_exchange (&lines_lost, 0);
    if (lost > 0)
        g_string_append_printf (line, "warning: %d lines of this log are missing here, because nobody read it\n",
                                lost);
    log_format (level, fields, n_fields, line);
    write_line (line);
}

/* Whether the journal took it. */
static gboolean
write_journal (const GLogField *fields, gsize n_fields)
{
    struct iovec vector[LOG_FIELDS_MOST];
    g_autoptr (GString) text = g_string_sized_new (1024);
    int n = (int) MIN (n_fields, LOG_FIELDS_MOST);
    gchar *start;

    for (int i = 0; i < n; i++) {
        gsize begin = text->len;

        g_string_append (text, fields[i].key);
        g_string_append_c (text, '=');
        g_string_append_len (text, fields[i].value, (gssize) field_length (&fields[i]));
        vector[i].iov_len = text->len - begin;
    }

    start = text->str;
    for (int i = 0; i < n; i++) {
        vector[i].iov_base = start;
        start += vector[i].iov_len;
    }

    return sd_journal_sendv (vector, n) == 0;
}

/* Debugging is for those who ask with G_MESSAGES_DEBUG; what the libraries tell for information, too. */
static gboolean
is_wanted (GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
    const GLogField *domain = find_field (fields, n_fields, "GLIB_DOMAIN");
    const gchar *name = domain != NULL ? domain->value : NULL;

    if ((level & G_LOG_LEVEL_INFO) && g_strcmp0 (name, G_LOG_DOMAIN) == 0)
        return TRUE;

    return !g_log_writer_default_would_drop (level, name);
}

static GLogWriterOutput
log_write (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer to_journal)
{
    if (!is_wanted (level, fields, n_fields))
        return G_LOG_WRITER_HANDLED;

    if (!GPOINTER_TO_INT (to_journal) || !write_journal (fields, n_fields))
        write_text (level, fields, n_fields);

    return G_LOG_WRITER_HANDLED;
}

void
log_install (void)
{
    struct stat status;

    stderr_is_file = fstat (STDERR_FILENO, &status) == 0 && S_ISREG (status.st_mode);
    g_log_set_writer_func (log_write, GINT_TO_POINTER (g_log_writer_is_journald (STDERR_FILENO)), NULL);
}
