/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What is found out about a message does not depend on how it comes, and costs little memory.
 */

#include <string.h>

#include "message/mime-converter.h"
#include "message/mime-walker.h"

static MessageConversion
survey_in_pieces (const gchar *message, gsize piece)
{
    g_autoptr (MessageSurvey) survey = message_survey_new (MESSAGE_DEMAND_NO_UTF8 | MESSAGE_DEMAND_ASCII);

    for (gsize at = 0; at < strlen (message); at += piece)
        message_survey_feed (survey, message + at, MIN (piece, strlen (message) - at));

    return message_survey_end (survey, NULL);
}

static void
expect (const gchar *message, MessageConversion expected)
{
    for (gsize piece = 1; piece <= strlen (message) + 1; piece++)
        g_assert_cmpint (survey_in_pieces (message, piece), ==, expected);
}

static void
ascii_needs_nothing (void)
{
    expect ("", MESSAGE_CONVERSION_NEEDLESS);
    expect ("\r\n", MESSAGE_CONVERSION_NEEDLESS);
    expect ("Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n", MESSAGE_CONVERSION_NEEDLESS);
}

static void
byte_beyond_ascii_is_seen_everywhere (void)
{
    expect ("Subject: \xc3\xbc\r\n\r\n", MESSAGE_CONVERSION_POSSIBLE);
    expect ("\r\n\xc3\xbc", MESSAGE_CONVERSION_POSSIBLE);
    expect ("\xc3\xbc: no header\r\n", MESSAGE_CONVERSION_POSSIBLE);
    expect ("Content-Type: multipart/x; boundary=b\r\n\r\n\xc3\r\n--b\r\n", MESSAGE_CONVERSION_POSSIBLE);
    expect ("Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n--b--\r\n\xc3", MESSAGE_CONVERSION_POSSIBLE);
}

static void
sealed_parts_may_not_be_changed (void)
{
    expect ("Content-Type: (x) MULTIPART / (y) Signed; boundary=b\r\n\r\n\xc3\r\n", MESSAGE_CONVERSION_PROHIBITED);
    expect ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/encrypted\r\n\r\nx\r\n"
            "--b\r\n\r\n\xc3\r\n--b--\r\n",
            MESSAGE_CONVERSION_POSSIBLE);
}

static void
foreign_address_cannot_be_converted (void)
{
    expect ("To: <j\xc3\xbcrgen@example.org>\r\n\r\n", MESSAGE_CONVERSION_FOREIGN);
    expect ("To: \"J\xc3\xbcrgen\" <j@example.org>\r\n\r\n", MESSAGE_CONVERSION_POSSIBLE);
}

/* A hundred megabytes of one line, of one header, and of parts, through a converter that holds little of them. */
static gsize
most_held (const gchar *start, const gchar *repeated, guint times)
{
    g_autoptr (MessageSurvey) survey = message_survey_new (MESSAGE_DEMAND_NO_UTF8 | MESSAGE_DEMAND_ASCII);
    g_autoptr (MessageConverter) converter = NULL;
    g_autoptr (GString) out = g_string_new (NULL);
    gsize most = 0;

    message_survey_feed (survey, start, strlen (start));
    for (guint i = 0; i < times; i++)
        message_survey_feed (survey, repeated, strlen (repeated));
    message_survey_end (survey, NULL);

    converter = message_converter_new (survey);
    message_converter_feed (converter, start, strlen (start), out);
    for (guint i = 0; i < times; i++) {
        g_string_truncate (out, 0);
        message_converter_feed (converter, repeated, strlen (repeated), out);
        most = MAX (most, out->len);
    }
    message_converter_end (converter, out);

    return MAX (most, out->len);
}

static void
little_is_held (void)
{
    g_autofree gchar *piece = g_strnfill (65536, 'x');

    g_assert_cmpuint (most_held ("\r\n\xc3", piece, 300), <, 4 * 65536);
    g_assert_cmpuint (most_held ("Subject: \xc3", piece, 300), <, 2 * MESSAGE_MIME_HEADER_LONGEST_BYTES);
    g_assert_cmpuint (most_held ("Content-Type: multipart/x; boundary=b\r\n\r\n\xc3", "--b\r\n\r\n\r\n", 200000), <,
                      65536);
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/message/mime-survey/ascii-needs-nothing", ascii_needs_nothing);
    g_test_add_func ("/message/mime-survey/byte-beyond-ascii-is-seen-everywhere",
                     byte_beyond_ascii_is_seen_everywhere);
    g_test_add_func ("/message/mime-survey/sealed-parts-may-not-be-changed", sealed_parts_may_not_be_changed);
    g_test_add_func ("/message/mime-survey/foreign-address-cannot-be-converted", foreign_address_cannot_be_converted);
    g_test_add_func ("/message/mime-survey/little-is-held", little_is_held);
    return g_test_run ();
}
