/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The relay's replies are found in the stream, and what is none is noticed.
 */

#include "cli/sendmail-reply.h"

static void
reply_is_taken_off_the_front (void)
{
    g_autoptr (GString) received = g_string_new ("250 2.1.0 fine\r\n550-5.1.1 one\r\n550 5.1.1 two\r\n354");
    g_autoptr (SendmailReply) first = NULL;
    g_autoptr (SendmailReply) second = NULL;
    g_autoptr (SendmailReply) third = NULL;
    g_autofree gchar *line = NULL;

    g_assert_cmpint (sendmail_reply_take (received, &first), ==, SENDMAIL_REPLY_COMPLETE);
    g_assert_cmpuint (first->code, ==, 250);
    g_assert_cmpstr (first->text, ==, "2.1.0 fine");

    g_assert_cmpint (sendmail_reply_take (received, &second), ==, SENDMAIL_REPLY_COMPLETE);
    line = sendmail_reply_line (second);
    g_assert_cmpstr (line, ==, "550 5.1.1 one 5.1.1 two");

    g_assert_cmpint (sendmail_reply_take (received, &third), ==, SENDMAIL_REPLY_MORE);
    g_string_append (received, "\n");
    g_assert_cmpint (sendmail_reply_take (received, &third), ==, SENDMAIL_REPLY_COMPLETE);
    g_assert_cmpuint (third->code, ==, 354);
    g_assert_cmpstr (third->text, ==, "");
    g_assert_cmpuint (received->len, ==, 0);
}

static void
what_is_no_reply_is_noticed (void)
{
    static const gchar *const texts[] = {"HTTP/1.1 400 Bad Request\r\n",
                                         "\r\n",
                                         "25\r\n",
                                         "250_no\r\n",
                                         "150 too early\r\n",
                                         "650 x\r\n",
                                         "250-a\r\nb\r\n"};

    for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
        g_autoptr (GString) received = g_string_new (texts[i]);
        g_autoptr (SendmailReply) reply = NULL;

        g_assert_cmpint (sendmail_reply_take (received, &reply), ==, SENDMAIL_REPLY_MALFORMED);
    }
}

static void
endless_reply_is_none (void)
{
    g_autoptr (GString) received = g_string_new (NULL);
    g_autoptr (SendmailReply) reply = NULL;

    while (received->len <= SENDMAIL_REPLY_LONGEST_BYTES)
        g_string_append (received, "250-x\r\n");
    g_assert_cmpint (sendmail_reply_take (received, &reply), ==, SENDMAIL_REPLY_MALFORMED);
}

static void
line_is_printable (void)
{
    g_autoptr (GString) received = g_string_new ("550 a\x1b[2Jb\xff\r\n");
    g_autoptr (SendmailReply) reply = NULL;
    g_autofree gchar *line = NULL;

    g_assert_cmpint (sendmail_reply_take (received, &reply), ==, SENDMAIL_REPLY_COMPLETE);
    line = sendmail_reply_line (reply);
    g_assert_cmpstr (line, ==, "550 a\\x1B[2Jb\\xFF");
}

static void
keywords_are_whole_words (void)
{
    g_autoptr (GString) received =
        g_string_new ("250-relay.example.org\r\n250-SIZE 1000\r\n250-8bitmime\r\n250 DSN\r\n");
    g_autoptr (SendmailReply) reply = NULL;

    g_assert_cmpint (sendmail_reply_take (received, &reply), ==, SENDMAIL_REPLY_COMPLETE);
    g_assert_true (sendmail_reply_has_keyword (reply, "SIZE"));
    g_assert_true (sendmail_reply_has_keyword (reply, "8BITMIME"));
    g_assert_true (sendmail_reply_has_keyword (reply, "DSN"));
    g_assert_false (sendmail_reply_has_keyword (reply, "DS"));
    g_assert_false (sendmail_reply_has_keyword (reply, "1000"));
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/cli/sendmail-reply/is-taken-off-the-front", reply_is_taken_off_the_front);
    g_test_add_func ("/cli/sendmail-reply/what-is-none-is-noticed", what_is_no_reply_is_noticed);
    g_test_add_func ("/cli/sendmail-reply/endless-one-is-none", endless_reply_is_none);
    g_test_add_func ("/cli/sendmail-reply/line-is-printable", line_is_printable);
    g_test_add_func ("/cli/sendmail-reply/keywords-are-whole-words", keywords_are_whole_words);

    return g_test_run ();
}
