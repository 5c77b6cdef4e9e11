/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Notices: plain words first, fields that programs know, and nothing that a remote server could smuggle in.
 * What a mail parser makes of them is in check-notice.
 */

#include <string.h>

#include "notice-sample.h"

#define MOST_LINE_BYTES 998

static void
expect_in (const gchar *text, const gchar *wanted)
{
    if (strstr (text, wanted) == NULL)
        g_error ("Expected “%s” in:\n%s", wanted, text);
}

static void
expect_not_in (const gchar *text, const gchar *unwanted)
{
    if (strstr (text, unwanted) != NULL)
        g_error ("Did not expect “%s” in:\n%s", unwanted, text);
}

static void
expect_mail_lines (const gchar *text)
{
    g_auto (GStrv) lines = g_strsplit (text, "\r\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_assert_cmpuint (strlen (lines[i]), <=, MOST_LINE_BYTES);
        g_assert_null (strpbrk (lines[i], "\r\n"));
    }
}

static gchar *
build_failed (const gchar *reply)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();

    notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.1.1", reply);
    return notice_sample_build (sample);
}

static void
failure_is_told_in_words_first (void)
{
    g_autofree gchar *built = build_failed ("550 5.1.1 No such user");

    expect_in (built, "\r\n\r\nYour message could not be delivered to this recipient.");
    expect_in (built, "    <user@example.net>\r\n        The address does not exist there.");
    expect_in (built, "The server mail.example.net said: \"550 5.1.1 No such user\"\r\n");
    expect_in (built, "It is the message \"Dinner\" of Sun, 22 Nov 2026");
    g_assert_cmpint (strstr (built, "could not be delivered to") - built, <,
                     strstr (built, "message/delivery-status") - built);
}

static void
nobody_answers_a_notice (void)
{
    g_autofree gchar *built = build_failed ("550 no");

    expect_in (built, "\r\nAuto-Submitted: auto-replied\r\n");
    expect_in (built, "\r\nFrom: Mail Delivery System <MAILER-DAEMON@example.org>\r\n");
}

static void
notice_belongs_to_its_message (void)
{
    g_autofree gchar *built = build_failed ("550 no");

    expect_in (built, "\r\nTo: <sender@example.org>\r\n");
    expect_in (built, "\r\nIn-Reply-To: <1@example.org>\r\nReferences: <1@example.org>\r\n");
}

static void
reply_cannot_forge_anything (void)
{
    g_autofree gchar *built = build_failed ("550 no\r\n\r\n--=_x\r\nX-Forged: yes\x1b[2J \xff j\xc3\xbcrgen");

    expect_not_in (built, "\r\nX-Forged");
    expect_not_in (built, "\x1b");
    expect_in (built, "550 no\\x0D\\x0A");
    expect_in (built, "\\xFF");
    expect_in (built, "j\\x{FC}rgen");
    g_assert_true (g_str_is_ascii (built));
}

static void
endless_reply_keeps_lines_short (void)
{
    g_autofree gchar *endless = g_strnfill (100000, 'x');
    g_autofree gchar *built = build_failed (endless);

    expect_mail_lines (built);
    g_assert_cmpuint (strlen (built), <, 20000);
}

static void
parameters_of_the_sender_come_back (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    MessageNoticeRecipient *recipient =
        notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.1.1", "550 no");
    g_autofree gchar *built = NULL;

    message_envelope_recipient (sample->envelope, 0)->orcpt = g_strdup ("rfc822;first@example.com");
    sample->envelope->envid = g_strdup ("QQ 314159\r\nX-Forged: yes");
    g_assert_cmpstr (recipient->recipient->orcpt, ==, "rfc822;first@example.com");
    built = notice_sample_build (sample);

    expect_in (built, "\r\nOriginal-Envelope-Id: QQ 314159\\x0D\\x0AX-Forged: yes\r\n");
    expect_in (built,
               "\r\nOriginal-Recipient: rfc822;first@example.com\r\nFinal-Recipient: rfc822; user@example.net\r\n");
}

