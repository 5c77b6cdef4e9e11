/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How the client sends a message: what it says with which extensions, and what becomes of each recipient whatever the
 * server answers.
 */

#include "message/envelope.h"
#include "talk.h"

#include <string.h>

#define OPENING                                                                                                      \
    "S: 220 mx.example ESMTP\n"                                                                                      \
    "C: EHLO relay.example\n"                                                                                        \
    "S: 250-mx.example\n"

#define BARE          OPENING "S: 250 HELP\n"
#define PIPELINING    OPENING "S: 250 PIPELINING\n"
#define CHUNKING      OPENING "S: 250-PIPELINING\nS: 250 CHUNKING\n"
#define SLOW_CHUNKING OPENING "S: 250 CHUNKING\n"

static const gchar *const short_content[] = {"Subject: x\r\n\r\nhello\r\n", NULL};
static const gchar *const dotted_content[] = {".a\r\n", ".b\r\n..c\r\n", "d", NULL};
static const gchar *const long_content[] = {"one\r\n", "two\r\n", "three\r\n", NULL};

static void
play (const MessageEnvelope *envelope, const gchar *const *pieces, const gchar *script)
{
    const TalkSetup setup = {.envelope = envelope, .pieces = pieces};

    talk_play (&setup, script);
}

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
test_step_by_step_without_extensions (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);

    play (envelope, short_content,
          BARE "E: ready\n"
               "C: MAIL FROM:<from@example.org>\n"
               "S: 250 2.1.0 ok\n"
               "C: RCPT TO:<to0@example.net>\n"
               "S: 250 2.1.5 ok\n"
               "C: RCPT TO:<to1@example.net>\n"
               "S: 250 2.1.5 ok\n"
               "C: DATA\n"
               "S: 354 go\n"
               "E: want\n"
               "C: Subject: x\n"
               "C: \n"
               "C: hello\n"
               "C: .\n"
               "S: 250 2.0.0 queued\n"
               "E: result 0 250 2.0.0 queued\n"
               "E: result 1 250 2.0.0 queued\n"
               "E: done\n"
               "E: ready\n");
}

static void
test_pipelining_saves_round_trips (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: RCPT TO:<to1@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "C: Subject: x\n"
                     "C: \n"
                     "C: hello\n"
                     "C: .\n"
                     "S: 250 2.0.0 queued\n"
                     "E: result 0 250 2.0.0 queued\n"
                     "E: result 1 250 2.0.0 queued\n"
                     "E: done\n"
                     "E: ready\n");
}

static void
test_chunking_needs_one_round_trip (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);

    play (envelope, short_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "C: RCPT TO:<to1@example.net>\n"
                   "E: want\n"
                   "C: BDAT 21 LAST\n"
                   "C: Subject: x\n"
                   "C: \n"
                   "C: hello\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "S: 250 2.0.0 queued\n"
                   "E: result 0 250 2.0.0 queued\n"
                   "E: result 1 250 2.0.0 queued\n"
                   "E: done\n"
                   "E: ready\n");
}

static void
test_chunking_without_pipelining_waits (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, long_content,
          SLOW_CHUNKING "E: ready\n"
                        "C: MAIL FROM:<from@example.org>\n"
                        "S: 250 2.1.0 ok\n"
                        "C: RCPT TO:<to0@example.net>\n"
                        "S: 250 2.1.5 ok\n"
                        "E: want\n"
                        "C: BDAT 5\n"
                        "C: one\n"
                        "S: 250 2.0.0 5 bytes\n"
                        "E: want\n"
                        "C: BDAT 5\n"
                        "C: two\n"
                        "S: 250 2.0.0 5 bytes\n"
                        "E: want\n"
                        "C: BDAT 7 LAST\n"
                        "C: three\n"
                        "S: 250 2.0.0 queued\n"
                        "E: result 0 250 2.0.0 queued\n"
                        "E: done\n"
                        "E: ready\n");
}

/* The rest leaves only once a recipient was accepted, and then without waiting for each chunk. */
static void
test_the_first_chunk_leaves_unasked (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, long_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "C: BDAT 5\n"
                   "C: one\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "E: want\n"
                   "C: BDAT 5\n"
                   "C: two\n"
                   "E: want\n"
                   "C: BDAT 7 LAST\n"
                   "C: three\n"
                   "S: 250 2.0.0 5 bytes\n"
                   "S: 250 2.0.0 5 bytes\n"
                   "S: 250 2.0.0 queued\n"
                   "E: result 0 250 2.0.0 queued\n"
                   "E: done\n"
                   "E: ready\n");
}

static void
test_content_may_come_late (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, NULL,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "A: content one\\n\n"
                   "C: BDAT 5\n"
                   "C: one\n"
                   "E: want\n"
                   "S: 250 2.0.0 5 bytes\n"
                   "A: last\n"
                   "C: BDAT 0 LAST\n"
                   "S: 250 2.0.0 queued\n"
                   "E: result 0 250 2.0.0 queued\n"
                   "E: done\n"
                   "E: ready\n");
    play (envelope, NULL,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "A: content one\\n\n"
                     "C: one\n"
                     "E: want\n"
                     "A: last\n"
                     "C: .\n"
                     "S: 250 2.0.0 queued\n"
                     "E: result 0 250 2.0.0 queued\n"
                     "E: done\n"
                     "E: ready\n");
}

