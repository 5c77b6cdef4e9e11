/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of the conversion
 *
 * However a message is cut into pieces, the survey comes to the same and the conversion to the same bytes. What comes out is
 * what the server takes, ASCII or not, and has no lines that are too long, unless the survey says so; it needs no conversion
 * itself, and has the same parts: each decodes to what it was.
 *
 * The first byte of an input is the size of the pieces, the second what the server demands. In the rest LF stands for CRLF, and
 * there is no other CR, as in all content, and two control characters for something long.
 */

#include "fuzz.h"
#include "message/eight-bit.h"
#include "message/mime-converter.h"
#include "message/mime-walker.h"

#include <string.h>

#define SETTINGS_BYTES 2
#define LONG_WORD      0x1f
#define LONG_TEXT      0x1e

/* Three of them are too much for a line. */
#define LONG_BYTES 400
#define LINE_BYTES 998 /* RFC 5322 2.1.1 */

static GString *
read_content (const FuzzInput *input)
{
    GString *content = g_string_sized_new (input->left);

    for (gsize i = 0; i < input->left; i++) {
        guint8 byte = input->data[i];

        if (byte == '\r')
            continue;
        if (byte == '\n')
            g_string_append_c (content, '\r');
        for (guint n = 0; n < LONG_BYTES && (byte == LONG_WORD || byte == LONG_TEXT); n += 2)
            g_string_append (content, byte == LONG_WORD ? "xx" : "x ");
        if (byte != LONG_WORD && byte != LONG_TEXT)
            g_string_append_c (content, (gchar) byte);
    }

    return content;
}

/* ---- What a reader sees ---- */

typedef struct {
    GString *decoded; /* of all bodies, with a mark between them */
    GString *body;    /* of the part under way, as it is encoded */
    MessageMimeLabel label;
} Reader;

static void
on_header (const MessageMimeEntity *entity, const MessageMimePlace *place, const gchar *header, gsize length,
           gpointer user_data)
{
    Reader *reader = user_data;

    reader->label = entity->label;
    g_string_append_printf (reader->decoded, "[%u in %u]", place->index, place->message);
    g_string_truncate (reader->body, 0);
}

static void
on_body (const gchar *data, gsize length, gpointer user_data)
{
    g_string_append_len (((Reader *) user_data)->body, data, (gssize) length);
}

static gint
hex_digit (const GString *text, gsize at)
{
    return at < text->len ? g_ascii_xdigit_value (text->str[at]) : -1;
}

/* RFC 2045 6.7: blanks before the end of a line are not there, and what is no code is itself. */
static void
append_unquoted (GString *out, const GString *body)
{
    for (gsize at = 0; at < body->len; at++) {
        gsize next = at;

        while (next < body->len && (body->str[next] == ' ' || body->str[next] == '\t'))
            next++;
        if (next > at && (next == body->len || g_str_has_prefix (body->str + next, "\r\n"))) {
            at = next - 1;
        } else if (body->str[at] != '=') {
            g_string_append_c (out, body->str[at]);
        } else if (hex_digit (body, at + 1) >= 0 && hex_digit (body, at + 2) >= 0) {
            g_string_append_c (out, (gchar) (hex_digit (body, at + 1) << 4 | hex_digit (body, at + 2)));
            at += 2;
        } else {
            gsize end = at + 1 + strspn (body->str + at + 1, " \t");

            if (end == body->len)
                at = end - 1;
            else if (g_str_has_prefix (body->str + end, "\r\n"))
                at = end + 1;
            else
                g_string_append_c (out, '=');
        }
    }
}

static void
on_end (gboolean delimited, gpointer user_data)
{
    Reader *reader = user_data;

    if (reader->label == MESSAGE_MIME_LABEL_QUOTED_PRINTABLE) {
        append_unquoted (reader->decoded, reader->body);
    } else if (reader->label == MESSAGE_MIME_LABEL_BASE64) {
        g_autofree guchar *plain = g_malloc (reader->body->len + 3);
        gint state = 0;
        guint save = 0;
        gsize n = g_base64_decode_step (reader->body->str, reader->body->len, plain, &state, &save);

        g_string_append_len (reader->decoded, (const gchar *) plain, (gssize) n);
    } else {
        g_string_append_len (reader->decoded, reader->body->str, (gssize) reader->body->len);
    }
}

static void
on_between (const gchar *data, gsize length, gpointer user_data)
{
}

