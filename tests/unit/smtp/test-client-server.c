/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The client and the server of this room talk to each other in memory, in pieces of several sizes. What goes in on one
 * side comes out on the other.
 */

#include "smtp/client.h"
#include "smtp/server.h"

#include <string.h>

typedef struct {
    SmtpServer *server;
    SmtpClient *client;
    GString *to_server;
    gsize step;    /* bytes carried at a time */
    gboolean owed; /* the server waits for the end of a commit */
    gboolean start_tls;

    MessageEnvelope *sent;
    MessageEnvelope *received; /* (nullable) */
    GBytes *content;
    GString *arrived;
    GString *events;
    gboolean begun;
} Pair;

/* ---- The server's relay ---- */

static SmtpReply *
take_mail (MessageEnvelope *envelope, guint64 declared_bytes, gpointer user_data)
{
    Pair *pair = user_data;

    g_assert_cmpuint (declared_bytes, ==, g_bytes_get_size (pair->content));
    return NULL;
}

static SmtpReply *
take_recipient (MessageRecipient *recipient, gpointer user_data)
{
    if (g_str_has_prefix (recipient->address, "refused"))
        return smtp_reply_new (550, "5.1.1", "No such user");

    return NULL;
}

static SmtpReply *
take_begin (const MessageEnvelope *envelope, gpointer user_data)
{
    Pair *pair = user_data;

    g_clear_pointer (&pair->received, message_envelope_free);
    pair->received = message_envelope_copy (envelope);
    return NULL;
}

static void
take_content (const gchar *data, gsize length, gpointer user_data)
{
    g_string_append_len (((Pair *) user_data)->arrived, data, (gssize) length);
}

static void
take_end (gpointer user_data)
{
    ((Pair *) user_data)->owed = TRUE;
}

static void
take_nothing (gpointer user_data)
{
}

static void
take_refused (const SmtpReply *reply, const gchar *what, gpointer user_data)
{
}

static const SmtpServerHandlers server_handlers = {.mail = take_mail,
                                                   .recipient = take_recipient,
                                                   .begin = take_begin,
                                                   .content = take_content,
                                                   .end = take_end,
                                                   .abort = take_nothing,
                                                   .start_tls = take_nothing,
                                                   .refused = take_refused};

/* ---- The client's owner ---- */

static void
on_send (GBytes *bytes, gpointer user_data)
{
    gsize length;
    const gchar *data = g_bytes_get_data (bytes, &length);

    g_string_append_len (((Pair *) user_data)->to_server, data, (gssize) length);
}

static void
on_start_tls (gpointer user_data)
{
    ((Pair *) user_data)->start_tls = TRUE;
}

static void
on_ready (gpointer user_data)
{
    Pair *pair = user_data;
    guint recipients[] = {0, 1, 2};
    const SmtpTransaction transaction = {.envelope = pair->sent,
                                         .recipients = recipients,
                                         .n_recipients = G_N_ELEMENTS (recipients),
                                         .size = g_bytes_get_size (pair->content)};

    if (pair->begun) {
        smtp_client_quit (pair->client);
    } else {
        pair->begun = TRUE;
        smtp_client_begin (pair->client, &transaction);
    }
}

static void
on_want_content (gpointer user_data)
{
    Pair *pair = user_data;

    smtp_client_content (pair->client, pair->content, TRUE);
}

static void
on_result (guint recipient, const SmtpReply *reply, gpointer user_data)
{
    g_string_append_printf (((Pair *) user_data)->events, "%u:%u ", recipient, reply->code);
}

static void
on_done (gpointer user_data)
{
    g_string_append (((Pair *) user_data)->events, "done ");
}

static void
on_failed (SmtpClientFailure failure, const gchar *reason, const SmtpReply *reply, gpointer user_data)
{
    g_string_append (((Pair *) user_data)->events, reason);
}

static const SmtpClientHandlers client_handlers = {.send = on_send,
                                                   .start_tls = on_start_tls,
                                                   .ready = on_ready,
                                                   .want_content = on_want_content,
                                                   .result = on_result,
                                                   .done = on_done,
                                                   .failed = on_failed};

static void
pair_clear (Pair *pair)
{
    smtp_client_free (pair->client);
    smtp_server_free (pair->server);
    g_string_free (pair->to_server, TRUE);
    g_string_free (pair->arrived, TRUE);
    g_string_free (pair->events, TRUE);
    g_bytes_unref (pair->content);
    message_envelope_free (pair->sent);
    if (pair->received)
        message_envelope_free (pair->received);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)

static MessageEnvelope *
new_envelope (void)
{
    MessageEnvelope *envelope = message_envelope_new ("\"odd sender\"@example.org");
    MessageRecipient *first = message_envelope_add (envelope, "first@example.net");

    first->notify = MESSAGE_NOTIFY_SUCCESS | MESSAGE_NOTIFY_FAILURE;
    first->orcpt = g_strdup ("rfc822;first+tag=x@example.com");
    message_envelope_add (envelope, "refused@example.net");
    message_envelope_add (envelope, "m\303\274ller@example.net");
    envelope->envid = g_strdup ("id+1=2");
    envelope->ret = MESSAGE_RETURN_HEADERS;
    envelope->body = MESSAGE_BODY_8BITMIME;
    envelope->smtputf8 = TRUE;

    return envelope;
}