static void
test_dots_are_doubled_for_data_only (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    static const gchar *const one_piece[] = {".a\r\n.\r\n", NULL};

    play (envelope, dotted_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "C: ..a\n"
                     "E: want\n"
                     "C: ..b\n"
                     "C: ...c\n"
                     "E: want\n"
                     "C: d\n"
                     "C: .\n"
                     "S: 250 2.0.0 queued\n"
                     "E: result 0 250 2.0.0 queued\n"
                     "E: done\n"
                     "E: ready\n");
    play (envelope, one_piece,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "C: BDAT 7 LAST\n"
                   "C: .a\n"
                   "C: .\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "S: 250 2.0.0 queued\n"
                   "E: result 0 250 2.0.0 queued\n"
                   "E: done\n"
                   "E: ready\n");
}

static MessageEnvelope *
new_rich_envelope (void)
{
    MessageEnvelope *envelope = new_envelope (3);

    envelope->body = MESSAGE_BODY_8BITMIME;
    envelope->ret = MESSAGE_RETURN_HEADERS;
    envelope->envid = g_strdup ("a+b=c");
    message_envelope_recipient (envelope, 0)->notify = MESSAGE_NOTIFY_SUCCESS | MESSAGE_NOTIFY_DELAY;
    message_envelope_recipient (envelope, 0)->orcpt = g_strdup ("rfc822;old+x@example.net");
    message_envelope_recipient (envelope, 1)->notify = MESSAGE_NOTIFY_NEVER;

    return envelope;
}

static void
test_parameters_go_where_they_are_offered (void)
{
    g_autoptr (MessageEnvelope) envelope = new_rich_envelope ();

    play (envelope, short_content,
          OPENING "S: 250-PIPELINING\n"
                  "S: 250-SIZE 1000\n"
                  "S: 250-8BITMIME\n"
                  "S: 250 DSN\n"
                  "E: ready\n"
                  "C: MAIL FROM:<from@example.org> SIZE=21 BODY=8BITMIME RET=HDRS ENVID=a+2Bb+3Dc\n"
                  "C: RCPT TO:<to0@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old+2Bx@example.net\n"
                  "C: RCPT TO:<to1@example.net> NOTIFY=NEVER\n"
                  "C: RCPT TO:<to2@example.net>\n"
                  "C: DATA\n");
}

static void
test_parameters_are_left_out_where_they_are_not_offered (void)
{
    g_autoptr (MessageEnvelope) envelope = new_rich_envelope ();

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: RCPT TO:<to1@example.net>\n"
                     "C: RCPT TO:<to2@example.net>\n"
                     "C: DATA\n");
}

static void
test_the_null_sender_is_spoken (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");

    message_envelope_add (envelope, "to@example.net");
    envelope->ret = MESSAGE_RETURN_FULL;
    play (envelope, short_content,
          OPENING "S: 250 DSN\n"
                  "E: ready\n"
                  "C: MAIL FROM:<> RET=FULL\n");
}

static void
test_a_message_over_the_size_is_not_sent (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);
    const TalkSetup setup = {.envelope = envelope, .size = 1001};
    const TalkSetup fits = {.envelope = envelope, .size = 1000};

    talk_play (&setup,
               OPENING "S: 250 SIZE 1000\n"
                       "E: ready\n"
                       "E: result 0 ours 5.3.4: the message has 1001 bytes, and the server takes no more than 1000\n"
                       "E: result 1 ours 5.3.4: the message has 1001 bytes, and the server takes no more than 1000\n"
                       "E: done\n"
                       "E: ready\n");
    talk_play (&fits, OPENING "S: 250 SIZE 1000\n"
                              "E: ready\n"
                              "C: MAIL FROM:<from@example.org> SIZE=1000\n");
    talk_play (&setup, OPENING "S: 250 SIZE\n"
                               "E: ready\n"
                               "C: MAIL FROM:<from@example.org> SIZE=1001\n");
}

static void
test_an_internationalized_sender_needs_smtputf8 (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("m\303\274ller@example.org");

    message_envelope_add (envelope, "to0@example.net");
    play (envelope, short_content,
          PIPELINING
          "E: ready\n"
          "E: result 0 ours 5.6.7: the sender's address is internationalized, and the server lacks SMTPUTF8\n"
          "E: done\n"
          "E: ready\n");
    play (envelope, short_content,
          OPENING "S: 250 SMTPUTF8\n"
                  "E: ready\n"
                  "C: MAIL FROM:<m\303\274ller@example.org> SMTPUTF8\n");
}

/* What was said when the message came in does not count: the next server may not be so able. */
static void
test_smtputf8_is_asked_for_where_it_is_needed (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    const TalkSetup needed = {.envelope = envelope, .pieces = short_content, .asks_utf8 = TRUE};

    envelope->smtputf8 = TRUE;
    play (envelope, short_content,
          OPENING "S: 250 SMTPUTF8\n"
                  "E: ready\n"
                  "C: MAIL FROM:<from@example.org>\n");
    talk_play (&needed, OPENING "S: 250 SMTPUTF8\n"
                                "E: ready\n"
                                "C: MAIL FROM:<from@example.org> SMTPUTF8\n");
}

static void
test_converted_content_is_not_called_8bit (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    const TalkSetup converted = {.envelope = envelope, .pieces = short_content, .is_7bit = TRUE};

    envelope->body = MESSAGE_BODY_8BITMIME;
    talk_play (&converted, OPENING "S: 250 8BITMIME\n"
                                   "E: ready\n"
                                   "C: MAIL FROM:<from@example.org>\n");
}