static void
on_undelimited (gpointer user_data)
{
}

static const MessageMimeHandlers handlers = {
    .header = on_header, .body = on_body, .end = on_end, .between = on_between, .undelimited = on_undelimited};

static GString *
decode (const GString *content)
{
    Reader reader = {.decoded = g_string_new (NULL), .body = g_string_new (NULL)};
    g_autoptr (MessageMimeWalker) walker = message_mime_walker_new (&handlers, &reader);

    message_mime_walker_feed (walker, content->str, content->len);
    message_mime_walker_end (walker);
    g_string_free (reader.body, TRUE);
    return reader.decoded;
}

/* ---- The conversion ---- */

static MessageSurvey *
survey_in_pieces (const GString *content, MessageDemands demands, gsize step, MessageConversion *conversion,
                  const gchar **reason)
{
    MessageSurvey *survey = message_survey_new (demands);

    for (gsize at = 0; at < content->len; at += step) {
        g_autofree gchar *piece = g_memdup2 (content->str + at, MIN (step, content->len - at));

        message_survey_feed (survey, piece, MIN (step, content->len - at));
    }
    *conversion = message_survey_end (survey, reason);
    return survey;
}

static GString *
convert_in_pieces (const MessageSurvey *survey, const GString *content, gsize step)
{
    g_autoptr (MessageConverter) converter = message_converter_new (survey);
    GString *out = g_string_new (NULL);

    for (gsize at = 0; at < content->len; at += step) {
        g_autofree gchar *piece = g_memdup2 (content->str + at, MIN (step, content->len - at));

        message_converter_feed (converter, piece, MIN (step, content->len - at), out);
    }
    message_converter_end (converter, out);
    return out;
}

static gboolean
has_long_line (const GString *content)
{
    const gchar *line = content->str, *end;

    while ((end = strstr (line, "\r\n")) != NULL && end - line <= LINE_BYTES)
        line = end + 2;
    return strlen (line) > LINE_BYTES;
}

/* What was surveyed, and maybe converted, is as the server wants it. */
static void
check_sent (const MessageSurvey *survey, const GString *sent)
{
    g_autofree gchar *remark = message_survey_remark (survey);

    if (!message_survey_stays_8bit (survey) || (message_survey_wants_ascii (survey) && remark == NULL))
        g_assert_false (message_has_8bit (sent->str, sent->len));
    g_assert_true (remark != NULL || !has_long_line (sent));
}

static void
check_converted (const MessageSurvey *survey, MessageDemands demands, const GString *content,
                 const GString *converted)
{
    g_autoptr (GString) before = decode (content);
    g_autoptr (GString) after = decode (converted);
    g_autofree gchar *remark = message_survey_remark (survey);
    g_autoptr (MessageSurvey) again = NULL;
    MessageConversion conversion;
    const gchar *reason;

    check_sent (survey, converted);
    again = survey_in_pieces (converted, demands, converted->len, &conversion, &reason);
    g_assert_true (conversion == MESSAGE_CONVERSION_NEEDLESS || remark != NULL);
    fuzz_assert_same (before->str, before->len, after->str, after->len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    gsize step = 1 + fuzz_digit (&input);
    MessageDemands demands = fuzz_digit (&input) & 7;
    g_autoptr (GString) content = read_content (&input);
    g_autoptr (MessageSurvey) survey = NULL;
    g_autoptr (MessageSurvey) other = NULL;
    g_autoptr (GString) converted = NULL;
    g_autoptr (GString) by_pieces = NULL;
    MessageConversion conversion, other_conversion;
    const gchar *reason, *other_reason;

    if (size <= SETTINGS_BYTES)
        return 0;

    survey = survey_in_pieces (content, demands, content->len, &conversion, &reason);
    other = survey_in_pieces (content, demands, step, &other_conversion, &other_reason);
    g_assert_cmpint (conversion, ==, other_conversion);
    g_assert_cmpstr (reason, ==, other_reason);
    if (conversion == MESSAGE_CONVERSION_NEEDLESS)
        check_sent (survey, content);
    if (conversion != MESSAGE_CONVERSION_POSSIBLE)
        return 0;

    converted = convert_in_pieces (survey, content, content->len);
    by_pieces = convert_in_pieces (other, content, step);
    fuzz_assert_same (converted->str, converted->len, by_pieces->str, by_pieces->len);
    check_converted (survey, demands, content, converted);

    return 0;
}
