/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of addresses
 *
 * What a list is taken apart into lies in the text, one entry behind the other. An address that is taken stands in its
 * canonical form, which is an address itself and stays what it is: alone, in a path, in a list with others, and behind a
 * display name.
 */

#include "fuzz.h"
#include "message/address-list.h"
#include "message/address.h"
#include "message/encoded-word.h"
#include "message/phrase.h"

#include <string.h>

#define ALL_FLAGS (MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8)

static void
check_parts (const gchar *address)
{
    g_autofree gchar *local = message_address_local_part (address);
    const MessageCompletion completion = {.domain = "domain.example", .parent = "parent.example"};
    g_autofree gchar *completed = message_address_complete (address, &completion);
    const gchar *domain = message_address_domain (address);
    g_autoptr (GError) error = NULL;
    g_autofree gchar *canonical = message_address_parse (completed, MESSAGE_PATH_UTF8, &error);

    /* Which may have made it too long. */
    if (strlen (completed) <= MESSAGE_PATH_LONGEST_BYTES - 2) {
        g_assert_no_error (error);
        g_assert_cmpstr (canonical, ==, completed);
    }
    g_assert_true (message_address_equal (address, address));
    g_assert_true (domain == NULL || (domain > address && domain[-1] == '@'));
    g_assert_cmpuint (strlen (local), <=, strlen (address));
    g_assert_cmpint (message_address_is_ascii (address), ==, g_str_is_ascii (address));
}

/* In an envelope: between angle brackets, with something behind. */
static void
check_path (const gchar *address)
{
    g_autofree gchar *path = g_strdup_printf ("<%s> X=1", address);
    g_autoptr (GError) error = NULL;
    gsize consumed = 0;
    g_autofree gchar *read = message_path_parse (path, strlen (path), ALL_FLAGS, &consumed, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (read, ==, address);
    g_assert_cmpuint (consumed, ==, strlen (address) + 2);
}

/* Returns: (transfer full) (nullable) */
static gchar *
canonical_form (const gchar *text)
{
    g_autoptr (GError) error = NULL;
    gchar *address = message_address_parse (text, ALL_FLAGS, &error);

    g_assert_true ((address == NULL) == (error != NULL));
    if (address != NULL) {
        g_autofree gchar *again = message_address_parse (address, ALL_FLAGS, NULL);

        g_assert_cmpstr (again, ==, address);
        g_assert_true (g_utf8_validate (address, -1, NULL));
        check_parts (address);
        check_path (address);
    }
    return address;
}

static GPtrArray *
read_list (const gchar *text)
{
    g_autoptr (GArray) entries = message_address_list_parse (text);
    GPtrArray *addresses = g_ptr_array_new_with_free_func (g_free);
    gsize length = strlen (text), at = 0;

    for (guint i = 0; i < entries->len; i++) {
        const MessageListEntry *entry = &g_array_index (entries, MessageListEntry, i);

        g_assert_cmpuint (entry->start, >=, at);
        g_assert_cmpuint (entry->end, >, entry->start);
        g_assert_cmpuint (entry->end, <=, length);
        at = entry->end;
        if (entry->address != NULL) {
            gchar *address = canonical_form (entry->address);

            g_assert_cmpuint (entry->address_start, >=, entry->start);
            g_assert_cmpuint (entry->address_end, >=, entry->address_start);
            g_assert_cmpuint (entry->address_end, <=, entry->end);
            /* As an entry of its own that is a display name; white space that is none in a list may have hidden it. */
            if (address != NULL && message_encoded_word_is_one (address, strlen (address)))
                g_clear_pointer (&address, g_free);
            if (address != NULL)
                g_ptr_array_add (addresses, address);
        }
    }

    return addresses;
}

/* @name: (nullable): stands before each address, which is in angle brackets then */
static void
check_printed (GPtrArray *addresses, const gchar *name)
{
    g_autoptr (GString) text = g_string_new (NULL);
    g_autoptr (GPtrArray) again = NULL;

    for (guint i = 0; i < addresses->len; i++) {
        g_string_append (text, i > 0 ? ",\r\n " : "");
        g_string_append_printf (text, name != NULL ? "%s <%s>" : "%s%s", name != NULL ? name : "",
                                (const gchar *) g_ptr_array_index (addresses, i));
    }

    again = read_list (text->str);
    g_assert_cmpuint (again->len, ==, addresses->len);
    for (guint i = 0; i < addresses->len; i++)
        g_assert_cmpstr (g_ptr_array_index (again, i), ==, g_ptr_array_index (addresses, i));
}

static void
check_raw_path (const FuzzInput *input)
{
    for (guint flags = 0; flags < 8; flags++) {
        g_autofree gchar *bytes = fuzz_copy (input);
        g_autoptr (GError) error = NULL;
        gsize consumed = 0;
        g_autofree gchar *address = message_path_parse (bytes, input->left, flags, &consumed, &error);

        g_assert_true ((address == NULL) == (error != NULL));
        if (address == NULL)
            continue;
        g_assert_cmpuint (consumed, <=, input->left);
        g_assert_true ((flags & MESSAGE_PATH_UTF8) != 0 || g_str_is_ascii (address));
        if (*address != '\0') {
            g_autofree gchar *again = canonical_form (address);

            g_assert_cmpstr (again, ==, address);
        }
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    g_autofree gchar *text = fuzz_text (&input);
    g_autofree gchar *name = message_phrase_format (text);
    g_autofree gchar *single = canonical_form (text);
    g_autoptr (GPtrArray) addresses = read_list (text);

    check_printed (addresses, NULL);
    check_printed (addresses, name != NULL ? name : "\"\"");
    check_raw_path (&input);

    return 0;
}