static void
test_a_domain_goes_by_its_a_label (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("from@b\303\274cher.example");

    message_envelope_add (envelope, "\"a b\"@\345\205\254\345\217\270.example");
    message_envelope_add (envelope, "stra\303\237e@example.net");
    message_envelope_add (envelope, "to@stra\303\237e.example");
    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "E: result 1 ours 5.6.7: the address is internationalized, and the server lacks SMTPUTF8\n"
                     "C: MAIL FROM:<from@xn--bcher-kva.example>\n"
                     "C: RCPT TO:<\"a b\"@xn--55qx5d.example>\n"
                     "C: RCPT TO:<to@xn--strae-oqa.example>\n"
                     "C: DATA\n");
    play (envelope, short_content,
          OPENING "S: 250-PIPELINING\n"
                  "S: 250 SMTPUTF8\n"
                  "E: ready\n"
                  "C: MAIL FROM:<from@b\303\274cher.example> SMTPUTF8\n"
                  "C: RCPT TO:<\"a b\"@\345\205\254\345\217\270.example>\n"
                  "C: RCPT TO:<stra\303\237e@example.net>\n"
                  "C: RCPT TO:<to@stra\303\237e.example>\n"
                  "C: DATA\n");
}

/* The others get theirs. */
static void
test_an_internationalized_recipient_needs_smtputf8 (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    message_envelope_add (envelope, "\303\266l@example.net");
    message_envelope_add (envelope, "to2@example.net");
    play (envelope, short_content,
          CHUNKING "E: ready\n"
                   "E: result 1 ours 5.6.7: the address is internationalized, and the server lacks SMTPUTF8\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "C: RCPT TO:<to2@example.net>\n"
                   "E: want\n"
                   "C: BDAT 21 LAST\n"
                   "C: Subject: x\n"
                   "C: \n"
                   "C: hello\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 550 5.1.1 no such user\n"
                   "E: result 0 550 5.1.1 no such user\n"
                   "S: 250 2.1.5 ok\n"
                   "S: 250 2.0.0 queued\n"
                   "E: result 2 250 2.0.0 queued\n"
                   "E: done\n"
                   "E: ready\n");
    play (envelope, short_content,
          OPENING "S: 250-PIPELINING\n"
                  "S: 250 SMTPUTF8\n"
                  "E: ready\n"
                  "C: MAIL FROM:<from@example.org> SMTPUTF8\n"
                  "C: RCPT TO:<to0@example.net>\n"
                  "C: RCPT TO:<\303\266l@example.net>\n"
                  "C: RCPT TO:<to2@example.net>\n"
                  "C: DATA\n");
}

static void
test_addresses_cannot_smuggle_commands (void)
{
    g_autoptr (MessageEnvelope) bad_sender = message_envelope_new ("a@example.org>\r\nRCPT TO:<x@example.org");
    g_autoptr (MessageEnvelope) bad_recipient = message_envelope_new ("a@example.org");

    message_envelope_add (bad_sender, "to@example.net");
    message_envelope_add (bad_recipient, "x@example.net>\r\nRSET\r\nMAIL FROM:<y@example.net");
    play (bad_sender, short_content,
          PIPELINING "E: ready\n"
                     "E: result 0 ours 5.1.7: the sender's address has control characters\n"
                     "E: done\n"
                     "E: ready\n");
    play (bad_recipient, short_content,
          PIPELINING "E: ready\n"
                     "E: result 0 ours 5.1.3: the recipient's address has control characters\n"
                     "E: done\n"
                     "E: ready\n");
}

static void
test_some_recipients_are_refused (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (3);

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: RCPT TO:<to1@example.net>\n"
                     "C: RCPT TO:<to2@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 450 4.2.1 greylisted\n"
                     "E: result 0 450 4.2.1 greylisted\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 550 5.1.1 no such user\n"
                     "E: result 2 550 5.1.1 no such user\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "C: Subject: x\n"
                     "C: \n"
                     "C: hello\n"
                     "C: .\n"
                     "S: 250 2.0.0 queued\n"
                     "E: result 1 250 2.0.0 queued\n"
                     "E: done\n"
                     "E: ready\n");
}

static void
test_all_recipients_are_refused_step_by_step (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);

    play (envelope, short_content,
          BARE "E: ready\n"
               "C: MAIL FROM:<from@example.org>\n"
               "S: 250 2.1.0 ok\n"
               "C: RCPT TO:<to0@example.net>\n"
               "S: 550 5.1.1 no\n"
               "E: result 0 550 5.1.1 no\n"
               "C: RCPT TO:<to1@example.net>\n"
               "S: 550 5.1.1 no\n"
               "E: result 1 550 5.1.1 no\n"
               "C: RSET\n"
               "E: done\n"
               "S: 250 2.0.0 ok\n"
               "E: ready\n");
}

/* RFC 2920 3.1: a server may accept DATA all the same. */
static void
test_all_recipients_are_refused_and_data_is_accepted (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 550 5.1.1 no\n"
                     "E: result 0 550 5.1.1 no\n"
                     "S: 354 go\n"
                     "C: .\n"
                     "S: 554 5.5.1 no recipients\n"
                     "E: done\n"
                     "E: ready\n");
    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 550 5.1.1 no\n"
                     "E: result 0 550 5.1.1 no\n"
                     "S: 354 go\n"
                     "C: .\n"
                     "S: 250 2.0.0 sent to nobody\n"
                     "E: done\n"
                     "E: ready\n");
}

