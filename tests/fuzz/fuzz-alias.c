/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of alias files and address tables
 *
 * An alias file, a file that one includes, and a table of addresses, each of the same bytes. What was understood of them is
 * written down as a file, and read from there to be the same. The table that the daemon makes of a file finds each of its
 * names, and what it finds leads out of files.
 */

#include "alias-table.h"
#include "fuzz.h"
#include "message/address-map.h"
#include "message/address.h"

#include <string.h>

static void
append_quoted (GString *out, const gchar *text)
{
    g_string_append_c (out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_c (out, '\\');
        g_string_append_c (out, *text);
    }
    g_string_append_c (out, '"');
}

static void
append_target (GString *out, const MessageAliasTarget *target)
{
    g_autoptr (GString) include = g_string_new (":include:");

    switch (target->kind) {
    case MESSAGE_ALIAS_INCLUDE:
        g_assert_cmpint (target->text[0], ==, '/');
        g_string_append (include, target->text);
        append_quoted (out, include->str);
        break;
    case MESSAGE_ALIAS_NOWHERE:
        g_assert_cmpstr (target->text, ==, MESSAGE_ALIAS_NULL_FILE);
        g_string_append (out, target->text);
        break;
    case MESSAGE_ALIAS_FINAL:
        /* A backslash in front of a quote would be the quote's. */
        g_string_append_printf (out, "\\<%s>", target->text);
        break;
    case MESSAGE_ALIAS_ADDRESS:
        /* So that what looks like an order in a quoted local part is none. */
        g_string_append_printf (out, "<%s>", target->text);
        break;
    }
}

static void
check_address (const MessageAliasTarget *target)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *canonical = NULL;

    if (target->kind == MESSAGE_ALIAS_INCLUDE)
        return;
    canonical = message_address_parse (target->text, MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (canonical, ==, target->text);
}

static void
append_targets (GString *out, const GPtrArray *targets)
{
    for (guint i = 0; i < targets->len; i++) {
        g_string_append (out, i > 0 ? ", " : "");
        check_address (g_ptr_array_index (targets, i));
        append_target (out, g_ptr_array_index (targets, i));
    }
    g_string_append_c (out, '\n');
}

static GString *
print_aliases (const gchar *text, gsize length, gboolean strict)
{
    g_autoptr (GPtrArray) remarks = message_alias_remarks_new ();
    g_autoptr (GPtrArray) aliases = message_alias_parse (text, length, remarks);
    GString *out = g_string_new (NULL);

    g_assert_true (!strict || remarks->len == 0);
    for (guint i = 0; i < aliases->len; i++) {
        const MessageAlias *alias = g_ptr_array_index (aliases, i);

        append_quoted (out, alias->name);
        g_string_append (out, ": ");
        append_targets (out, alias->targets);
    }
    return out;
}

static GString *
print_included (const gchar *text, gsize length, gboolean strict)
{
    g_autoptr (GPtrArray) remarks = message_alias_remarks_new ();
    g_autoptr (GPtrArray) targets = message_alias_parse_included (text, length, remarks);
    GString *out = g_string_new (NULL);

    g_assert_true (!strict || remarks->len == 0);
    append_targets (out, targets);
    return out;
}

static void
check_is_stable (GString *(*print) (const gchar *text, gsize length, gboolean strict), const gchar *text,
                 gsize length)
{
    g_autoptr (GString) once = print (text, length, FALSE);
    g_autoptr (GString) twice = print (once->str, once->len, TRUE);

    fuzz_assert_same (once->str, once->len, twice->str, twice->len);
}

/* Of a file in memory, which may well include itself. */
static void
check_table (const gchar *text, gsize length)
{
    g_autoptr (GPtrArray) remarks = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GPtrArray) alias_remarks = message_alias_remarks_new ();
    g_autoptr (GPtrArray) aliases = message_alias_parse (text, length, alias_remarks);
    const gchar *path;
    gboolean is_good;
    g_autoptr (AliasTable) table = NULL;

    fuzz_file (text, length, &path);
    table = alias_table_read (path, FALSE, remarks, &is_good);
    g_assert_true (is_good || remarks->len > 0);
    g_assert_cmpuint (alias_table_count (table), <=, aliases->len);
    for (guint i = 0; i < aliases->len; i++) {
        const GPtrArray *targets = alias_table_find (table, ((MessageAlias *) g_ptr_array_index (aliases, i))->name);

        g_assert_true (targets == NULL || targets->len > 0);
        for (guint j = 0; targets != NULL && j < targets->len; j++) {
            const MessageAliasTarget *target = g_ptr_array_index (targets, j);

            g_assert_cmpint (target->kind, !=, MESSAGE_ALIAS_INCLUDE);
            check_address (target);
        }
    }
}

static void
check_map (const gchar *text, gsize length)
{
    static const gchar *const asked[] = {"a@x.org", "root@host.example", "\"a b\"@sub.x.org", "\303\266@\303\274.de"};
    g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
    const MessageCompletion completion = {.domain = "host.example", .parent = "example"};
    g_autoptr (MessageAddressMap) map = message_address_map_parse (text, length, &completion, problems);

    for (guint i = 0; i < G_N_ELEMENTS (asked); i++) {
        for (guint flags = 0; flags < 4; flags++) {
            g_autofree gchar *found = message_address_map_find (map, asked[i], flags);
            g_autoptr (GError) error = NULL;
            g_autofree gchar *canonical = NULL;

            if (found == NULL)
                continue;
            canonical = message_address_parse (found, MESSAGE_PATH_UTF8, &error);
            g_assert_no_error (error);
            g_assert_cmpstr (canonical, ==, found);
        }
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    g_autofree gchar *text = fuzz_copy (&input);

    check_is_stable (print_aliases, text, size);
    check_is_stable (print_included, text, size);
    check_table (text, size);
    check_map (text, size);

    return 0;
}
