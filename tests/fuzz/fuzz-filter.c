/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of what callers on the bus give
 *
 * The bytes of an input are the dictionary of a filter and the arguments of a submission, well-formed or not: GVariant puts
 * defaults where they make no sense. Or, behind a first byte "t", they are the text of the one or the other, so that a seed can
 * be written by hand. A filter decides what is deleted: one that was not understood is none, and what it names is what was
 * asked for. An envelope has only addresses in their canonical form.
 */

#include "bus/error.h"
#include "bus/filter.h"
#include "bus/submit.h"
#include "fuzz.h"
#include "message/address.h"

#define RECIPIENTS_MOST 100

#define SUBMISSION_TYPE ((const GVariantType *) "(sasa{sv})")

/* Returns: (transfer full) (nullable) */
static GVariant *
read_variant (const GVariantType *type, const guint8 *data, gsize size)
{
    g_autoptr (GBytes) bytes = NULL;

    if (size > 0 && data[0] == 't') {
        const gchar *text = (const gchar *) data + 1;

        if (!g_utf8_validate (text, (gssize) size - 1, NULL))
            return NULL;
        return g_variant_parse (type, text, text + size - 1, NULL, NULL);
    }

    bytes = g_bytes_new (data, size);
    return g_variant_ref_sink (g_variant_new_from_bytes (type, bytes, FALSE));
}

static void
check_text (GVariant *dictionary, const gchar *key, const gchar *text)
{
    g_assert_cmpint (g_variant_lookup (dictionary, key, "s", NULL), ==, text != NULL);
    if (text != NULL)
        g_assert_true (g_utf8_validate (text, -1, NULL));
}

/* Whatever was asked for is in the filter, and nothing else. */
static void
check_filter (GVariant *dictionary, const BusFilter *filter)
{
    check_text (dictionary, "sender", filter->queue.sender);
    check_text (dictionary, "recipient", filter->queue.recipient);
    check_text (dictionary, "domain", filter->queue.domain);
    check_text (dictionary, "remote", filter->queue.remote);
    g_assert_cmpint (g_variant_lookup (dictionary, "state", "s", NULL), ==, filter->queue.state >= 0);
    g_assert_cmpint (g_variant_lookup (dictionary, "user", "u", NULL), ==, filter->queue.uid >= 0);
    g_assert_cmpint (g_variant_lookup (dictionary, "before", "t", NULL), ==, filter->queue.before_usec > 0);
    g_assert_cmpint (g_variant_lookup (dictionary, "ids", "as", NULL), ==, filter->ids != NULL);
    g_assert_true (filter->ids == NULL || filter->matches_none == (filter->ids->len == 0));
    for (guint i = 0; filter->ids != NULL && i < filter->ids->len; i++)
        g_assert_cmpuint (g_array_index (filter->ids, QueueId, i), >, 0);
}

static void
check_address (const gchar *address, MessagePathFlags flags)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *canonical = message_address_parse (address, flags | MESSAGE_PATH_UTF8, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (canonical, ==, address);
}

static void
read_filter (const guint8 *data, gsize size)
{
    g_autoptr (GVariant) dictionary = read_variant (G_VARIANT_TYPE_VARDICT, data, size);
    g_autoptr (BusFilter) filter = NULL;
    g_autoptr (GError) error = NULL;

    if (dictionary == NULL)
        return;

    filter = bus_filter_new (dictionary, &error);
    if (filter != NULL)
        check_filter (dictionary, filter);
    else
        g_assert_error (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER);
}

static void
read_submission (const guint8 *data, gsize size)
{
    g_autoptr (GVariant) arguments = read_variant (SUBMISSION_TYPE, data, size);
    g_autoptr (GVariant) recipients = NULL;
    g_autoptr (GVariant) options = NULL;
    g_autoptr (MessageEnvelope) envelope = NULL;
    g_autoptr (GError) error = NULL;
    const gchar *sender;

    if (arguments == NULL)
        return;

    g_variant_get (arguments, "(&s@as@a{sv})", &sender, &recipients, &options);
    envelope = bus_submit_envelope (sender, recipients, RECIPIENTS_MOST, options, &error);
    if (envelope == NULL) {
        g_assert_nonnull (error);
        return;
    }
    check_address (envelope->sender, MESSAGE_PATH_NULL | MESSAGE_PATH_BARE);
    g_assert_cmpuint (envelope->recipients->len, >, 0);
    for (guint i = 0; i < envelope->recipients->len; i++)
        check_address (message_envelope_recipient (envelope, i)->address, MESSAGE_PATH_BARE);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    read_filter (data, size);
    read_submission (data, size);

    return 0;
}