static void
test_all_recipients_are_refused_and_data_too (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 550 5.1.1 no\n"
                     "E: result 0 550 5.1.1 no\n"
                     "S: 554 5.5.1 no valid recipients\n"
                     "C: RSET\n"
                     "E: done\n"
                     "S: 250 2.0.0 ok\n"
                     "E: ready\n");
}

static void
test_all_recipients_are_refused_with_a_chunk_on_its_way (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "C: BDAT 21 LAST\n"
                   "C: Subject: x\n"
                   "C: \n"
                   "C: hello\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 550 5.1.1 no\n"
                   "E: result 0 550 5.1.1 no\n"
                   "S: 554 5.5.1 no valid recipients\n"
                   "C: RSET\n"
                   "E: done\n"
                   "S: 250 2.0.0 ok\n"
                   "E: ready\n");
    play (envelope, long_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "C: BDAT 5\n"
                   "C: one\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 550 5.1.1 no\n"
                   "E: result 0 550 5.1.1 no\n"
                   "S: 503 5.5.1 no valid recipients\n"
                   "C: RSET\n"
                   "E: done\n"
                   "S: 250 2.0.0 ok\n"
                   "E: ready\n");
}

/* The owner's piece comes when nobody wants it any more. */
static void
test_all_recipients_are_refused_before_content_is_there (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);

    play (envelope, NULL,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "C: RCPT TO:<to1@example.net>\n"
                   "E: want\n"
                   "S: 550 5.7.1 not you\n"
                   "E: result 0 550 5.7.1 not you\n"
                   "E: result 1 550 5.7.1 not you\n"
                   "S: 503 5.5.1 MAIL first\n"
                   "A: content one\\n\n"
                   "S: 503 5.5.1 MAIL first\n"
                   "E: done\n"
                   "E: ready\n");
}

static void
test_mail_is_refused (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);

    play (envelope, short_content,
          BARE "E: ready\n"
               "C: MAIL FROM:<from@example.org>\n"
               "S: 550 5.7.1 not you\n"
               "E: result 0 550 5.7.1 not you\n"
               "E: result 1 550 5.7.1 not you\n"
               "E: done\n"
               "E: ready\n");
    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: RCPT TO:<to1@example.net>\n"
                     "C: DATA\n"
                     "S: 451 4.3.0 later\n"
                     "E: result 0 451 4.3.0 later\n"
                     "E: result 1 451 4.3.0 later\n"
                     "S: 503 5.5.1 MAIL first\n"
                     "S: 503 5.5.1 MAIL first\n"
                     "S: 503 5.5.1 MAIL first\n"
                     "E: done\n"
                     "E: ready\n");
    play (envelope, short_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "C: RCPT TO:<to1@example.net>\n"
                   "E: want\n"
                   "C: BDAT 21 LAST\n"
                   "C: Subject: x\n"
                   "C: \n"
                   "C: hello\n"
                   "S: 552 5.3.4 too large\n"
                   "E: result 0 552 5.3.4 too large\n"
                   "E: result 1 552 5.3.4 too large\n"
                   "S: 503 5.5.1 MAIL first\n"
                   "S: 503 5.5.1 MAIL first\n"
                   "S: 503 5.5.1 MAIL first\n"
                   "E: done\n"
                   "E: ready\n");
}

static void
test_data_is_refused (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 451 4.3.0 later\n"
                     "E: result 0 451 4.3.0 later\n"
                     "C: RSET\n"
                     "E: done\n"
                     "S: 250 2.0.0 ok\n"
                     "E: ready\n");
}

static void
test_the_message_is_refused_at_its_end (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "C: Subject: x\n"
                     "C: \n"
                     "C: hello\n"
                     "C: .\n"
                     "S: 554-5.7.1 spam\n"
                     "S: 554 5.7.1 go away\n"
                     "E: result 0 554 5.7.1 spam go away\n"
                     "E: done\n"
                     "E: ready\n");
    play (envelope, short_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "C: BDAT 21 LAST\n"
                   "C: Subject: x\n"
                   "C: \n"
                   "C: hello\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "S: 452 4.3.1 disk full\n"
                   "E: result 0 452 4.3.1 disk full\n"
                   "C: RSET\n"
                   "E: done\n"
                   "S: 250 2.0.0 ok\n"
                   "E: ready\n");
}

/* Whatever chunks are on their way: their replies change nothing, not even a good one. */
static void
test_a_chunk_in_the_middle_is_refused (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, long_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "C: BDAT 5\n"
                   "C: one\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "E: want\n"
                   "C: BDAT 5\n"
                   "C: two\n"
                   "E: want\n"
                   "C: BDAT 7 LAST\n"
                   "C: three\n"
                   "S: 250 2.0.0 5 bytes\n"
                   "S: 552 5.3.4 too large\n"
                   "E: result 0 552 5.3.4 too large\n"
                   "S: 503 5.5.1 transaction failed\n"
                   "C: RSET\n"
                   "E: done\n"
                   "S: 250 2.0.0 ok\n"
                   "E: ready\n");
}

static void
test_a_refused_chunk_stops_the_content (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, NULL,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "S: 250 2.1.0 ok\n"
                   "S: 250 2.1.5 ok\n"
                   "A: content one\\n\n"
                   "C: BDAT 5\n"
                   "C: one\n"
                   "E: want\n"
                   "S: 552 5.3.4 too large\n"
                   "E: result 0 552 5.3.4 too large\n"
                   "C: RSET\n"
                   "E: done\n"
                   "S: 250 2.0.0 ok\n"
                   "E: ready\n");
}

