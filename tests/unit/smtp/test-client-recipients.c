/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Messages with more recipients than a server takes in one transaction, and refusals that only look like that.
 */

#include "message/envelope.h"
#include "talk.h"

#include <string.h>

#define OPENING                                                                                                      \
    "S: 220 mx.example ESMTP\n"                                                                                      \
    "C: EHLO relay.example\n"                                                                                        \
    "S: 250-mx.example\n"

#define BARE       OPENING "S: 250 HELP\n"
#define PIPELINING OPENING "S: 250 PIPELINING\n"
#define CHUNKING   OPENING "S: 250-PIPELINING\nS: 250 CHUNKING\n"

#define MAIL "C: MAIL FROM:<from@example.org>\n"
#define CONTENT                                                                                                      \
    "E: want\n"                                                                                                      \
    "C: Subject: x\n"                                                                                                \
    "C: \n"                                                                                                          \
    "C: hello\n"                                                                                                     \
    "C: .\n"

static const gchar *const content[] = {"Subject: x\r\n\r\nhello\r\n", NULL};

static MessageEnvelope *
new_envelope (guint n_recipients)
{
    MessageEnvelope *envelope = message_envelope_new ("from@example.org");

    for (guint i = 0; i < n_recipients; i++) {
        g_autofree gchar *address = g_strdup_printf ("to%u@example.net", i);

        message_envelope_add (envelope, address);
    }

    return envelope;
}

static void
play (guint n_recipients, const gchar *script)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (n_recipients);
    const TalkSetup setup = {.envelope = envelope, .pieces = content};

    talk_play (&setup, script);
}

static void
test_those_that_are_too_many_are_put_off (void)
{
    static const gchar *const replies[] = {"452 4.5.3 too many", "452 too many",       "552 too many",
                                           "552 5.5.3 too many", "550 5.5.3 too many", "451 4.5.3 too many"};

    for (guint i = 0; i < G_N_ELEMENTS (replies); i++) {
        g_autofree gchar *script = g_strdup_printf (PIPELINING "E: ready\n" MAIL "C: RCPT TO:<to0@example.net>\n"
                                                               "C: RCPT TO:<to1@example.net>\n"
                                                               "C: RCPT TO:<to2@example.net>\n"
                                                               "C: RCPT TO:<to3@example.net>\n"
                                                               "C: DATA\n"
                                                               "S: 250 2.1.0 ok\n"
                                                               "S: 250 2.1.5 ok\n"
                                                               "S: 250 2.1.5 ok\n"
                                                               "S: %s\n"
                                                               "S: %s\n"
                                                               "S: 354 go\n" CONTENT "S: 250 2.0.0 queued\n"
                                                               "E: result 0 250 2.0.0 queued\n"
                                                               "E: result 1 250 2.0.0 queued\n"
                                                               "E: done but for 2\n"
                                                               "E: ready\n",
                                                    replies[i], replies[i]);

        play (4, script);
    }
}

static void
test_with_chunks_the_content_goes_to_those_that_were_taken (void)
{
    play (2, CHUNKING "E: ready\n" MAIL "C: RCPT TO:<to0@example.net>\n"
                      "C: RCPT TO:<to1@example.net>\n"
                      "E: want\n"
                      "C: BDAT 21 LAST\n"
                      "C: Subject: x\n"
                      "C: \n"
                      "C: hello\n"
                      "S: 250 2.1.0 ok\n"
                      "S: 250 2.1.5 ok\n"
                      "S: 452 4.5.3 too many\n"
                      "S: 250 2.0.0 queued\n"
                      "E: result 0 250 2.0.0 queued\n"
                      "E: done but for 1\n"
                      "E: ready\n");
}

static void
test_no_more_are_asked_about_once_it_is_clear (void)
{
    play (4, BARE "E: ready\n" MAIL "S: 250 2.1.0 ok\n"
                  "C: RCPT TO:<to0@example.net>\n"
                  "S: 250 2.1.5 ok\n"
                  "C: RCPT TO:<to1@example.net>\n"
                  "S: 452 4.5.3 too many\n"
                  "C: DATA\n"
                  "S: 354 go\n" CONTENT "S: 250 2.0.0 queued\n"
                  "E: result 0 250 2.0.0 queued\n"
                  "E: done but for 3\n"
                  "E: ready\n");
}

