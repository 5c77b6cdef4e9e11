/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bus/filter.h"

#include "bus/error.h"

#define ID "0000000000001"

static BusFilter *
read_filter (const gchar *text)
{
    g_autoptr (GVariant) dictionary = g_variant_parse (NULL, text, NULL, NULL, NULL);
    g_autoptr (GError) error = NULL;
    BusFilter *filter = bus_filter_new (dictionary, &error);

    g_assert_no_error (error);
    g_assert_nonnull (filter);
    return filter;
}

/* @words: what the error must say */
static void
assert_refused (const gchar *text, const gchar *words)
{
    g_autoptr (GVariant) dictionary = g_variant_parse (NULL, text, NULL, NULL, NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (BusFilter) filter = bus_filter_new (dictionary, &error);

    g_test_message ("%s", text);
    g_assert_null (filter);
    g_assert_error (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER);
    g_test_message ("%s", error->message);
    g_assert_nonnull (g_strstr_len (error->message, -1, words));
}

static void
test_empty_one_matches_every_message (void)
{
    g_autoptr (BusFilter) filter = read_filter ("@a{sv} {}");

    g_assert_null (filter->queue.ids);
    g_assert_cmpint (filter->queue.state, ==, -1);
    g_assert_null (filter->queue.sender);
    g_assert_null (filter->queue.recipient);
    g_assert_null (filter->queue.domain);
    g_assert_null (filter->queue.remote);
    g_assert_cmpint (filter->queue.uid, ==, -1);
    g_assert_cmpint (filter->queue.before_usec, ==, 0);
    g_assert_false (filter->everyone);
    g_assert_false (filter->matches_none);
}

static void
test_all_keys_are_read (void)
{
    g_autoptr (BusFilter) filter =
        read_filter ("{'ids': <['" ID "', '0000000000002']>, 'state': <'held'>, 'sender': <'a@b.example'>, "
                     "'recipient': <'c@d.example'>, 'domain': <'d.example'>, 'remote': <'smtp.example:587'>, "
                     "'user': <uint32 1000>, 'before': <uint64 1795315321000000>, 'everyone': <true>}");

    g_assert_cmpuint (filter->queue.n_ids, ==, 2);
    g_assert_cmpuint (filter->queue.ids[0], ==, queue_id_read (ID));
    g_assert_cmpuint (filter->queue.ids[1], ==, queue_id_read ("0000000000002"));
    g_assert_cmpint (filter->queue.state, ==, QUEUE_STATE_HELD);
    g_assert_cmpstr (filter->queue.sender, ==, "a@b.example");
    g_assert_cmpstr (filter->queue.recipient, ==, "c@d.example");
    g_assert_cmpstr (filter->queue.domain, ==, "d.example");
    g_assert_cmpstr (filter->queue.remote, ==, "smtp.example:587");
    g_assert_cmpint (filter->queue.uid, ==, 1000);
    g_assert_cmpint (filter->queue.before_usec, ==, G_GINT64_CONSTANT (1795315321000000));
    g_assert_true (filter->everyone);
}

static void
test_addresses_are_made_canonical (void)
{
    g_autoptr (BusFilter) filter =
        read_filter ("{'sender': <'<Bob@EXAMPLE.org>'>, 'recipient': <'\"ann\"@X.Example'>, "
                     "'domain': <'EXAMPLE.net'>}");

    g_assert_cmpstr (filter->queue.sender, ==, "Bob@example.org");
    g_assert_cmpstr (filter->queue.recipient, ==, "ann@x.example");
    g_assert_cmpstr (filter->queue.domain, ==, "example.net");
}

static void
test_null_sender_can_be_asked_for (void)
{
    g_autoptr (BusFilter) filter = read_filter ("{'sender': <''>}");

    g_assert_cmpstr (filter->queue.sender, ==, "");
}

static void
test_unknown_key_is_refused (void)
{
    assert_refused ("{'stat': <'held'>}", "“stat”");
    assert_refused ("{'state': <'held'>, 'Sender': <'a@b.example'>}", "“Sender”");
    assert_refused ("{'': <'held'>}", "“”");
}

static void
test_wrong_type_is_refused (void)
{
    assert_refused ("{'ids': <'" ID "'>}", "“ids”");
    assert_refused ("{'state': <uint32 1>}", "“state”");
    assert_refused ("{'user': <1000>}", "“user”");
    assert_refused ("{'before': <int64 1795315321000000>}", "“before”");
    assert_refused ("{'everyone': <'yes'>}", "“everyone”");
    assert_refused ("{'sender': <@ms nothing>}", "“sender”");
}

static void
test_value_that_cannot_be_is_refused (void)
{
    assert_refused ("{'ids': <['" ID "', 'bob@example.org']>}", "“bob@example.org”");
    assert_refused ("{'ids': <['']>}", "“”");
    assert_refused ("{'state': <'lost'>}", "“lost”");
    assert_refused ("{'sender': <'two words@example.org'>}", "“sender”");
    assert_refused ("{'recipient': <''>}", "“recipient”");
    assert_refused ("{'domain': <''>}", "“”");
    assert_refused ("{'domain': <'a@b.example'>}", "“a@b.example”");
    assert_refused ("{'user': <uint32 4294967295>}", "“user”");
    assert_refused ("{'before': <uint64 18446744073709551615>}", "“before”");
}

/* A value that the queue would read as "any" would delete what nobody meant. */
static void
test_nothing_widens_to_everything (void)
{
    g_autoptr (BusFilter) filter = read_filter ("{'ids': <@as []>}");

    g_assert_true (filter->matches_none);
    assert_refused ("{'before': <uint64 0>}", "“before”");
}

static void
test_too_many_ids_are_refused (void)
{
    GVariantBuilder ids = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_STRING_ARRAY);
    GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
    g_autoptr (GVariant) dictionary = NULL;
    g_autoptr (BusFilter) filter = NULL;
    g_autoptr (GError) error = NULL;

    for (guint i = 0; i <= BUS_FILTER_IDS_MOST; i++)
        g_variant_builder_add (&ids, "s", ID);
    g_variant_builder_add (&builder, "{sv}", "ids", g_variant_builder_end (&ids));
    dictionary = g_variant_ref_sink (g_variant_builder_end (&builder));
    filter = bus_filter_new (dictionary, &error);
    g_assert_null (filter);
    g_assert_error (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER);
}