/* Those that were refused before keep their result; the accepted one has none and is tried again. */
static void
test_421_decides_about_nobody (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (3);

    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: RCPT TO:<to1@example.net>\n"
                     "C: RCPT TO:<to2@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 550 5.1.1 no\n"
                     "E: result 0 550 5.1.1 no\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 421 4.3.2 shutting down\n"
                     "E: failed closed: the server closes the session (421 4.3.2 shutting down)\n");
    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: RCPT TO:<to1@example.net>\n"
                     "C: RCPT TO:<to2@example.net>\n"
                     "C: DATA\n"
                     "S: 421 4.3.2 shutting down\n"
                     "E: failed closed: the server closes the session (421 4.3.2 shutting down)\n");
    play (envelope, short_content,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: RCPT TO:<to1@example.net>\n"
                     "C: RCPT TO:<to2@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "C: Subject: x\n"
                     "C: \n"
                     "C: hello\n"
                     "C: .\n"
                     "S: 421 4.3.2 shutting down\n"
                     "E: failed closed: the server closes the session (421 4.3.2 shutting down)\n");
}

static void
test_an_end_before_the_verdict_decides_about_nobody (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          PIPELINING
          "E: ready\n"
          "C: MAIL FROM:<from@example.org>\n"
          "C: RCPT TO:<to0@example.net>\n"
          "C: DATA\n"
          "S: 250 2.1.0 ok\n"
          "S: 250 2.1.5 ok\n"
          "S: 354 go\n"
          "E: want\n"
          "C: Subject: x\n"
          "C: \n"
          "C: hello\n"
          "C: .\n"
          "A: eof\n"
          "E: failed closed: the connection ended while the reply to the end of the message was awaited\n");
}

static void
test_a_refusal_amid_the_content_counts (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, NULL,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "A: content one\\n\n"
                     "C: one\n"
                     "E: want\n"
                     "S: 552 5.3.4 too large\n"
                     "E: result 0 552 5.3.4 too large\n"
                     "E: failed closed: the server answered before the message was sent (552 5.3.4 too large)\n");
}

/* A message whose end was not sent cannot have been taken. */
static void
test_an_acceptance_amid_the_content_does_not (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, NULL,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "A: content one\\n\n"
                     "C: one\n"
                     "E: want\n"
                     "S: 250 2.0.0 queued\n"
                     "E: failed closed: the server answered before the message was sent (250 2.0.0 queued)\n");
}

static void
test_replies_that_make_no_sense_end_the_session (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          BARE "E: ready\n"
               "C: MAIL FROM:<from@example.org>\n"
               "S: 354 go\n"
               "E: failed protocol: the reply to MAIL is none that it can have (354 go)\n");
    play (envelope, short_content,
          BARE "E: ready\n"
               "C: MAIL FROM:<from@example.org>\n"
               "S: 250 ok\n"
               "C: RCPT TO:<to0@example.net>\n"
               "S: 334 go\n"
               "E: failed protocol: the reply to RCPT is none that it can have (334 go)\n");
    play (envelope, short_content,
          BARE "E: ready\n"
               "C: MAIL FROM:<from@example.org>\n"
               "S: 250 ok\n"
               "C: RCPT TO:<to0@example.net>\n"
               "S: 250 ok\n"
               "C: DATA\n"
               "S: 250 ok\n"
               "E: failed protocol: the reply to DATA is none that it can have (250 ok)\n");
    play (envelope, short_content,
          CHUNKING "E: ready\n"
                   "C: MAIL FROM:<from@example.org>\n"
                   "C: RCPT TO:<to0@example.net>\n"
                   "E: want\n"
                   "C: BDAT 21 LAST\n"
                   "C: Subject: x\n"
                   "C: \n"
                   "C: hello\n"
                   "S: 250 ok\n"
                   "S: 250 ok\n"
                   "S: 354 go\n"
                   "E: failed protocol: the reply to the last BDAT is none that it can have (354 go)\n");
}

static void
test_a_refused_rset_ends_the_session (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, short_content,
          BARE "E: ready\n"
               "C: MAIL FROM:<from@example.org>\n"
               "S: 250 ok\n"
               "C: RCPT TO:<to0@example.net>\n"
               "S: 550 no\n"
               "E: result 0 550 no\n"
               "C: RSET\n"
               "E: done\n"
               "S: 500 What\n"
               "E: failed protocol: the server refuses RSET (500 What)\n");
}

static void
test_content_that_cannot_be_had_ends_the_session (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);

    play (envelope, NULL,
          PIPELINING "E: ready\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: DATA\n"
                     "S: 250 2.1.0 ok\n"
                     "S: 250 2.1.5 ok\n"
                     "S: 354 go\n"
                     "E: want\n"
                     "A: abandon\n"
                     "E: failed closed: the message could not be sent to its end\n");
}

static void
test_a_session_takes_many_messages (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    const TalkSetup setup = {.envelope = envelope, .pieces = short_content, .messages = 2};

    talk_play (&setup, CHUNKING "E: ready\n"
                                "C: MAIL FROM:<from@example.org>\n"
                                "C: RCPT TO:<to0@example.net>\n"
                                "E: want\n"
                                "C: BDAT 21 LAST\n"
                                "C: Subject: x\n"
                                "C: \n"
                                "C: hello\n"
                                "S: 250 ok\n"
                                "S: 550 no\n"
                                "E: result 0 550 no\n"
                                "S: 554 nobody\n"
                                "C: RSET\n"
                                "E: done\n"
                                "S: 250 ok\n"
                                "E: ready\n"
                                "C: MAIL FROM:<from@example.org>\n"
                                "C: RCPT TO:<to0@example.net>\n"
                                "E: want\n"
                                "C: BDAT 21 LAST\n"
                                "C: Subject: x\n"
                                "C: \n"
                                "C: hello\n"
                                "S: 250 ok\n"
                                "S: 250 ok\n"
                                "S: 250 ok\n"
                                "E: result 0 250 ok\n"
                                "E: done\n"
                                "E: ready\n"
                                "A: quit\n"
                                "C: QUIT\n"
                                "S: 221 bye\n"
                                "E: failed closed: the session was ended (221 bye)\n");
}

