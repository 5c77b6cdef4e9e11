/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Header fields with raw bytes beyond ASCII
 *
 * Programs write "Subject: Grüße" as if headers had always been UTF-8. Where such a field has to pass a server that
 * takes ASCII only, it can say the same in encoded words, or, in the parameters of MIME's own fields, in the extended
 * form of RFC 2231. Only what must change does; an ASCII word beside stays readable.
 *
 * White space between two encoded words is not shown (RFC 2047 6.2), so words that follow each other are encoded
 * together with what is between them, and an encoded word that was there already gets its space back the same way.
 *
 * The one thing that has no ASCII form is an address: its words stand for a mailbox, not for text.
 */

#include <string.h>

#include "message/eight-bit.h"
#include "message/encoded-word.h"
#include "message/mime-field.h"

/* RFC 2231: a parameter that is longer is cut into sections, so that lines stay within 78. */
#define PARAMETER_SECTION_BYTES 54

static gboolean
is_blank (gchar c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static gsize
blank_length (const gchar *text, gsize length)
{
    gsize blanks = 0;

    while (blanks < length && is_blank (text[blanks]))
        blanks++;

    return blanks;
}

static void
append_unfolded (GString *out, const gchar *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (text[i] != '\r' && text[i] != '\n')
            g_string_append_c (out, text[i]);
}

/* ---- Words, of which some are to be encoded ---- */

typedef struct {
    GString *out;
    GString *run;           /* the text of words that are to be encoded and follow each other */
    GString *blanks;        /* white space behind the last word */
    gboolean after_word;    /* with nothing but @blanks between */
    gboolean after_encoded; /* and that is an encoded word */
} Words;

static void
words_init (Words *words, GString *out)
{
    *words = (Words){.out = out, .run = g_string_new (NULL), .blanks = g_string_new (NULL)};
}

static void
words_clear (Words *words)
{
    g_string_free (words->run, TRUE);
    g_string_free (words->blanks, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Words, words_clear)

static void
flush_blanks (Words *words)
{
    g_string_append_len (words->out, words->blanks->str, (gssize) words->blanks->len);
    g_string_truncate (words->blanks, 0);
}

static void
end_run (Words *words, gboolean before_encoded)
{
    if (words->run->len == 0)
        return;

    if (before_encoded)
        append_unfolded (words->run, words->blanks->str, words->blanks->len);
    message_encoded_word_append (words->out, words->run->str, words->run->len);
    g_string_truncate (words->run, 0);
    words->after_encoded = TRUE;
}

/* A word that stays as it is. */
static void
add_plain (Words *words, const gchar *word, gsize length)
{
    gboolean encoded = message_encoded_word_is_one (word, length);
    gboolean behind_run = words->run->len > 0;

    end_run (words, encoded);
    if (behind_run && words->blanks->len == 0)
        g_string_append_c (words->blanks, ' ');
    flush_blanks (words);
    g_string_append_len (words->out, word, (gssize) length);
    words->after_word = TRUE;
    words->after_encoded = encoded;
}

/* A word that is to be encoded, as it is meant. */
static void
add_encoded (Words *words, const gchar *text, gsize length)
{
    if (words->run->len > 0) {
        append_unfolded (words->run, words->blanks->str, words->blanks->len);
        g_string_truncate (words->blanks, 0);
    } else {
        if (words->after_word && words->blanks->len == 0)
            g_string_append_c (words->blanks, ' ');
        if (words->after_encoded)
            append_unfolded (words->run, words->blanks->str, words->blanks->len);
        flush_blanks (words);
    }

    g_string_append_len (words->run, text, (gssize) length);
    words->after_word = TRUE;
}

/* Something that is no word ends what words follow each other. */
static void
end_words (Words *words)
{
    end_run (words, FALSE);
    flush_blanks (words);
    words->after_word = FALSE;
    words->after_encoded = FALSE;
}

static void
append_text (GString *out, const gchar *text, gsize length)
{
    g_auto (Words) words;

    words_init (&words, out);
    for (gsize at = 0; at < length;) {
        gsize blanks = blank_length (text + at, length - at);
        gsize word = 0;

        g_string_append_len (words.blanks, text + at, (gssize) blanks);
        at += blanks;
        while (at + word < length && !is_blank (text[at + word]))
            word++;
        if (word > 0 && message_has_8bit (text + at, word))
            add_encoded (&words, text + at, word);
        else if (word > 0)
            add_plain (&words, text + at, word);
        at += word;
    }
    end_words (&words);
}

/* ---- The tokens of a structured field (RFC 5322 3.2) ---- */

typedef enum { TOKEN_BLANKS, TOKEN_COMMENT, TOKEN_QUOTED, TOKEN_SPECIAL, TOKEN_ATOM } TokenKind;

/* Behind a backslash a byte means itself. */
static gsize
step_length (const gchar *text, gsize length)
{
    return *text == '\\' ? MIN (length, 2) : 1;
}

static gsize
quoted_length (const gchar *text, gsize length, gchar end)
{
    gsize at = 1;

    while (at < length && text[at] != end)
        at += step_length (text + at, length - at);

    return MIN (at + 1, length);
}

static gsize
comment_length (const gchar *text, gsize length)
{
    gsize depth = 0;
    gsize at = 0;

    do {
        if (text[at] == '(')
            depth++;
        else if (text[at] == ')')
            depth--;
        at += step_length (text + at, length - at);
    } while (at < length && depth > 0);

    return at;
}

static gboolean
is_special (gchar c)
{
    return c != '\0' && strchr ("<>,;:", c) != NULL;
}

static TokenKind
take_token (const gchar *text, gsize length, gsize *token)
{
    gsize at = 0;

    if (is_blank (*text)) {
        *token = blank_length (text, length);
        return TOKEN_BLANKS;
    }
    if (*text == '(') {
        *token = comment_length (text, length);
        return TOKEN_COMMENT;
    }
    if (*text == '"') {
        *token = quoted_length (text, length, '"');
        return TOKEN_QUOTED;
    }
    if (is_special (*text)) {
        *token = 1;
        return TOKEN_SPECIAL;
    }

    while (at < length && !is_blank (text[at]) && !is_special (text[at]) && text[at] != '(' && text[at] != '"')
        at += step_length (text + at, length - at);
    *token = at;
    return TOKEN_ATOM;
}

/* What stands between the quotes. */
static GString *
unquote (const gchar *text, gsize length)
{
    GString *plain = g_string_new (NULL);

    for (gsize at = 1; at < length && text[at] != '"';) {
        gsize step = step_length (text + at, length - at);

        append_unfolded (plain, text + at + step - 1, 1);
        at += step;
    }

    return plain;
}

static gsize
comment_word_length (const gchar *text, gsize length)
{
    gsize word = 0;

    while (word < length && !is_blank (text[word]) && text[word] != '(' && text[word] != ')')
        word += step_length (text + word, length - word);

    return word;
}

static void
add_comment_word (Words *words, const gchar *text, gsize length)
{
    g_autoptr (GString) plain = NULL;

    if (!message_has_8bit (text, length)) {
        add_plain (words, text, length);
        return;
    }

    plain = g_string_new (NULL);
    for (gsize at = 0; at < length;) {
        gsize step = step_length (text + at, length - at);

        g_string_append_c (plain, text[at + step - 1]);
        at += step;
    }
    add_encoded (words, plain->str, plain->len);
}

static void
append_comment (GString *out, const gchar *text, gsize length)
{
    g_auto (Words) words;

    words_init (&words, out);
    for (gsize at = 0; at < length;) {
        gsize blanks = blank_length (text + at, length - at);
        gsize word = comment_word_length (text + at + blanks, length - at - blanks);

        g_string_append_len (words.blanks, text + at, (gssize) blanks);
        at += blanks;
        if (word > 0) {
            add_comment_word (&words, text + at, word);
            at += word;
        } else if (at < length) {
            end_words (&words);
            g_string_append_c (out, text[at++]);
        }
    }
    end_words (&words);
}

/* ---- Lists of addresses ---- */

/* The part of a list up to the next "<", ">", ",", ";" or ":": a display name, an address, the name of a group. */
typedef struct {
    gsize length;
    gchar end;        /* what ends it, or 0 */
    gboolean has_at;  /* it has an "@": it is an address */
    gboolean foreign; /* there is something beyond ASCII in it that is not in a comment */
} Section;

static Section
measure_section (const gchar *text, gsize length)
{
    Section section = {0};

    while (section.length < length) {
        const gchar *at = text + section.length;
        gsize token;
        TokenKind kind = take_token (at, length - section.length, &token);

        if (kind == TOKEN_SPECIAL) {
            section.end = *at;
            break;
        }
        if (kind == TOKEN_ATOM && memchr (at, '@', token) != NULL)
            section.has_at = TRUE;
        if (kind != TOKEN_COMMENT && message_has_8bit (at, token))
            section.foreign = TRUE;
        section.length += token;
    }

    return section;
}

static void
append_section (GString *out, const gchar *text, gsize length)
{
    g_auto (Words) words;

    words_init (&words, out);
    for (gsize at = 0; at < length;) {
        gsize token;
        TokenKind kind = take_token (text + at, length - at, &token);
        gboolean foreign = message_has_8bit (text + at, token);

        if (kind == TOKEN_BLANKS) {
            g_string_append_len (words.blanks, text + at, (gssize) token);
        } else if (kind == TOKEN_COMMENT) {
            end_words (&words);
            append_comment (out, text + at, token);
        } else if (kind == TOKEN_QUOTED && foreign) {
            g_autoptr (GString) plain = unquote (text + at, token);

            add_encoded (&words, plain->str, plain->len);
        } else if (foreign) {
            add_encoded (&words, text + at, token);
        } else {
            add_plain (&words, text + at, token);
        }
        at += token;
    }
    end_words (&words);
}

static gboolean
append_addresses (GString *out, const gchar *text, gsize length)
{
    gboolean in_brackets = FALSE;

    while (length > 0) {
        Section section = measure_section (text, length);

        if (section.foreign && (in_brackets || (section.has_at && section.end != '<')))
            return FALSE;

        append_section (out, text, section.length);
        text += section.length;
        length -= section.length;
        if (section.end != '\0') {
            in_brackets = section.end == '<' || (in_brackets && section.end != '>');
            g_string_append_c (out, section.end);
            text++;
            length--;
        }
    }

    return TRUE;
}

/* ---- Parameters of MIME's fields (RFC 2045 5.1, RFC 2231) ---- */

static gboolean
is_attribute_char (gchar c)
{
    return g_ascii_isalnum (c) || (c != '\0' && strchr ("!#$&+-.^_`{|}~", c) != NULL);
}

static void
append_percent (GString *out, gchar c)
{
    g_string_append_printf (out, "%%%02X", (guchar) c);
}

static void
append_parameter (GString *out, const gchar *name, gsize name_length, const gchar *value, gsize length)
{
    g_autoptr (GString) encoded =
        g_string_new (g_utf8_validate_len (value, length, NULL) ? "utf-8''" : "unknown-8bit''");
    guint section = 0;

    for (gsize at = 0; at < length; at++) {
        if (encoded->len >= PARAMETER_SECTION_BYTES) {
            g_string_append_printf (out, "%.*s*%u*=%s;\r\n\t", (gint) name_length, name, section++, encoded->str);
            g_string_truncate (encoded, 0);
        }
        if (is_attribute_char (value[at]))
            g_string_append_c (encoded, value[at]);
        else
            append_percent (encoded, value[at]);
    }

    if (section > 0)
        g_string_append_printf (out, "%.*s*%u*=%s", (gint) name_length, name, section, encoded->str);
    else
        g_string_append_printf (out, "%.*s*=%s", (gint) name_length, name, encoded->str);
}

/* Of what has no proper form only the raw bytes are changed. */
static void
append_repaired (GString *out, const gchar *text, gsize length, gboolean percent)
{
    for (gsize i = 0; i < length; i++) {
        if ((guchar) text[i] < 0x80)
            g_string_append_c (out, text[i]);
        else if (percent)
            append_percent (out, text[i]);
        else
            g_string_append_c (out, '?');
    }
}

/* A parameter with its "name=value", without blanks in front. */
static void
append_foreign_parameter (GString *out, const gchar *text, gsize length)
{
    const gchar *equals = memchr (text, '=', length);
    const gchar *value = equals != NULL ? equals + 1 : text;
    gsize value_length = length - (gsize) (value - text);
    gsize name_length = equals != NULL ? (gsize) (equals - text) : 0;
    gsize blanks = blank_length (value, value_length);
    g_autoptr (GString) plain = NULL;

    while (name_length > 0 && is_blank (text[name_length - 1]))
        name_length--;
    value += blanks;
    value_length -= blanks;
    while (value_length > 0 && is_blank (value[value_length - 1]))
        value_length--;

    if (name_length == 0 || name_length > PARAMETER_SECTION_BYTES || message_has_8bit (text, name_length) ||
        memchr (text, '*', name_length) != NULL) {
        append_repaired (out, text, length, name_length > 0 && text[name_length - 1] == '*');
        return;
    }

    plain = *value == '"' ? unquote (value, value_length) : g_string_new_len (value, (gssize) value_length);
    append_parameter (out, text, name_length, plain->str, plain->len);
}

/* The length of what is before the next ";" that separates. */
static gsize
parameter_length (const gchar *text, gsize length)
{
    gsize at = 0;

    while (at < length && text[at] != ';') {
        gsize token;

        take_token (text + at, length - at, &token);
        at += token;
    }

    return at;
}

static void
append_parameters (GString *out, const gchar *text, gsize length)
{
    gboolean first = TRUE;

    while (length > 0) {
        gsize parameter = parameter_length (text, length);
        gsize blanks = blank_length (text, parameter);

        g_string_append_len (out, text, (gssize) blanks);
        if (!message_has_8bit (text + blanks, parameter - blanks))
            g_string_append_len (out, text + blanks, (gssize) (parameter - blanks));
        else if (first)
            append_repaired (out, text + blanks, parameter - blanks, FALSE);
        else
            append_foreign_parameter (out, text + blanks, parameter - blanks);

        if (parameter < length)
            g_string_append_c (out, text[parameter++]);
        text += parameter;
        length -= parameter;
        first = FALSE;
    }
}

/* ---- Which field is which ---- */

static gboolean
is_one_of (const gchar *name, const gchar *const *names)
{
    for (; *names != NULL; names++)
        if (g_ascii_strcasecmp (name, *names) == 0)
            return TRUE;

    return FALSE;
}

static gboolean
has_addresses (const gchar *name)
{
    static const gchar *const names[] = {"From",
                                         "Sender",
                                         "Reply-To",
                                         "To",
                                         "Cc",
                                         "Bcc",
                                         "Mail-Followup-To",
                                         "Mail-Reply-To",
                                         "Disposition-Notification-To",
                                         "Return-Receipt-To",
                                         "Errors-To",
                                         "Delivered-To",
                                         "X-Original-To",
                                         NULL};

    if (g_ascii_strncasecmp (name, "Resent-", strlen ("Resent-")) == 0)
        name += strlen ("Resent-");

    return is_one_of (name, names);
}

static gboolean
has_parameters (const gchar *name)
{
    static const gchar *const names[] = {"Content-Type", "Content-Disposition", NULL};

    return is_one_of (name, names);
}

gboolean
message_mime_field_append (GString *out, const gchar *name, const gchar *body, gsize length)
{
    g_string_append_printf (out, "%s:", name);
    if (has_addresses (name))
        return append_addresses (out, body, length);

    if (has_parameters (name))
        append_parameters (out, body, length);
    else
        append_text (out, body, length);

    return TRUE;
}
