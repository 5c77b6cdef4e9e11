/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bus/variant.h"

#include "bus/error.h"
#include "bus/remote-object.h"
#include "message/error.h"
#include "queue/queue.h"

/* A message with a pending and a delivered recipient. Its strings belong to nobody: queue_message_unref () never sees it. */
typedef struct {
    QueueMessage message;
    QueueRecipient recipients[2];
    QueueHistoryEntry entry;
} Sample;

static void
sample_init (Sample *sample)
{
    *sample = (Sample){
        .message = {.id = 42,
                    .state = QUEUE_STATE_DEFERRED,
                    .origin = {.uid = 1000, .helo = (gchar *) "caf\351", .protocol = (gchar *) "local"},
                    .size = 1234,
                    .arrival_usec = 1795315321000000,
                    .next_usec = 1795315381000000,
                    .attempts = 3,
                    .reason = "451 caf\351"},
        .recipients = {{.state = QUEUE_RECIPIENT_DELIVERED,
                        .attempts = 1,
                        .last_usec = 5,
                        .remote = (gchar *) "mx:25",
                        .status = (gchar *) "2.0.0",
                        .reply = (gchar *) "250 ok"},
                       {.state = QUEUE_RECIPIENT_PENDING, .attempts = 3, .reply = (gchar *) "451 caf\351"}},
        .entry = {.usec = 7, .text = (gchar *) "queued"},
    };
    sample->message.envelope = message_envelope_new ("");
    message_envelope_add (sample->message.envelope, "one@example.net");
    message_envelope_add (sample->message.envelope, "two@example.net");
    sample->message.recipients = g_ptr_array_new ();
    g_ptr_array_add (sample->message.recipients, &sample->recipients[0]);
    g_ptr_array_add (sample->message.recipients, &sample->recipients[1]);
    sample->message.history = g_ptr_array_new ();
    g_ptr_array_add (sample->message.history, &sample->entry);
}

static void
sample_clear (Sample *sample)
{
    message_envelope_free (sample->message.envelope);
    g_ptr_array_unref (sample->message.recipients);
    g_ptr_array_unref (sample->message.history);
}

static void
assert_text (const gchar *text, const gchar *expected)
{
    g_autoptr (GVariant) value = g_variant_ref_sink (bus_variant_text (text));

    g_assert_cmpstr (g_variant_get_string (value, NULL), ==, expected);
}

static void
test_text_is_always_utf8 (void)
{
    assert_text (NULL, "");
    assert_text ("jörg", "jörg");
    assert_text ("caf\351", "caf\357\277\275");
    assert_text ("\377\376", "\357\277\275\357\277\275");
}

static void
test_a_time_that_is_none_is_zero (void)
{
    g_autoptr (GVariant) none = g_variant_ref_sink (bus_variant_time (QUEUE_NEXT_WITH_LANE));
    g_autoptr (GVariant) some = g_variant_ref_sink (bus_variant_time (5));

    g_assert_cmpuint (g_variant_get_uint64 (none), ==, 0);
    g_assert_cmpuint (g_variant_get_uint64 (some), ==, 5);
}

static void
test_row_shows_the_first_pending_recipient (void)
{
    Sample sample;
    g_autoptr (GVariant) row = NULL;
    g_autofree gchar *text = NULL;

    sample_init (&sample);
    row = g_variant_ref_sink (bus_variant_row (&sample.message));
    g_assert_cmpstr (g_variant_get_type_string (row), ==, BUS_ROW_TYPE);
    text = g_variant_print (row, FALSE);
    g_assert_true (g_str_has_suffix (text, ", 'deferred', 1000, '', 'two@example.net', 2, 1, 1234, 1795315321000000, "
                                           "1795315381000000, 3, '451 caf\357\277\275')"));
    sample_clear (&sample);
}

static void
test_a_row_of_a_list_is_twelve_fields (void)
{
    static const gchar expected[] =
        "\0deferred\0001000\0\0two@example.net\0002\0001\0001234\0001795315321000000\0000\0003\000451 caf\357\277\275";
    g_autoptr (GString) out = g_string_new (NULL);
    gchar id[QUEUE_ID_TEXT_BYTES];
    Sample sample;

    sample_init (&sample);
    sample.message.next_usec = QUEUE_NEXT_WITH_LANE;
    bus_variant_append_row (out, &sample.message);
    queue_id_write (42, id);
    g_assert_cmpstr (out->str, ==, id);
    g_assert_cmpmem (out->str + strlen (id), (gint) (out->len - strlen (id)), expected, (gint) sizeof expected);

    g_string_truncate (out, 0);
    sample.message.origin.uid = -1;
    bus_variant_append_row (out, &sample.message);
    g_assert_cmpstr (out->str + strlen (id) + sizeof "\0deferred", ==, "-1");
    sample_clear (&sample);
}

static void
test_properties_have_the_types_of_the_description (void)
{
    static const struct {
        const gchar *name;
        const gchar *type;
    } wanted[] = {
        {"Id", "s"},       {"State", "s"},       {"Reason", "s"},     {"Sender", "s"},   {"Recipients", "a(ssutsss)"},
        {"Pending", "u"},  {"Size", "t"},        {"Arrived", "t"},    {"User", "x"},     {"NextAttempt", "t"},
        {"Attempts", "u"}, {"Peer", "s"},        {"Helo", "s"},       {"Protocol", "s"}, {"EnvelopeId", "s"},
        {"SmtpUtf8", "b"}, {"History", "a(ts)"}, {"DecidedBy", "as"},
    };
    Sample sample;
    g_autoptr (GVariant) all = NULL;

    sample_init (&sample);
    all = g_variant_ref_sink (bus_variant_properties (&sample.message));
    g_assert_cmpuint (g_variant_n_children (all), ==, G_N_ELEMENTS (wanted));
    for (guint i = 0; i < G_N_ELEMENTS (wanted); i++) {
        g_autoptr (GVariant) one = g_variant_ref_sink (bus_variant_property (&sample.message, wanted[i].name));
        g_autoptr (GVariant) same = g_variant_lookup_value (all, wanted[i].name, G_VARIANT_TYPE (wanted[i].type));

        g_test_message ("%s", wanted[i].name);
        g_assert_nonnull (same);
        g_assert_true (g_variant_equal (one, same));
    }
    g_assert_null (bus_variant_property (&sample.message, "Colour"));
    sample_clear (&sample);
}