static void
test_in_doubt_one_more_is_asked_about (void)
{
    play (5, BARE "E: ready\n" MAIL "S: 250 ok\n"
                  "C: RCPT TO:<to0@example.net>\n"
                  "S: 250 ok\n"
                  "C: RCPT TO:<to1@example.net>\n"
                  "S: 452 no\n"
                  "C: RCPT TO:<to2@example.net>\n"
                  "S: 452 no\n"
                  "C: DATA\n"
                  "S: 354 go\n" CONTENT "S: 250 queued\n"
                  "E: result 0 250 queued\n"
                  "E: done but for 4\n"
                  "E: ready\n");
}

static void
test_a_refusal_that_others_do_not_share_is_a_result (void)
{
    play (3, BARE "E: ready\n" MAIL "S: 250 ok\n"
                  "C: RCPT TO:<to0@example.net>\n"
                  "S: 250 ok\n"
                  "C: RCPT TO:<to1@example.net>\n"
                  "S: 552 no\n"
                  "C: RCPT TO:<to2@example.net>\n"
                  "S: 250 ok\n"
                  "E: result 1 452 4.5.3 no\n"
                  "C: DATA\n"
                  "S: 354 go\n" CONTENT "S: 250 queued\n"
                  "E: result 0 250 queued\n"
                  "E: result 2 250 queued\n"
                  "E: done\n"
                  "E: ready\n");
}

static void
test_other_temporary_refusals_are_results (void)
{
    static const gchar *const replies[] = {"452 4.2.2 mailbox full", "452 4.3.1 disk full", "450 4.2.0 greylisted",
                                           "451 later", "552 5.2.2 mailbox full"};

    for (guint i = 0; i < G_N_ELEMENTS (replies); i++) {
        g_autofree gchar *script = g_strdup_printf (PIPELINING "E: ready\n" MAIL "C: RCPT TO:<to0@example.net>\n"
                                                               "C: RCPT TO:<to1@example.net>\n"
                                                               "C: DATA\n"
                                                               "S: 250 ok\n"
                                                               "S: 250 ok\n"
                                                               "S: %s\n"
                                                               "E: result 1 %s\n"
                                                               "S: 354 go\n" CONTENT "S: 250 queued\n"
                                                               "E: result 0 250 queued\n"
                                                               "E: done\n"
                                                               "E: ready\n",
                                                    replies[i], replies[i]);

        play (2, script);
    }
}

static void
test_who_takes_none_puts_none_off (void)
{
    play (2, PIPELINING "E: ready\n" MAIL "C: RCPT TO:<to0@example.net>\n"
                        "C: RCPT TO:<to1@example.net>\n"
                        "C: DATA\n"
                        "S: 250 2.1.0 ok\n"
                        "S: 452 4.5.3 too many\n"
                        "E: result 0 452 4.5.3 too many\n"
                        "S: 552 5.5.3 too many\n"
                        "E: result 1 552 5.5.3 too many\n"
                        "S: 503 5.5.1 no recipients\n"
                        "C: RSET\n"
                        "E: done\n"
                        "S: 250 2.0.0 ok\n"
                        "E: ready\n");
}

/* A single recipient cannot be one too many. */
static void
test_a_single_552_is_permanent (void)
{
    play (1, BARE "E: ready\n" MAIL "S: 250 2.1.0 ok\n"
                  "C: RCPT TO:<to0@example.net>\n"
                  "S: 552 over quota\n"
                  "E: result 0 552 over quota\n"
                  "C: RSET\n"
                  "E: done\n"
                  "S: 250 2.0.0 ok\n"
                  "E: ready\n");
}

static void
test_the_refusal_of_the_message_is_for_those_that_were_taken (void)
{
    static const gchar *const replies[] = {"554 5.6.0 spam", "451 4.3.0 later"};

    for (guint i = 0; i < G_N_ELEMENTS (replies); i++) {
        g_autofree gchar *at_end = g_strdup_printf (PIPELINING "E: ready\n" MAIL "C: RCPT TO:<to0@example.net>\n"
                                                               "C: RCPT TO:<to1@example.net>\n"
                                                               "C: DATA\n"
                                                               "S: 250 ok\n"
                                                               "S: 250 ok\n"
                                                               "S: 452 too many\n"
                                                               "S: 354 go\n" CONTENT "S: %s\n"
                                                               "E: result 0 %s\n"
                                                               "E: done but for 1\n"
                                                               "E: ready\n",
                                                    replies[i], replies[i]);
        g_autofree gchar *at_data = g_strdup_printf (PIPELINING "E: ready\n" MAIL "C: RCPT TO:<to0@example.net>\n"
                                                                "C: RCPT TO:<to1@example.net>\n"
                                                                "C: DATA\n"
                                                                "S: 250 ok\n"
                                                                "S: 250 ok\n"
                                                                "S: 452 too many\n"
                                                                "S: %s\n"
                                                                "E: result 0 %s\n"
                                                                "C: RSET\n"
                                                                "E: done but for 1\n"
                                                                "S: 250 ok\n"
                                                                "E: ready\n",
                                                     replies[i], replies[i]);

        play (2, at_end);
        play (2, at_data);
    }
}

