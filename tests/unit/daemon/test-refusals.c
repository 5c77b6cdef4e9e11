/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How often the log is told of those who are refused. */

#include "refusals.h"

#include <string.h>

static GPtrArray *sentences;

static GLogWriterOutput
keep (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if (level & G_LOG_LEVEL_ERROR)
        return g_log_writer_default (level, fields, n_fields, user_data);

    for (gsize i = 0; i < n_fields; i++)
        if (strcmp (fields[i].key, "MESSAGE") == 0)
            g_ptr_array_add (sentences, g_strdup (fields[i].value));

    return G_LOG_WRITER_HANDLED;
}

static guint
count (const gchar *beginning)
{
    guint n = 0;

    for (guint i = 0; i < sentences->len; i++)
        n += g_str_has_prefix (g_ptr_array_index (sentences, i), beginning);

    return n;
}

static void
refuse (Refusals *refusals, gint64 uid, const gchar *peer, guint times)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (550, "5.7.1", "no");
    const LogRefusal refusal = {.uid = uid, .peer = peer, .what = "RCPT", .reply = reply};

    for (guint i = 0; i < times; i++)
        refusals_tell (refusals, &refusal);
}

static void
test_a_few_are_all_told (void)
{
    Refusals *refusals = refusals_new ();

    g_ptr_array_set_size (sentences, 0);
    refuse (refusals, 1000, NULL, 20);
    refuse (refusals, -1, "192.0.2.1", 20);
    refusals_free (refusals);
    g_assert_cmpuint (count ("refused user 1000: 550"), ==, 20);
    g_assert_cmpuint (count ("refused 192.0.2.1: 550"), ==, 20);
    g_assert_cmpuint (sentences->len, ==, 40);
}

static void
test_many_are_counted_and_hide_nobody_elses (void)
{
    Refusals *refusals = refusals_new ();

    g_ptr_array_set_size (sentences, 0);
    refuse (refusals, 1000, "127.0.0.1", 100000);
    refuse (refusals, 1001, "127.0.0.1", 3);
    refusals_free (refusals);
    g_assert_cmpuint (count ("refused 127.0.0.1, user 1000: 550"), ==, 50);
    g_assert_cmpuint (count ("refused user 1000 99950 more times"), ==, 1);
    g_assert_cmpuint (count ("refused 127.0.0.1, user 1001: 550"), ==, 3);
    g_assert_cmpuint (sentences->len, ==, 54);
}

static void
test_many_addresses_are_bounded (void)
{
    Refusals *refusals = refusals_new ();

    g_ptr_array_set_size (sentences, 0);
    for (guint i = 0; i < 100000; i++) {
        g_autofree gchar *peer = g_strdup_printf ("2001:db8::%x", i);

        refuse (refusals, -1, peer, 1);
    }
    refusals_free (refusals);
    g_assert_cmpuint (sentences->len, <, 400);
    g_assert_cmpuint (count ("refused others "), ==, 1);
}

int
main (int argc, char **argv)
{
    int status;

    g_test_init (&argc, &argv, NULL);
    sentences = g_ptr_array_new_with_free_func (g_free);
    g_log_set_writer_func (keep, NULL, NULL);
    g_test_add_func ("/daemon/refusals/a-few-are-all-told", test_a_few_are_all_told);
    g_test_add_func ("/daemon/refusals/many-are-counted-and-hide-nobody-elses",
                     test_many_are_counted_and_hide_nobody_elses);
    g_test_add_func ("/daemon/refusals/many-addresses-are-bounded", test_many_addresses_are_bounded);
    status = g_test_run ();
    g_ptr_array_unref (sentences);
    return status;
}
