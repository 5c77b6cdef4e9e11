/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "cli/config-plan.h"

#include <string.h>

static ConfigPlan *
new_plan (void)
{
    return config_plan_new ("/etc/postern", "A title");
}

/* The value that GKeyFile reads from the plan's text. */
static gchar *
read_back (const ConfigPlan *plan, const gchar *group, const gchar *key)
{
    g_autoptr (GKeyFile) keys = g_key_file_new ();
    g_autofree gchar *text = config_plan_text (plan);
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", text);
    g_assert_true (g_key_file_load_from_data (keys, text, (gsize) -1, G_KEY_FILE_NONE, &error));
    g_assert_no_error (error);
    return g_key_file_get_string (keys, group, key, NULL);
}

static void
test_groups_stay_in_their_order (void)
{
    g_autoptr (ConfigPlan) plan = new_plan ();
    g_autofree gchar *text = NULL;

    config_plan_set (plan, "Smarthost b", "Host", "b");
    config_plan_set (plan, "Smarthost a", "Host", "a");
    config_plan_set (plan, "Smarthost b", "Port", "25");
    text = config_plan_text (plan);
    g_assert_nonnull (
        strstr (text, "[Smarthost b]\n# the server that takes mail\nHost=b\nPort=25\n\n[Smarthost a]\n"));
    g_assert_true (g_str_has_prefix (text, "# A title\n"));
}

static void
test_the_last_value_counts (void)
{
    g_autoptr (ConfigPlan) plan = new_plan ();

    config_plan_set (plan, "Queue", "Lifetime", "1d");
    config_plan_set (plan, "Queue", "Lifetime", "2d");
    g_assert_cmpstr (config_plan_get (plan, "Queue", "Lifetime"), ==, "2d");
    config_plan_set (plan, "Queue", "Lifetime", "");
    g_assert_null (config_plan_get (plan, "Queue", "Lifetime"));
    g_assert_null (config_plan_get (plan, "Relay", "Domain"));
}

static void
test_an_empty_group_is_not_written (void)
{
    g_autoptr (ConfigPlan) plan = new_plan ();
    g_autofree gchar *text = NULL;

    config_plan_set (plan, "Queue", "Lifetime", "");
    text = config_plan_text (plan);
    g_assert_null (strstr (text, "[Queue]"));
}

static void
test_values_come_back_as_they_were (void)
{
    static const gchar *const values[] = {"DOMAIN\\user", "a b\tc", "ümläut", "#no comment", "x=y;z", "\\s"};

    for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
        g_autoptr (ConfigPlan) plan = new_plan ();
        g_autofree gchar *value = NULL;

        config_plan_set (plan, "Smarthost", "User", values[i]);
        value = read_back (plan, "Smarthost", "User");
        g_assert_cmpstr (value, ==, values[i]);
    }
}

static void
test_no_value_makes_a_line_of_its_own (void)
{
    g_autoptr (ConfigPlan) plan = new_plan ();
    g_autofree gchar *value = NULL;
    g_autofree gchar *text = NULL;

    config_plan_set (plan, "Smarthost", "User", "me\n[Server]\nTrustedNetworks=0.0.0.0/0");
    config_plan_comment (plan, "Smarthost", "remark\n[Server]");
    text = config_plan_text (plan);
    g_assert_null (strstr (text, "\n[Server]"));
    value = read_back (plan, "Smarthost", "User");
    g_assert_cmpstr (value, ==, "me [Server] TrustedNetworks=0.0.0.0/0");
}

static void
test_values_are_gathered_once (void)
{
    g_autoptr (ConfigPlan) plan = new_plan ();

    config_plan_append (plan, "Relay", "LocalDomains", " ", "a.example");
    config_plan_append (plan, "Relay", "LocalDomains", " ", "b.example");
    config_plan_append (plan, "Relay", "LocalDomains", " ", "a.example");
    g_assert_cmpstr (config_plan_get (plan, "Relay", "LocalDomains"), ==, "a.example b.example");
}

static void
test_a_password_is_not_in_the_text (void)
{
    g_autoptr (ConfigPlan) plan = new_plan ();
    g_autofree gchar *text = NULL;
    const ConfigPlanFile *file;

    config_plan_set_password (plan, "Smarthost", "smarthost", "first");
    config_plan_set_password (plan, "Smarthost", "smarthost", "hunter2");
    text = config_plan_text (plan);
    g_assert_null (strstr (text, "hunter2"));
    g_assert_nonnull (strstr (text, "PasswordCredential=smarthost\n"));
    g_assert_cmpuint (config_plan_passwords (plan)->len, ==, 1);
    file = g_ptr_array_index (config_plan_passwords (plan), 0);
    g_assert_cmpstr (file->text->str, ==, "hunter2\n");
}

static void
test_a_table_is_named_by_its_path (void)
{
    g_autoptr (ConfigPlan) plan = new_plan ();
    const ConfigPlanFile *file;

    config_plan_add_row (plan, "Rewrite", "SenderTable", "senders", "root", "me@example.org");
    config_plan_add_row (plan, "Rewrite", "SenderTable", "senders", "*", "you@example.org");
    g_assert_cmpstr (config_plan_get (plan, "Rewrite", "SenderTable"), ==, "/etc/postern/senders");
    file = g_ptr_array_index (config_plan_tables (plan), 0);
    g_assert_true (g_str_has_suffix (file->text->str, "\nroot me@example.org\n* you@example.org\n"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/cli/config-plan/groups-stay-in-their-order", test_groups_stay_in_their_order);
    g_test_add_func ("/cli/config-plan/the-last-value-counts", test_the_last_value_counts);
    g_test_add_func ("/cli/config-plan/an-empty-group-is-not-written", test_an_empty_group_is_not_written);
    g_test_add_func ("/cli/config-plan/values-come-back-as-they-were", test_values_come_back_as_they_were);
    g_test_add_func ("/cli/config-plan/no-value-makes-a-line-of-its-own", test_no_value_makes_a_line_of_its_own);
    g_test_add_func ("/cli/config-plan/values-are-gathered-once", test_values_are_gathered_once);
    g_test_add_func ("/cli/config-plan/a-password-is-not-in-the-text", test_a_password_is_not_in_the_text);
    g_test_add_func ("/cli/config-plan/a-table-is-named-by-its-path", test_a_table_is_named_by_its_path);
    return g_test_run ();
}