/* Lets the server say @line @n times, each when the one before was answered. */
static void
answer (Talk *talk, guint n, const gchar *line)
{
    g_autofree gchar *text = g_strconcat (line, "\r\n", NULL);

    for (guint i = 0; i < n; i++)
        talk_feed (talk, text, strlen (text));
}

/* The server answers a transaction of three recipients. */
static void
answer_transaction (Talk *talk, const gchar *first, const gchar *second, const gchar *third)
{
    answer (talk, 1, "250 ok");
    answer (talk, 1, first);
    answer (talk, 1, second);
    answer (talk, 1, third);
    answer (talk, 1, "354 go");
    answer (talk, 1, "250 queued");
}

static guint
count (const GString *text, const gchar *word)
{
    guint n = 0;

    for (const gchar *at = strstr (text->str, word); at; at = strstr (at + 1, word))
        n++;

    return n;
}

static void
test_few_are_asked_about_in_vain (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1000);
    const TalkSetup setup = {.envelope = envelope, .pieces = content, .messages = 1};
    g_autoptr (Talk) talk = talk_new (&setup);

    answer (talk, 1, "220 mx.example");
    answer (talk, 1, "250-mx.example\r\n250 PIPELINING");
    answer (talk, 1, "250 2.1.0 ok");
    answer (talk, 100, "250 2.1.5 ok");
    answer (talk, 100, "452 4.5.3 too many");
    g_assert_cmpuint (count (talk->sent, "RCPT TO:"), ==, 200);
    answer (talk, 1, "354 go");
    answer (talk, 1, "250 2.0.0 queued");
    g_assert_cmpuint (talk->n_results, ==, 100);
    g_assert_nonnull (strstr (talk->log->str, "E: done but for 900\n"));
    g_assert_cmpuint (smtp_client_recipients_most (talk->client), ==, 100);
}

static void
test_the_number_is_what_is_announced_or_shown (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (3);
    const TalkSetup setup = {.envelope = envelope, .pieces = content, .messages = 3};
    g_autoptr (Talk) talk = talk_new (&setup);

    answer (talk, 1, "220 mx.example");
    answer (talk, 1, "250-mx.example\r\n250-PIPELINING\r\n250 LIMITS rcptmax=50 MAILMAX=7");
    g_assert_cmpuint (smtp_client_recipients_most (talk->client), ==, 50);
    answer_transaction (talk, "250 ok", "250 ok", "452 too many");
    g_assert_cmpuint (smtp_client_recipients_most (talk->client), ==, 2);
    answer_transaction (talk, "250 ok", "250 ok", "250 ok");
    g_assert_cmpuint (smtp_client_recipients_most (talk->client), ==, 2);

    /* It cannot have been the number if the first is refused in the same words. */
    answer_transaction (talk, "452 no", "250 ok", "250 ok");
    g_assert_cmpuint (smtp_client_recipients_most (talk->client), ==, 50);
}

#define ADD(path, function) g_test_add_func ("/smtp/client/recipients/" path, function)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    ADD ("those-that-are-too-many-are-put-off", test_those_that_are_too_many_are_put_off);
    ADD ("with-chunks-the-content-goes-to-those-that-were-taken",
         test_with_chunks_the_content_goes_to_those_that_were_taken);
    ADD ("no-more-are-asked-about-once-it-is-clear", test_no_more_are_asked_about_once_it_is_clear);
    ADD ("in-doubt-one-more-is-asked-about", test_in_doubt_one_more_is_asked_about);
    ADD ("a-refusal-that-others-do-not-share-is-a-result", test_a_refusal_that_others_do_not_share_is_a_result);
    ADD ("other-temporary-refusals-are-results", test_other_temporary_refusals_are_results);
    ADD ("who-takes-none-puts-none-off", test_who_takes_none_puts_none_off);
    ADD ("a-single-552-is-permanent", test_a_single_552_is_permanent);
    ADD ("the-refusal-of-the-message-is-for-those-that-were-taken",
         test_the_refusal_of_the_message_is_for_those_that_were_taken);
    ADD ("few-are-asked-about-in-vain", test_few_are_asked_about_in_vain);
    ADD ("the-number-is-what-is-announced-or-shown", test_the_number_is_what_is_announced_or_shown);

    return g_test_run ();
}
