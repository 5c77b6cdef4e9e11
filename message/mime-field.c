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
 * An address is no text: its words stand for a mailbox. A domain has a form in ASCII (see a-label.h); a local part has none,
 * and is the one thing that cannot be said.
 */

#include <string.h>

#include "message/eight-bit.h"
#include "message/encoded-word.h"
#include "message/a-label.h"
#include "message/mime-field.h"
#include "message/mime-parameter.h"
#include "message/mime-token.h"

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
        message_mime_append_unfolded (words->run, words->blanks->str, words->blanks->len);
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
        message_mime_append_unfolded (words->run, words->blanks->str, words->blanks->len);
        g_string_truncate (words->blanks, 0);
    } else {
        if (words->after_word && words->blanks->len == 0)
            g_string_append_c (words->blanks, ' ');
        if (words->after_encoded)
            message_mime_append_unfolded (words->run, words->blanks->str, words->blanks->len);
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
        gsize blanks = message_mime_blank_length (text + at, length - at);
        gsize word = 0;

        g_string_append_len (words.blanks, text + at, (gssize) blanks);
        at += blanks;
        while (at + word < length && !message_mime_is_blank (text[at + word]))
            word++;
        if (word > 0 && message_has_8bit (text + at, word))
            add_encoded (&words, text + at, word);
        else if (word > 0)
            add_plain (&words, text + at, word);
        at += word;
    }
    end_words (&words);
}

static gsize
comment_word_length (const gchar *text, gsize length)
{
    gsize word = 0;

    while (word < length && !message_mime_is_blank (text[word]) && text[word] != '(' && text[word] != ')')
        word += message_mime_step_length (text + word, length - word);

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
        gsize step = message_mime_step_length (text + at, length - at);

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
        gsize blanks = message_mime_blank_length (text + at, length - at);
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
        MessageMimeToken kind = message_mime_token (at, length - section.length, &token);

        if (kind == MESSAGE_MIME_TOKEN_SPECIAL) {
            section.end = *at;
            break;
        }
        if (kind == MESSAGE_MIME_TOKEN_ATOM && memchr (at, '@', token) != NULL)
            section.has_at = TRUE;
        if (kind != MESSAGE_MIME_TOKEN_COMMENT && message_has_8bit (at, token))
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
        MessageMimeToken kind = message_mime_token (text + at, length - at, &token);
        gboolean foreign = message_has_8bit (text + at, token);

        if (kind == MESSAGE_MIME_TOKEN_BLANKS) {
            g_string_append_len (words.blanks, text + at, (gssize) token);
        } else if (kind == MESSAGE_MIME_TOKEN_COMMENT) {
            end_words (&words);
            append_comment (out, text + at, token);
        } else if (kind == MESSAGE_MIME_TOKEN_QUOTED && foreign) {
            g_autoptr (GString) plain = message_mime_unquote (text + at, token);

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

/* An atom of an address: "local@domain", or one of these alone. @behind_at: an "@" was there already, so it is a domain.
 * Returns: %FALSE if it cannot be said in ASCII */
static gboolean
append_address_atom (GString *out, const gchar *text, gsize length, gboolean behind_at)
{
    const gchar *at = memrchr (text, '@', length);
    gsize local = at != NULL ? (gsize) (at + 1 - text) : 0;
    g_autofree gchar *domain = NULL;

    if (message_has_8bit (text, local) || (at == NULL && !behind_at))
        return FALSE;

    domain = message_domain_to_ascii (text + local, length - local);
    if (domain == NULL)
        return FALSE;

    g_string_append_len (out, text, (gssize) local);
    g_string_append (out, domain);
    return TRUE;
}

/* A section that is an address, with something beyond ASCII that is not in a comment. */
static gboolean
append_address (GString *out, const gchar *text, gsize length)
{
    gboolean behind_at = FALSE;

    for (gsize at = 0; at < length;) {
        gsize token;
        MessageMimeToken kind = message_mime_token (text + at, length - at, &token);
        gboolean foreign = message_has_8bit (text + at, token);

        if (!foreign)
            g_string_append_len (out, text + at, (gssize) token);
        else if (kind == MESSAGE_MIME_TOKEN_COMMENT)
            append_comment (out, text + at, token);
        else if (kind != MESSAGE_MIME_TOKEN_ATOM || !append_address_atom (out, text + at, token, behind_at))
            return FALSE;

        behind_at = behind_at || (kind == MESSAGE_MIME_TOKEN_ATOM && memchr (text + at, '@', token) != NULL);
        at += token;
    }

    return TRUE;
}

static gboolean
append_addresses (GString *out, const gchar *text, gsize length)
{
    gboolean in_brackets = FALSE;

    while (length > 0) {
        Section section = measure_section (text, length);

        if (!section.foreign || (!in_brackets && (!section.has_at || section.end == '<')))
            append_section (out, text, section.length);
        else if (!append_address (out, text, section.length))
            return FALSE;

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

/* What may have an address in it, and names hosts and messages. Where an address has no form in ASCII it is text: nobody
 * answers it. */
static void
append_trace (GString *out, const gchar *text, gsize length)
{
    gsize start = out->len;

    if (append_addresses (out, text, length))
        return;

    g_string_truncate (out, start);
    append_text (out, text, length);
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

gboolean
message_mime_field_has_addresses (const gchar *name)
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

static gboolean
is_trace (const gchar *name)
{
    static const gchar *const names[] = {"Received",   "Return-Path", "Message-ID",        "In-Reply-To",
                                         "References", "Content-ID",  "Resent-Message-ID", NULL};

    return is_one_of (name, names);
}

gboolean
message_mime_field_append (GString *out, const gchar *name, const gchar *body, gsize length)
{
    g_string_append_printf (out, "%s:", name);
    if (message_mime_field_has_addresses (name))
        return append_addresses (out, body, length);

    if (has_parameters (name))
        message_mime_parameters_append (out, body, length);
    else if (is_trace (name))
        append_trace (out, body, length);
    else
        append_text (out, body, length);

    return TRUE;
}
