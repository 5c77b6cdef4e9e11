/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of headers
 *
 * A header section is found, read, completed and written. What is written must be one header section to whoever reads it,
 * however strange the input: else a field could become the start of the body, or text of the body a field. What was read and
 * written once comes out the same the second time, and what was completed needs nothing more.
 *
 * The first byte of an input sets it up, the second says where it is cut.
 */

#include "fuzz.h"
#include "message/address.h"
#include "message/rewrite.h"

#include <string.h>

#define SETTINGS_BYTES 2
#define USEC           (1700000000 * (gint64) G_USEC_PER_SEC)

/* A header that has its end in the first bytes has it there, whatever follows. */
static gsize
find_end (const gchar *data, gsize length, gsize cut)
{
    g_autofree gchar *beginning = g_memdup2 (data, cut);
    gsize early, end;

    if (message_header_end (beginning, cut, &early)) {
        g_assert_true (message_header_end (data, length, &end));
        g_assert_cmpuint (early, ==, end);
        g_assert_cmpuint (end, <=, cut);
    }
    end = message_header_end_of_complete (data, length);
    g_assert_cmpuint (end, <=, length);
    return end;
}

static GString *
write_header (const MessageHeader *header)
{
    GString *out = g_string_new (NULL);
    gsize end;

    message_header_write (header, out);
    g_assert_true (message_header_end (out->str, out->len, &end));
    g_assert_cmpuint (end, ==, out->len);
    return out;
}

static void
check_is_stable (const GString *written)
{
    g_autoptr (MessageHeader) again = message_header_parse (written->str, written->len);
    g_autoptr (GString) second = write_header (again);

    fuzz_assert_same (written->str, written->len, second->str, second->len);
}

/* What a table of addresses may do; its results are what it leaves alone. */
static gchar *
rewrite_address (const gchar *address, MessageRole role, gpointer user_data)
{
    const gchar *domain = message_address_domain (address);

    if (domain == NULL)
        return role == MESSAGE_ROLE_SENDER ? g_strdup ("who@there.example") : NULL;
    if (strlen (domain) > 3 && role != MESSAGE_ROLE_RECIPIENT && !g_str_has_suffix (domain, ".example"))
        return g_strdup ("\"a b\"@hidden.example");
    return NULL;
}

static void
check_addresses (const MessageHeader *header)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
    g_autoptr (GError) error = NULL;

    if (!message_rewrite_recipients (header, envelope, &error)) {
        g_assert_nonnull (error);
        return;
    }
    g_assert_no_error (error);
    for (guint i = 0; i < envelope->recipients->len; i++) {
        const gchar *address = message_envelope_recipient (envelope, i)->address;
        g_autofree gchar *canonical = message_address_parse (address, MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, &error);

        g_assert_no_error (error);
        g_assert_cmpstr (canonical, ==, address);
    }
}

static void
complete (guint settings, MessageHeader *header)
{
    const MessageCompletion completion = {.domain = "domain.example",
                                          .parent = settings & 2 ? "parent.example" : NULL};
    const MessageRewrite rewrite = {.host_name = "host.example",
                                    .completion = &completion,
                                    .sender = settings & 1 ? "" : "sender@domain.example",
                                    .full_name = settings & 2 ? "J\303\266rg, \"X\"" : NULL,
                                    .address = settings & 4 ? rewrite_address : NULL,
                                    .original_field = settings & 8 ? "X-Original-From" : NULL,
                                    .usec = USEC};
    g_autoptr (MessageHeader) again = NULL;
    g_autoptr (GString) once = NULL;
    g_autoptr (GString) twice = NULL;

    message_rewrite_submission (header, &rewrite);
    once = write_header (header);
    g_assert_null (message_header_find (header, "Bcc"));
    g_assert_nonnull (message_header_find (header, "From"));
    g_assert_nonnull (message_header_find (header, "Date"));
    g_assert_nonnull (message_header_find (header, "Message-ID"));

    again = message_header_parse (once->str, once->len);
    message_rewrite_submission (again, &rewrite);
    twice = write_header (again);
    fuzz_assert_same (once->str, once->len, twice->str, twice->len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    guint settings = fuzz_digit (&input);
    gsize cut = fuzz_byte (&input);
    g_autoptr (MessageHeader) header = NULL;
    g_autoptr (GString) written = NULL;
    g_autofree gchar *text = NULL;

    if (size <= SETTINGS_BYTES)
        return 0;

    text = fuzz_copy (&input);
    header = message_header_parse (text, find_end (text, input.left, MIN (cut, input.left)));
    written = write_header (header);
    check_is_stable (written);
    check_addresses (header);
    complete (settings, header);

    return 0;
}