/* Not by strstr(): a sanitizer has that look at all of the rest of the text each time. */
static guint
count (const gchar *text, const gchar *what)
{
    guint found = 0;

    for (const gchar *at = text; *at != '\0'; at++)
        found += *at == *what && g_str_has_prefix (at, what);

    return found;
}

static void
say (Talk *talk, const gchar *text)
{
    talk_feed (talk, text, strlen (text));
}

/* However many recipients there are, what is on its way is bounded; and all get their result. */
static void
test_many_recipients_go_out_in_groups (void)
{
    enum { RECIPIENTS = 1000, AHEAD_MOST = 100 };
    g_autoptr (MessageEnvelope) envelope = new_envelope (RECIPIENTS);
    const TalkSetup setup = {.envelope = envelope, .pieces = short_content};
    g_autoptr (Talk) talk = talk_new (&setup);
    guint answered = 0;

    say (talk, "220 a\r\n");
    say (talk, "250-a\r\n250 PIPELINING\r\n");
    say (talk, "250 sender\r\n");
    while (answered < RECIPIENTS) {
        g_assert_cmpuint (count (talk->sent->str, "RCPT"), <=, answered + AHEAD_MOST);
        g_assert_cmpuint (count (talk->sent->str, "RCPT"), >, answered);
        say (talk, answered % 2 ? "250 ok\r\n" : "550 no\r\n");
        answered++;
    }
    g_assert_cmpuint (count (talk->sent->str, "DATA"), ==, 1);
    say (talk, "354 go\r\n");
    say (talk, "250 queued\r\n");
    g_assert_cmpuint (count (talk->log->str, "E: result"), ==, RECIPIENTS);
    g_assert_cmpuint (count (talk->log->str, "250 queued"), ==, RECIPIENTS / 2);
    g_assert_nonnull (strstr (talk->log->str, "E: result 999 250 queued\nE: done\nE: ready\n"));
}

static void
test_refused_mail_stops_the_groups (void)
{
    enum { RECIPIENTS = 250, AHEAD_MOST = 100 };
    g_autoptr (MessageEnvelope) envelope = new_envelope (RECIPIENTS);
    const TalkSetup setup = {.envelope = envelope, .pieces = short_content};
    g_autoptr (Talk) talk = talk_new (&setup);

    say (talk, "220 a\r\n");
    say (talk, "250-a\r\n250 PIPELINING\r\n");
    say (talk, "550 not you\r\n");
    for (guint i = 0; i < AHEAD_MOST; i++)
        say (talk, "503 MAIL first\r\n");
    g_assert_cmpuint (count (talk->sent->str, "RCPT"), ==, AHEAD_MOST);
    g_assert_cmpuint (count (talk->log->str, "550 not you"), ==, RECIPIENTS);
    g_assert_true (g_str_has_suffix (talk->log->str, "E: done\nE: ready\n"));
}

/* An owner that answers each want at once neither recurses nor runs ahead of the server without bounds. */
static void
test_a_large_message_is_sent_piece_by_piece (void)
{
    enum { PIECES = 100000 };
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    g_autofree const gchar **pieces = g_new0 (const gchar *, PIECES + 1);
    TalkSetup setup = {.envelope = envelope};
    g_autoptr (Talk) by_data = NULL;
    g_autoptr (Talk) by_chunks = NULL;

    for (guint i = 0; i < PIECES; i++)
        pieces[i] = ".line\r\n";
    setup.pieces = pieces;

    by_data = talk_new (&setup);
    say (by_data, "220 a\r\n");
    say (by_data, "250 a\r\n");
    say (by_data, "250 ok\r\n");
    say (by_data, "250 ok\r\n");
    say (by_data, "354 ok\r\n");
    g_assert_cmpuint (count (by_data->sent->str, "..line"), ==, PIECES);
    g_assert_true (g_str_has_suffix (by_data->sent->str, "\r\n.\r\n"));

    by_chunks = talk_new (&setup);
    say (by_chunks, "220 a\r\n");
    say (by_chunks, "250-a\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    say (by_chunks, "250 ok\r\n250 ok\r\n");
    g_assert_cmpuint (count (by_chunks->sent->str, "BDAT"), ==, 8);
    for (guint i = 0; i < 100; i++)
        say (by_chunks, "250 ok\r\n");
    g_assert_cmpuint (count (by_chunks->sent->str, "BDAT"), ==, 108);
}

static void
test_many_messages_refused_here_do_not_recurse (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    const TalkSetup setup = {.envelope = envelope, .size = 5000, .messages = 100000};
    g_autoptr (Talk) talk = talk_new (&setup);

    say (talk, "220 a\r\n");
    say (talk, "250-a\r\n250 SIZE 1000\r\n");
    g_assert_cmpuint (talk->begun, ==, 100000);
    g_assert_true (g_str_has_suffix (talk->log->str, "E: done\nE: ready\n"));
}

/* @server: what it says, in parts separated by "|"; at the end the connection closes, if it is not over by then. */
static void
assert_kept_content (gboolean kept, const gchar *const *pieces, const gchar *server)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (2);
    const TalkSetup setup = {.envelope = envelope, .pieces = pieces};
    g_autoptr (Talk) talk = talk_new (&setup);
    g_auto (GStrv) parts = g_strsplit (server, "|", -1);

    for (guint i = 0; parts[i]; i++)
        say (talk, parts[i]);
    if (talk->failed == 0)
        smtp_client_eof (talk->client, "closed");
    g_assert_cmpuint (talk->failed, ==, 1);
    if (smtp_client_kept_content (talk->client) != kept)
        g_test_fail_printf ("the content is %s after: %s", kept ? "not kept" : "kept", server);
}

