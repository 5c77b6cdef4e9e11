/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Command lines taken apart
 *
 * Verb, argument, path, chunk size: what each command of RFC 5321 4.1.1 and RFC 3030 is made of. Whether it makes sense
 * at this point of a session is the server's to decide. Verbs and keywords are read without regard to case, and white
 * space before the end of a line is ignored (RFC 5321 4.1.1).
 */

#include "smtp/command.h"

#include <string.h>

/* What 2^64 - 1 takes, which is more than anyone sends. */
#define CHUNK_SIZE_DIGITS_MOST 20

static const struct {
    const gchar *name;
    gsize length;
    SmtpVerb verb;
} verbs[] = {
#define VERB(name, verb)                                                                                             \
    {                                                                                                                \
        name, sizeof (name) - 1, verb                                                                                \
    }
    /* In the order of how often they come. */
    VERB ("RCPT", SMTP_VERB_RCPT),    VERB ("MAIL", SMTP_VERB_MAIL),         VERB ("DATA", SMTP_VERB_DATA),
    VERB ("BDAT", SMTP_VERB_BDAT),    VERB ("EHLO", SMTP_VERB_EHLO),         VERB ("QUIT", SMTP_VERB_QUIT),
    VERB ("RSET", SMTP_VERB_RSET),    VERB ("STARTTLS", SMTP_VERB_STARTTLS), VERB ("HELO", SMTP_VERB_HELO),
    VERB ("NOOP", SMTP_VERB_NOOP),    VERB ("VRFY", SMTP_VERB_VRFY),         VERB ("EXPN", SMTP_VERB_EXPN),
    VERB ("HELP", SMTP_VERB_HELP),    VERB ("GET", SMTP_VERB_HTTP),          VERB ("HEAD", SMTP_VERB_HTTP),
    VERB ("POST", SMTP_VERB_HTTP),    VERB ("PUT", SMTP_VERB_HTTP),          VERB ("DELETE", SMTP_VERB_HTTP),
    VERB ("CONNECT", SMTP_VERB_HTTP), VERB ("OPTIONS", SMTP_VERB_HTTP),      VERB ("PATCH", SMTP_VERB_HTTP),
#undef VERB
};

static gboolean
is_white (gchar c)
{
    return c == ' ' || c == '\t';
}

static SmtpVerb
find_verb (const gchar *name, gsize length)
{
    for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++)
        if (verbs[i].length == length && g_ascii_strncasecmp (verbs[i].name, name, length) == 0)
            return verbs[i].verb;

    return SMTP_VERB_UNKNOWN;
}

SmtpCommand
smtp_command_parse (const gchar *line, gsize length)
{
    gsize verb = 0;
    gsize start;

    while (length > 0 && is_white (line[length - 1]))
        length--;
    while (verb < length && !is_white (line[verb]))
        verb++;
    start = verb;
    while (start < length && is_white (line[start]))
        start++;

    return (SmtpCommand){find_verb (line, verb), line + start, length - start};
}

gboolean
smtp_command_path (const SmtpCommand *command, const gchar *keyword, const gchar **path, gsize *length)
{
    gsize position = strlen (keyword);

    if (command->length < position || g_ascii_strncasecmp (command->argument, keyword, position) != 0)
        return FALSE;

    while (position < command->length && command->argument[position] == ' ')
        position++;
    *path = command->argument + position;
    *length = command->length - position;

    return *length > 0 && **path == '<';
}

/* Reads a number at the start of the argument; returns how many digits it has, 0 if there is none that fits. */
static gsize
read_size (const SmtpCommand *command, guint64 *size)
{
    gsize digits = 0;
    guint64 value = 0;

    while (digits < command->length && g_ascii_isdigit (command->argument[digits])) {
        guint64 digit = (guint64) g_ascii_digit_value (command->argument[digits]);

        if (digits == CHUNK_SIZE_DIGITS_MOST || value > (G_MAXUINT64 - digit) / 10)
            return 0;
        value = value * 10 + digit;
        digits++;
    }
    *size = value;

    return digits;
}

SmtpChunkResult
smtp_command_chunk (const SmtpCommand *command, guint64 *size, gboolean *last)
{
    guint64 value;
    gsize position = read_size (command, &value);
    gsize word;

    if (position == 0 || (position < command->length && !is_white (command->argument[position])))
        return SMTP_CHUNK_BAD_SIZE;

    while (position < command->length && is_white (command->argument[position]))
        position++;
    word = command->length - position;

    *size = value;
    *last = word == strlen ("LAST") && g_ascii_strncasecmp (command->argument + position, "LAST", word) == 0;

    return word == 0 || *last ? SMTP_CHUNK_OK : SMTP_CHUNK_BAD_WORD;
}