static void
own_reason_is_no_remotes (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    MessageNoticeRecipient *recipient = notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.4.7",
                                                           "no smarthost took it in 5 days");
    g_autofree gchar *built = NULL;

    recipient->remote = NULL;
    built = notice_sample_build (sample);

    expect_in (built, "        The reason: no smarthost took it in 5 days\r\n");
    expect_in (built, "\r\nDiagnostic-Code: x-postern; no smarthost took it in 5 days\r\n");
    expect_not_in (built, "Remote-MTA");
}

static void
delay_says_until_when (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    MessageNoticeRecipient *recipient =
        notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_DELAYED, "4.4.1", "connection timed out");
    g_autofree gchar *built = NULL;

    recipient->retry_until_usec = sample->notice.arrival_usec + (gint64) 5 * 24 * 3600 * G_USEC_PER_SEC;
    built = notice_sample_build (sample);

    expect_in (built, "Your message has not been delivered yet to this recipient.");
    expect_in (built, "tried again until Fri, 27 Nov 2026 02:42:01\r\n+0000, and if that does not help");
    expect_in (built, "\r\nAction: delayed\r\nStatus: 4.4.1\r\n");
    expect_in (built, "\r\nWill-Retry-Until: Fri, 27 Nov 2026 02:42:01 +0000\r\n");
}

static void
success_is_told (void)
{
    g_autoptr (NoticeSample) delivered = notice_sample_new ();
    g_autoptr (NoticeSample) relayed = notice_sample_new ();
    g_autofree gchar *built_delivered = NULL;
    g_autofree gchar *built_relayed = NULL;

    notice_sample_add (delivered, "user@example.net", MESSAGE_ACTION_DELIVERED, "2.0.0", "250 ok");
    built_delivered = notice_sample_build (delivered);
    expect_in (built_delivered, "Your message was delivered to this recipient");
    expect_in (built_delivered, "\r\nAction: delivered\r\nStatus: 2.0.0\r\n");

    notice_sample_add (relayed, "user@example.net", MESSAGE_ACTION_RELAYED, "2.0.0", "250 ok");
    built_relayed = notice_sample_build (relayed);
    expect_in (built_relayed, "was passed on to the next mail server");
    expect_in (built_relayed, "\r\nAction: relayed\r\n");
}