/* Content that was sent ahead is not read by who says 421 before its turn; who just closes may have read it. */
static void
test_an_end_before_the_content_keeps_it (void)
{
#define PLAIN     "220 a\r\n|250 a\r\n|"
#define PIPELINED "220 a\r\n|250-a\r\n250 PIPELINING\r\n|"
#define CHUNKED   "220 a\r\n|250-a\r\n250-CHUNKING\r\n250 PIPELINING\r\n|"
    static const gchar *const openings[] = {PLAIN, PIPELINED, CHUNKED};
    static const gchar *const before[] = {"421 f\r\n", "250 a\r\n|421 f\r\n", "250 a\r\n|550 b\r\n|421 f\r\n"};

    for (guint i = 0; i < G_N_ELEMENTS (openings); i++)
        for (guint j = 0; j < G_N_ELEMENTS (before); j++) {
            g_autofree gchar *server = g_strconcat (openings[i], before[j], NULL);

            assert_kept_content (TRUE, short_content, server);
            assert_kept_content (TRUE, long_content, server);
        }

    assert_kept_content (TRUE, short_content, PLAIN "250 a\r\n|250 b\r\n");
    assert_kept_content (TRUE, short_content, PIPELINED "250 a\r\n|250 b\r\n");
    assert_kept_content (FALSE, short_content, CHUNKED "250 a\r\n|250 b\r\n");
    assert_kept_content (TRUE, short_content, PIPELINED "250 a\r\n|250 b\r\n|250 c\r\n|421 f\r\n");
    assert_kept_content (FALSE, short_content, PIPELINED "250 a\r\n|250 b\r\n|250 c\r\n|354 d\r\n|421 f\r\n");
    assert_kept_content (FALSE, short_content, PIPELINED "250 a\r\n|250 b\r\n|250 c\r\n|354 d\r\n");
    assert_kept_content (FALSE, short_content, CHUNKED "250 a\r\n|250 b\r\n|250 c\r\n|421 f\r\n");
    assert_kept_content (FALSE, long_content, CHUNKED "250 a\r\n|250 b\r\n|250 c\r\n|250 d\r\n|421 f\r\n");

    /* Between transactions and before them there is none. */
    assert_kept_content (FALSE, short_content, "421 f\r\n");
    assert_kept_content (FALSE, short_content, CHUNKED "250 a\r\n250 b\r\n250 c\r\n250 d\r\n|421 f\r\n");
}

static void
assert_can_be_freed_at (const gchar *event, const gchar *const *pieces, const gchar *server)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (3);
    const TalkSetup setup = {.envelope = envelope, .pieces = pieces};
    g_autoptr (Talk) talk = talk_new (&setup);
    g_auto (GStrv) parts = g_strsplit (server, "|", -1);

    talk->free_at = event;
    for (guint i = 0; parts[i]; i++)
        say (talk, parts[i]);
    g_assert_null (talk->client);
}

static void
test_can_be_freed_in_any_event (void)
{
#define FAST "220 a\r\n|250-a\r\n250-CHUNKING\r\n250 PIPELINING\r\n|"
    assert_can_be_freed_at ("want", short_content, FAST "250 a\r\n");
    assert_can_be_freed_at ("result 0 550 no", short_content, FAST "550 no\r\n503 b\r\n503 b\r\n");
    assert_can_be_freed_at ("result 1 550 no", short_content, FAST "250 a\r\n250 b\r\n550 no\r\n550 no\r\n");
    assert_can_be_freed_at ("done", short_content, FAST "250 a\r\n250 b\r\n250 c\r\n250 d\r\n250 e\r\n421 f\r\n");
    assert_can_be_freed_at ("failed closed: the server closes the session (421 f)", short_content, FAST "421 f\r\n");
}

static void
test_the_right_timeout_holds (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    const TalkSetup setup = {.envelope = envelope};
    g_autoptr (Talk) talk = talk_new (&setup);
    g_autoptr (GBytes) piece = g_bytes_new_static ("one\r\n", 5);

    say (talk, "220 a\r\n");
    say (talk, "250-a\r\n250 PIPELINING\r\n");
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_COMMAND);
    say (talk, "250 a\r\n250 b\r\n");
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_DATA);
    say (talk, "354 c\r\n");
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_BLOCK);
    talk->wanted = FALSE;
    smtp_client_content (talk->client, piece, FALSE);
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_BLOCK);
    talk->wanted = FALSE;
    smtp_client_content (talk->client, piece, TRUE);
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_END);
    say (talk, "250 d\r\n");
    g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_NONE);
}