static void
test_key_given_twice_counts_once (void)
{
    GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
    g_autoptr (GVariant) dictionary = NULL;
    g_autoptr (BusFilter) filter = NULL;

    g_variant_builder_add (&builder, "{sv}", "ids", g_variant_new_parsed ("@as []"));
    g_variant_builder_add (&builder, "{sv}", "ids", g_variant_new_parsed ("['" ID "']"));
    g_variant_builder_add (&builder, "{sv}", "sender", g_variant_new_string ("a@b.example"));
    g_variant_builder_add (&builder, "{sv}", "sender", g_variant_new_string ("c@d.example"));
    dictionary = g_variant_ref_sink (g_variant_builder_end (&builder));
    filter = bus_filter_new (dictionary, NULL);
    g_assert_nonnull (filter);
    g_assert_cmpuint (filter->queue.n_ids, ==, 1);
    g_assert_false (filter->matches_none);
    g_assert_cmpstr (filter->queue.sender, ==, "c@d.example");
}

static void
test_one_id_names_one_message (void)
{
    g_autoptr (BusFilter) filter = bus_filter_new_id (42);

    g_assert_cmpuint (filter->queue.n_ids, ==, 1);
    g_assert_cmpuint (filter->queue.ids[0], ==, 42);
    g_assert_cmpint (filter->queue.state, ==, -1);
    g_assert_cmpint (filter->queue.uid, ==, -1);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/bus/filter/empty-one-matches-every-message", test_empty_one_matches_every_message);
    g_test_add_func ("/bus/filter/all-keys-are-read", test_all_keys_are_read);
    g_test_add_func ("/bus/filter/addresses-are-made-canonical", test_addresses_are_made_canonical);
    g_test_add_func ("/bus/filter/null-sender-can-be-asked-for", test_null_sender_can_be_asked_for);
    g_test_add_func ("/bus/filter/unknown-key-is-refused", test_unknown_key_is_refused);
    g_test_add_func ("/bus/filter/wrong-type-is-refused", test_wrong_type_is_refused);
    g_test_add_func ("/bus/filter/value-that-cannot-be-is-refused", test_value_that_cannot_be_is_refused);
    g_test_add_func ("/bus/filter/nothing-widens-to-everything", test_nothing_widens_to_everything);
    g_test_add_func ("/bus/filter/too-many-ids-are-refused", test_too_many_ids_are_refused);
    g_test_add_func ("/bus/filter/key-given-twice-counts-once", test_key_given_twice_counts_once);
    g_test_add_func ("/bus/filter/one-id-names-one-message", test_one_id_names_one_message);
    return g_test_run ();
}