static void
pair_init (Pair *pair, const gchar *content, gsize step)
{
    const SmtpServerParameters server = {.host_name = "mx.example",
                                         .trusted = TRUE,
                                         .tls_offered = TRUE,
                                         .message_longest_bytes = 100000,
                                         .recipients_most = 100,
                                         .errors_most = 10};
    const SmtpClientParameters client = {.host_name = "relay.example", .security = SMTP_SECURITY_STARTTLS};

    *pair = (Pair){0};
    pair->step = step;
    pair->to_server = g_string_new (NULL);
    pair->arrived = g_string_new (NULL);
    pair->events = g_string_new (NULL);
    pair->content = g_bytes_new (content, strlen (content));
    pair->sent = new_envelope ();
    pair->server = smtp_server_new (&server, &server_handlers, pair);
    pair->client = smtp_client_new (&client, &client_handlers, pair);
}

/* TLS comes up at once when both sides want it. */
static void
pair_secure (Pair *pair)
{
    pair->start_tls = FALSE;
    smtp_server_secured (pair->server);
    smtp_client_secured (pair->client);
}

static void
carry_to_client (Pair *pair, const GString *output)
{
    for (gsize position = 0; position < output->len; position += pair->step)
        smtp_client_feed (pair->client, output->str + position, MIN (pair->step, output->len - position));
    if (pair->start_tls)
        pair_secure (pair);
}

static void
carry_to_server (Pair *pair)
{
    gsize share = MIN (pair->step, pair->to_server->len);
    g_autofree gchar *data = g_memdup2 (pair->to_server->str, share);

    g_string_erase (pair->to_server, 0, (gssize) share);
    smtp_server_feed (pair->server, data, share);
}

static void
pair_run (Pair *pair)
{
    g_autoptr (GString) output = g_string_new (NULL);
    g_autoptr (SmtpReply) queued = smtp_reply_new (250, "2.0.0", "Queued");

    while (smtp_server_take_output (pair->server, output) > 0 || pair->to_server->len > 0 || pair->owed) {
        carry_to_client (pair, output);
        g_string_truncate (output, 0);
        if (pair->owed) {
            pair->owed = FALSE;
            smtp_server_finish (pair->server, queued);
        } else if (!smtp_server_is_busy (pair->server)) {
            carry_to_server (pair);
        }
    }
}

static void
assert_same_envelope (const MessageEnvelope *received, const MessageEnvelope *sent)
{
    g_assert_cmpstr (received->sender, ==, sent->sender);
    g_assert_cmpstr (received->envid, ==, sent->envid);
    g_assert_cmpint (received->ret, ==, sent->ret);
    g_assert_cmpint (received->body, ==, sent->body);
    g_assert_cmpint (received->smtputf8, ==, sent->smtputf8);
}

static void
assert_same_recipient (const MessageEnvelope *received, guint index, const MessageEnvelope *sent, guint sent_index)
{
    const MessageRecipient *a = message_envelope_recipient (received, index);
    const MessageRecipient *b = message_envelope_recipient (sent, sent_index);

    g_assert_cmpstr (a->address, ==, b->address);
    g_assert_cmpint (a->notify, ==, b->notify);
    g_assert_cmpstr (a->orcpt, ==, b->orcpt);
}

static void
assert_arrives (const gchar *content)
{
    static const gsize steps[] = {1, 2, 7, 64, 1000000};

    for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
        g_auto (Pair) pair;

        pair_init (&pair, content, steps[i]);
        pair_run (&pair);
        g_assert_cmpstr (pair.events->str, ==, "1:550 0:250 2:250 done the session was ended");
        g_assert_cmpstr (pair.arrived->str, ==, content);
        assert_same_envelope (pair.received, pair.sent);
        g_assert_cmpuint (pair.received->recipients->len, ==, 2);
        assert_same_recipient (pair.received, 0, pair.sent, 0);
        assert_same_recipient (pair.received, 1, pair.sent, 2);
    }
}

static void
test_a_message_arrives_as_it_was_sent (void)
{
    assert_arrives ("Subject: x\r\n\r\nhello\r\n");
}

static void
test_no_content_is_taken_for_commands (void)
{
    assert_arrives (".\r\n..\r\n.QUIT\r\n\r\n.\r\nMAIL FROM:<x@example.org>\r\nBDAT 5 LAST\r\n");
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/smtp/client-server/a-message-arrives-as-it-was-sent", test_a_message_arrives_as_it_was_sent);
    g_test_add_func ("/smtp/client-server/no-content-is-taken-for-commands", test_no_content_is_taken_for_commands);

    return g_test_run ();
}