static void
whole_message_returns_only_for_a_failure (void)
{
    static const struct {
        MessageAction action;
        MessageReturn ret;
        gboolean complete;
        gboolean whole;
    } cases[] = {
        {MESSAGE_ACTION_FAILED, MESSAGE_RETURN_UNSET, TRUE, TRUE},
        {MESSAGE_ACTION_FAILED, MESSAGE_RETURN_FULL, TRUE, TRUE},
        {MESSAGE_ACTION_FAILED, MESSAGE_RETURN_HEADERS, TRUE, FALSE},
        {MESSAGE_ACTION_FAILED, MESSAGE_RETURN_FULL, FALSE, FALSE},
        {MESSAGE_ACTION_DELAYED, MESSAGE_RETURN_FULL, TRUE, FALSE},
        {MESSAGE_ACTION_DELIVERED, MESSAGE_RETURN_FULL, TRUE, FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (NoticeSample) sample = notice_sample_new ();
        g_autofree gchar *built = NULL;

        notice_sample_add (sample, "user@example.net", cases[i].action, "5.1.1", "no");
        notice_sample_set_original (sample, "Subject: Dinner\r\n\r\nAt eight.\r\n", cases[i].complete);
        sample->envelope->ret = cases[i].ret;
        built = notice_sample_build (sample);

        expect_in (built, "\r\nSubject: Dinner\r\n");
        expect_in (built,
                   cases[i].whole ? "Content-Type: message/rfc822\r\n" : "Content-Type: text/rfc822-headers\r\n");
        g_assert_true ((strstr (built, "At eight.") != NULL) == cases[i].whole);
    }
}

static void
header_that_goes_on_is_cut_at_a_line (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    g_autofree gchar *built = NULL;

    notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.1.1", "no");
    notice_sample_set_original (sample, "X-One: 1\r\nX-Two: 2\r\nX-Thr", FALSE);
    built = notice_sample_build (sample);

    expect_in (built, "X-One: 1\r\nX-Two: 2\r\n\r\n--=_");
}

static void
original_may_be_odd (void)
{
    static const gchar *const originals[] = {NULL,
                                             "",
                                             "\r\n",
                                             "no header",
                                             "\r\n\r\nbody without an end",
                                             "Subject:\r\nMessage-ID: <\xff>\r\n\r\n",
                                             "Message-ID: <a\r\n b>"};

    for (guint i = 0; i < G_N_ELEMENTS (originals); i++) {
        for (guint complete = 0; complete < 2; complete++) {
            g_autoptr (NoticeSample) sample = notice_sample_new ();
            g_autofree gchar *built = NULL;

            notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.1.1", "no");
            notice_sample_set_original (sample, originals[i], complete == 1);
            built = notice_sample_build (sample);

            expect_not_in (built, "In-Reply-To");
            expect_in (built, "It is the message of Sun, 22 Nov 2026");
            g_assert_true (g_str_has_suffix (built, "--\r\n"));
        }
    }
}

static void
set_sender (NoticeSample *sample, const gchar *sender)
{
    g_free (sample->envelope->sender);
    sample->envelope->sender = g_strdup (sender);
}

static void
foreign_sender_gets_a_global_notice (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    g_autofree gchar *built = NULL;

    notice_sample_add (sample, "jürgen@bücher.example", MESSAGE_ACTION_FAILED, "5.1.1", "550 weiß ich nicht");
    set_sender (sample, "käthe@example.org");
    notice_sample_set_original (sample, "Subject: Grüße\r\n\r\nx\r\n", TRUE);
    built = notice_sample_build (sample);

    expect_in (built, "report-type=global-delivery-status");
    expect_in (built, "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n");
    expect_in (built, "\r\nFinal-Recipient: utf-8; jürgen@bücher.example\r\n");
    expect_in (built, "\r\nDiagnostic-Code: smtp; 550 weiß ich nicht\r\n");
    expect_in (built, "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n");
    g_assert_true (g_utf8_validate (built, -1, NULL));
}

static void
notice_of_foreign_addresses_is_ascii (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    g_autofree gchar *built = NULL;

    notice_sample_add (sample, "jürgen@bücher.example", MESSAGE_ACTION_FAILED, "5.6.7", "550 weiß ich nicht");
    sample->envelope->smtputf8 = TRUE;
    notice_sample_set_original (sample, "To: jürgen@bücher.example\r\nSubject: Grüße\r\n\r\nx\r\n", TRUE);
    built = notice_sample_build (sample);

    g_assert_true (g_str_is_ascii (built));
    expect_in (built, "report-type=delivery-status");
    expect_in (built, "<j=C3=BCrgen@b=C3=BCcher.example>");
    expect_in (built, "\r\nFinal-Recipient: utf-8; j\\x{FC}rgen@b\\x{FC}cher.example\r\n");
    expect_in (built, "Content-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                      "To: j=C3=BCrgen@b=C3=BCcher.example\r\n");
    expect_mail_lines (built);
}

static void
plain_8bit_original_stays (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    g_autofree gchar *built = NULL;

    notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.1.1", "550 no");
    notice_sample_set_original (sample, "Subject: x\r\n\r\nGr\xfc\xdf\r\n", TRUE);
    built = notice_sample_build (sample);

    expect_in (built, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                      "Subject: x\r\n\r\nGr\xfc\xdf\r\n");
}

static void
original_that_nobody_can_convert_is_not_returned_whole (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    g_autofree gchar *built = NULL;

    notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.6.2", "554 no");
    notice_sample_set_original (
        sample, "Subject: Gr\xfc\xdf\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n\xfc\r\n", TRUE);
    built = notice_sample_build (sample);

    g_assert_true (g_str_is_ascii (built));
    expect_in (built, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
                      "Subject: =?unknown-8bit?Q?Gr=FC=DF?=\r\n");
}

/* What is returned, and how it is labelled, for originals that not every server takes. */
static void
original_is_labelled_by_what_it_is (void)
{
    g_autofree gchar *word = g_strnfill (2000, 'x');
    g_autofree gchar *blanks = g_strdup_printf ("Subject: %s\r\n\r\nx\r\n", "wort wort wort");
    g_autofree gchar *long_text = g_strdup_printf ("Subject: x\r\n\r\n%s\r\n", word);
    g_autofree gchar *long_field = g_strdup_printf ("X-Word: %s\r\n\r\nx\r\n", word);
    g_autofree gchar *sealed = g_strdup_printf ("Content-Type: multipart/signed; boundary=b\r\n\r\n%s\r\n", word);
    const struct {
        const gchar *original;
        const gchar *type;
        const gchar *label;
    } cases[] = {
        {blanks, "message/rfc822", "7bit"},
        {"Subject: gr\xc3\xbc\xc3\x9f\x65\r\n\r\nx\r\n", "message/rfc822", "8bit"}, /* encoded words say it */
        {"To: \xc3\xbc@x.example\r\n\r\nx\r\n", "message/global", "quoted-printable"},
        {"To: x@\xc3\xbc.example\r\n\r\nx\r\n", "message/rfc822", "8bit"}, /* an A-label says it */
        {long_text, "message/rfc822", "7bit"},                             /* it will be encoded on its way */
        {long_field, "text/rfc822-headers", "quoted-printable"},
        {sealed, "text/rfc822-headers", "7bit"},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (NoticeSample) sample = notice_sample_new ();
        g_autofree gchar *built = NULL;
        g_autofree gchar *wanted = g_strdup_printf ("Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
                                                    cases[i].type, cases[i].label);

        notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.1.1", "550 no");
        notice_sample_set_original (sample, cases[i].original, TRUE);
        built = notice_sample_build (sample);
        expect_in (built, wanted);
    }
}

static void
smaller_notice_has_the_header_alone (void)
{
    static const struct {
        const gchar *original;
        const gchar *part;
    } cases[] = {
        {"Subject: x\r\n\r\nat eight\r\n",
         "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n\r\n\r\n--=_"},
        {"Subject: gr\xc3\xbc\xc3\x9f\x65\r\n\r\nat eight",
         "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
         "Subject: =?UTF-8?Q?gr=C3=BC=C3=9Fe?=\r\n\r\n\r\n--=_"},
        {"To: \xc3\xbc@x.example\r\n\r\nat eight\r\n",
         "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
         "To: =C3=BC@x.example\r\n\r\n--=_"},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (NoticeSample) sample = notice_sample_new ();
        g_autofree gchar *built = NULL;
        g_autoptr (GBytes) first = NULL;
        g_autoptr (GBytes) second = NULL;
        g_autoptr (GBytes) third = NULL;
        g_autofree gchar *text = NULL;

        notice_sample_add (sample, "user@example.net", MESSAGE_ACTION_FAILED, "5.1.1", "550 no");
        notice_sample_set_original (sample, cases[i].original, TRUE);
        built = notice_sample_build (sample);
        expect_in (built, "at eight");
        first = g_bytes_new (built, strlen (built));

        second = message_notice_shorten (first);
        text = g_strndup (g_bytes_get_data (second, NULL), g_bytes_get_size (second));
        expect_in (text, cases[i].part);
        expect_in (text, "Final-Recipient: rfc822; user@example.net\r\n");
        expect_not_in (text, "at eight");
        g_assert_true (g_str_has_suffix (text, "--\r\n"));

        third = message_notice_shorten (second);
        g_assert_null (third);
    }
}

static void
what_is_no_notice_is_not_made_smaller (void)
{
    static const gchar *const others[] = {
        "", "Subject: x\r\n\r\nx\r\n", "\tboundary=\"", "\tboundary=\"b\"\r\n\r\n--b\r\n\r\n--b\r\n\r\n--b",
        "\tboundary=\"b\"\r\n\r\n--b\r\n--b\r\n--b\r\nContent-Type: message/rfc822\r\n"};

    for (guint i = 0; i < G_N_ELEMENTS (others); i++) {
        g_autoptr (GBytes) content = g_bytes_new (others[i], strlen (others[i]));
        g_autoptr (GBytes) smaller = message_notice_shorten (content);

        g_assert_null (smaller);
    }
}

static void
long_utf8_is_folded_between_characters (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    g_autoptr (GString) reply = g_string_new ("x");
    g_autofree gchar *built = NULL;

    for (guint i = 0; i < 3000; i++)
        g_string_append (reply, "日");
    notice_sample_add (sample, "jürgen@bücher.example", MESSAGE_ACTION_FAILED, "5.1.1", reply->str);
    set_sender (sample, "käthe@example.org");
    built = notice_sample_build (sample);

    expect_mail_lines (built);
    g_assert_true (g_utf8_validate (built, -1, NULL));
}

static void
thousands_of_recipients_are_all_named (void)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    g_autofree gchar *built = NULL;

    for (guint i = 0; i < 5000; i++) {
        g_autofree gchar *address = g_strdup_printf ("user%u@example.net", i);

        notice_sample_add (sample, address, MESSAGE_ACTION_FAILED, "5.1.1", "550 no");
    }
    built = notice_sample_build (sample);

    expect_in (built, "could not be delivered to these recipients.");
    expect_in (built, "    <user4999@example.net>\r\n");
    expect_in (built, "\r\nFinal-Recipient: rfc822; user4999@example.net\r\n");
}

gint
main (gint argc, gchar **argv)
{
    g_setenv ("TZ", "UTC", TRUE);
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/notice/failure-is-told-in-words-first", failure_is_told_in_words_first);
    g_test_add_func ("/message/notice/nobody-answers-a-notice", nobody_answers_a_notice);
    g_test_add_func ("/message/notice/belongs-to-its-message", notice_belongs_to_its_message);
    g_test_add_func ("/message/notice/reply-cannot-forge-anything", reply_cannot_forge_anything);
    g_test_add_func ("/message/notice/endless-reply-keeps-lines-short", endless_reply_keeps_lines_short);
    g_test_add_func ("/message/notice/parameters-of-the-sender-come-back", parameters_of_the_sender_come_back);
    g_test_add_func ("/message/notice/own-reason-is-no-remotes", own_reason_is_no_remotes);
    g_test_add_func ("/message/notice/delay-says-until-when", delay_says_until_when);
    g_test_add_func ("/message/notice/success-is-told", success_is_told);
    g_test_add_func ("/message/notice/whole-message-returns-only-for-a-failure",
                     whole_message_returns_only_for_a_failure);
    g_test_add_func ("/message/notice/header-that-goes-on-is-cut-at-a-line", header_that_goes_on_is_cut_at_a_line);
    g_test_add_func ("/message/notice/original-may-be-odd", original_may_be_odd);
    g_test_add_func ("/message/notice/foreign-sender-gets-a-global-notice", foreign_sender_gets_a_global_notice);
    g_test_add_func ("/message/notice/notice-of-foreign-addresses-is-ascii", notice_of_foreign_addresses_is_ascii);
    g_test_add_func ("/message/notice/plain-8bit-original-stays", plain_8bit_original_stays);
    g_test_add_func ("/message/notice/original-that-nobody-can-convert-is-not-returned-whole",
                     original_that_nobody_can_convert_is_not_returned_whole);
    g_test_add_func ("/message/notice/original-is-labelled-by-what-it-is", original_is_labelled_by_what_it_is);
    g_test_add_func ("/message/notice/smaller-one-has-the-header-alone", smaller_notice_has_the_header_alone);
    g_test_add_func ("/message/notice/what-is-none-is-not-made-smaller", what_is_no_notice_is_not_made_smaller);
    g_test_add_func ("/message/notice/long-utf8-is-folded-between-characters",
                     long_utf8_is_folded_between_characters);
    g_test_add_func ("/message/notice/thousands-of-recipients-are-all-named", thousands_of_recipients_are_all_named);

    return g_test_run ();
}