static void
test_recipients_tell_what_became_of_each (void)
{
    Sample sample;
    g_autoptr (GVariant) recipients = NULL;
    g_autofree gchar *text = NULL;

    sample_init (&sample);
    recipients = g_variant_ref_sink (bus_variant_property (&sample.message, "Recipients"));
    text = g_variant_print (recipients, FALSE);
    g_assert_cmpstr (text, ==,
                     "[('one@example.net', 'delivered', 1, 5, 'mx:25', '2.0.0', '250 ok'), "
                     "('two@example.net', 'pending', 3, 0, '', '', '451 caf\357\277\275')]");
    sample_clear (&sample);
}

static void
test_each_reply_says_whose_it_is (void)
{
    Sample sample;

    sample_init (&sample);
    for (guint ours = 0; ours < 2; ours++) {
        g_autoptr (GVariant) deciders = NULL;
        g_autofree gchar *text = NULL;

        sample.recipients[0].is_ours = ours == 1;
        sample.recipients[1].reply = NULL;
        deciders = g_variant_ref_sink (bus_variant_property (&sample.message, "DecidedBy"));
        text = g_variant_print (deciders, FALSE);
        g_assert_cmpstr (text, ==, ours == 1 ? "['relay', '']" : "['remote', '']");
    }
    sample_clear (&sample);
}

static void
assert_path (const gchar *name, const gchar *expected)
{
    g_autofree gchar *path = bus_remote_object_path (name);

    g_assert_true (g_variant_is_object_path (path));
    g_assert_cmpstr (path, ==, expected);
}

static void
test_each_remote_has_a_path_of_its_own (void)
{
    assert_path ("default", "/org/postern/Relay1/remote/default");
    assert_path ("Backup 2", "/org/postern/Relay1/remote/Backup_202");
    assert_path ("a_b", "/org/postern/Relay1/remote/a_5fb");
    assert_path ("a/b", "/org/postern/Relay1/remote/a_2fb");
    assert_path ("ü", "/org/postern/Relay1/remote/_c3_bc");
    assert_path ("", "/org/postern/Relay1/remote/_");
}

static void
assert_named (GQuark domain, gint code, const gchar *expected)
{
    g_autoptr (GError) cause = g_error_new_literal (domain, code, "what happened");
    g_autoptr (GError) error = bus_error_from (cause);
    g_autofree gchar *name = g_dbus_error_encode_gerror (error);

    g_assert_cmpstr (name, ==, expected);
    g_assert_cmpstr (error->message, ==, "what happened");
}

static void
test_errors_have_names_that_are_a_contract (void)
{
    assert_named (BUS_ERROR, BUS_ERROR_NO_SUCH_MESSAGE, "org.postern.Relay1.Error.NoSuchMessage");
    assert_named (BUS_ERROR, BUS_ERROR_NOT_AUTHORIZED, "org.postern.Relay1.Error.NotAuthorized");
    assert_named (QUEUE_ERROR, QUEUE_ERROR_FULL, "org.postern.Relay1.Error.QueueFull");
    assert_named (QUEUE_ERROR, QUEUE_ERROR_LIMIT, "org.postern.Relay1.Error.LimitExceeded");
    assert_named (QUEUE_ERROR, QUEUE_ERROR_IO, "org.postern.Relay1.Error.StorageFailed");
    assert_named (QUEUE_ERROR, QUEUE_ERROR_GONE, "org.postern.Relay1.Error.NoSuchMessage");
    assert_named (MESSAGE_ERROR, MESSAGE_ERROR_SYNTAX, "org.postern.Relay1.Error.MessageRefused");
    assert_named (G_IO_ERROR, G_IO_ERROR_FAILED, "org.postern.Relay1.Error.Failed");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/bus/variant/text-is-always-utf8", test_text_is_always_utf8);
    g_test_add_func ("/bus/variant/a-time-that-is-none-is-zero", test_a_time_that_is_none_is_zero);
    g_test_add_func ("/bus/variant/row-shows-the-first-pending-recipient",
                     test_row_shows_the_first_pending_recipient);
    g_test_add_func ("/bus/variant/a-row-of-a-list-is-twelve-fields", test_a_row_of_a_list_is_twelve_fields);
    g_test_add_func ("/bus/variant/properties-have-the-types-of-the-description",
                     test_properties_have_the_types_of_the_description);
    g_test_add_func ("/bus/variant/recipients-tell-what-became-of-each", test_recipients_tell_what_became_of_each);
    g_test_add_func ("/bus/variant/each-reply-says-whose-it-is", test_each_reply_says_whose_it_is);
    g_test_add_func ("/bus/variant/each-remote-has-a-path-of-its-own", test_each_remote_has_a_path_of_its_own);
    g_test_add_func ("/bus/variant/errors-have-names-that-are-a-contract",
                     test_errors_have_names_that_are_a_contract);
    return g_test_run ();
}