static void
test_content_is_not_traced (void)
{
    g_autoptr (MessageEnvelope) envelope = new_envelope (1);
    const TalkSetup setup = {.envelope = envelope, .pieces = short_content};
    g_autoptr (Talk) talk = talk_new (&setup);

    say (talk, "220 a\r\n");
    say (talk, "250-a\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    say (talk, "250 2.1.0 b\r\n250 c\r\n250-2.0.0 d\r\n250 2.0.0 e\r\n");
    g_assert_cmpstr (talk->trace->str, ==,
                     "S: 220 a\n"
                     "C: EHLO relay.example\n"
                     "S: 250-a\n"
                     "S: 250-PIPELINING\n"
                     "S: 250 CHUNKING\n"
                     "C: MAIL FROM:<from@example.org>\n"
                     "C: RCPT TO:<to0@example.net>\n"
                     "C: BDAT 21 LAST\n"
                     "S: 250 2.1.0 b\n"
                     "S: 250 c\n"
                     "S: 250-2.0.0 d\n"
                     "S: 250 2.0.0 e\n");
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

#define ADD(name, test) g_test_add_func ("/smtp/client/transaction/" name, test)
    ADD ("step-by-step-without-extensions", test_step_by_step_without_extensions);
    ADD ("pipelining-saves-round-trips", test_pipelining_saves_round_trips);
    ADD ("chunking-needs-one-round-trip", test_chunking_needs_one_round_trip);
    ADD ("chunking-without-pipelining-waits", test_chunking_without_pipelining_waits);
    ADD ("the-first-chunk-leaves-unasked", test_the_first_chunk_leaves_unasked);
    ADD ("content-may-come-late", test_content_may_come_late);
    ADD ("dots-are-doubled-for-data-only", test_dots_are_doubled_for_data_only);
    ADD ("parameters-go-where-they-are-offered", test_parameters_go_where_they_are_offered);
    ADD ("parameters-are-left-out-where-they-are-not-offered",
         test_parameters_are_left_out_where_they_are_not_offered);
    ADD ("the-null-sender-is-spoken", test_the_null_sender_is_spoken);
    ADD ("a-message-over-the-size-is-not-sent", test_a_message_over_the_size_is_not_sent);
    ADD ("an-internationalized-sender-needs-smtputf8", test_an_internationalized_sender_needs_smtputf8);
    ADD ("smtputf8-is-asked-for-where-it-is-needed", test_smtputf8_is_asked_for_where_it_is_needed);
    ADD ("converted-content-is-not-called-8bit", test_converted_content_is_not_called_8bit);
    ADD ("a-domain-goes-by-its-a-label", test_a_domain_goes_by_its_a_label);
    ADD ("an-internationalized-recipient-needs-smtputf8", test_an_internationalized_recipient_needs_smtputf8);
    ADD ("addresses-cannot-smuggle-commands", test_addresses_cannot_smuggle_commands);
    ADD ("some-recipients-are-refused", test_some_recipients_are_refused);
    ADD ("all-recipients-are-refused-step-by-step", test_all_recipients_are_refused_step_by_step);
    ADD ("all-recipients-are-refused-and-data-is-accepted", test_all_recipients_are_refused_and_data_is_accepted);
    ADD ("all-recipients-are-refused-and-data-too", test_all_recipients_are_refused_and_data_too);
    ADD ("all-recipients-are-refused-with-a-chunk-on-its-way",
         test_all_recipients_are_refused_with_a_chunk_on_its_way);
    ADD ("all-recipients-are-refused-before-content-is-there",
         test_all_recipients_are_refused_before_content_is_there);
    ADD ("mail-is-refused", test_mail_is_refused);
    ADD ("data-is-refused", test_data_is_refused);
    ADD ("the-message-is-refused-at-its-end", test_the_message_is_refused_at_its_end);
    ADD ("a-chunk-in-the-middle-is-refused", test_a_chunk_in_the_middle_is_refused);
    ADD ("a-refused-chunk-stops-the-content", test_a_refused_chunk_stops_the_content);
    ADD ("421-decides-about-nobody", test_421_decides_about_nobody);
    ADD ("an-end-before-the-content-keeps-it", test_an_end_before_the_content_keeps_it);
    ADD ("an-end-before-the-verdict-decides-about-nobody", test_an_end_before_the_verdict_decides_about_nobody);
    ADD ("a-refusal-amid-the-content-counts", test_a_refusal_amid_the_content_counts);
    ADD ("an-acceptance-amid-the-content-does-not", test_an_acceptance_amid_the_content_does_not);
    ADD ("replies-that-make-no-sense-end-the-session", test_replies_that_make_no_sense_end_the_session);
    ADD ("a-refused-rset-ends-the-session", test_a_refused_rset_ends_the_session);
    ADD ("content-that-cannot-be-had-ends-the-session", test_content_that_cannot_be_had_ends_the_session);
    ADD ("a-session-takes-many-messages", test_a_session_takes_many_messages);
    ADD ("many-recipients-go-out-in-groups", test_many_recipients_go_out_in_groups);
    ADD ("refused-mail-stops-the-groups", test_refused_mail_stops_the_groups);
    ADD ("a-large-message-is-sent-piece-by-piece", test_a_large_message_is_sent_piece_by_piece);
    ADD ("many-messages-refused-here-do-not-recurse", test_many_messages_refused_here_do_not_recurse);
    ADD ("can-be-freed-in-any-event", test_can_be_freed_in_any_event);
    ADD ("the-right-timeout-holds", test_the_right_timeout_holds);
    ADD ("content-is-not-traced", test_content_is_not_traced);

    return g_test_run ();
}
