/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Values of the configuration: read whole, or refused. */

#include "config-value.h"

typedef struct {
    const gchar *text;
    guint64 number;
} Good;

static void
test_numbers_are_taken_whole (void)
{
    static const gchar *const bad[] = {"", " 5", "5 ", "-1", "+1", "0x10", "1.5", "5 apples", "18446744073709551616"};
    guint64 number;

    g_assert_true (config_value_number ("0", &number));
    g_assert_cmpuint (number, ==, 0);
    g_assert_true (config_value_number ("18446744073709551615", &number));
    g_assert_cmpuint (number, ==, G_MAXUINT64);

    for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
        if (config_value_number (bad[i], &number))
            g_error ("“%s” was taken as the number %" G_GUINT64_FORMAT, bad[i], number);
}

static void
test_sizes_have_units_of_1024 (void)
{
    static const Good good[] = {{"0", 0},
                                {"1000", 1000},
                                {"1K", 1024},
                                {"64M", 64 * 1024 * 1024},
                                {"2 g", G_GUINT64_CONSTANT (2) << 30},
                                {"1T", G_GUINT64_CONSTANT (1) << 40}};
    static const gchar *const bad[] = {"", "M", "10Q", "10MB", "1.5M", "-1K", "1K ", "1K 2K", "20000000T"};
    guint64 bytes;

    for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
        g_assert_true (config_value_size (good[i].text, &bytes));
        g_assert_cmpuint (bytes, ==, good[i].number);
    }

    for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
        if (config_value_size (bad[i], &bytes))
            g_error ("“%s” was taken as %" G_GUINT64_FORMAT " bytes", bad[i], bytes);
}

static void
test_spans_add_up (void)
{
    static const Good good[] = {{"90", 90},
                                {"30s", 30},
                                {"5min", 300},
                                {"4h", 14400},
                                {"5d", 432000},
                                {"1w", 604800},
                                {"1h 30min", 5400},
                                {"1h30min", 5400},
                                {"2 hours 1 s", 7201},
                                {"1D", 86400},
                                {"1 week 2 days", 777600},
                                {"0", 0}};
    static const gchar *const bad[] = {"",
                                       "h",
                                       "5 fortnights",
                                       "-5s",
                                       "1.5h",
                                       "5s,",
                                       "5ms",
                                       "1h and 5s",
                                       "99999999999999999999s",
                                       "9999999999999999999w"};
    guint64 seconds;

    for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
        if (!config_value_span (good[i].text, &seconds))
            g_error ("“%s” was refused", good[i].text);
        g_assert_cmpuint (seconds, ==, good[i].number);
    }

    for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
        if (config_value_span (bad[i], &seconds))
            g_error ("“%s” was taken as %" G_GUINT64_FORMAT " seconds", bad[i], seconds);
}

static void
test_a_short_span_may_be_in_milliseconds (void)
{
    guint64 msec;

    g_assert_true (config_value_short_span ("250ms", &msec));
    g_assert_cmpuint (msec, ==, 250);
    g_assert_true (config_value_short_span ("1min 30s", &msec));
    g_assert_cmpuint (msec, ==, 90000);
    g_assert_true (config_value_short_span ("0", &msec));
    g_assert_cmpuint (msec, ==, 0);
    g_assert_false (config_value_short_span ("ms", &msec));
    g_assert_false (config_value_short_span ("1s 5ms", &msec));
    g_assert_false (config_value_short_span ("99999999999999999999ms", &msec));
    g_assert_false (config_value_short_span ("18446744073709551s", &msec) && msec < 1000);
}

static void
test_booleans_are_yes_or_no (void)
{
    static const gchar *const yes[] = {"yes", "true", "1", "Yes", "TRUE"};
    static const gchar *const no[] = {"no", "false", "0", "No"};
    static const gchar *const bad[] = {"", "on", "y", "2", "yes ", "yesno"};
    gboolean value;

    for (guint i = 0; i < G_N_ELEMENTS (yes); i++)
        g_assert_true (config_value_boolean (yes[i], &value) && value);
    for (guint i = 0; i < G_N_ELEMENTS (no); i++)
        g_assert_true (config_value_boolean (no[i], &value) && !value);
    for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
        g_assert_false (config_value_boolean (bad[i], &value));
}

static void
assert_domain (const gchar *text, const gchar *wanted)
{
    g_autofree gchar *domain = config_value_domain (text);

    g_assert_cmpstr (domain, ==, wanted);
}

static void
assert_host (const gchar *text, const gchar *wanted)
{
    g_autofree gchar *host = config_value_host (text);

    g_assert_cmpstr (host, ==, wanted);
}

static void
test_domains_are_lower_case_and_ascii (void)
{
    g_autofree gchar *long_label = g_strnfill (64, 'a');

    assert_domain ("Mail.Example.ORG", "mail.example.org");
    assert_domain ("host", "host");
    assert_domain ("b\303\274cher.example", "xn--bcher-kva.example");
    assert_domain ("my_host.lan", "my_host.lan");

    assert_domain ("", NULL);
    assert_domain (".example.org", NULL);
    assert_domain ("example..org", NULL);
    assert_domain ("-a.example.org", NULL);
    assert_domain ("a b", NULL);
    assert_domain ("a\nb", NULL);
    assert_domain ("mail.example.org:25", NULL);
    assert_domain ("192.0.2.1", NULL);
    assert_domain ("\377", NULL);
    assert_domain (long_label, NULL);
}

static void
test_hosts_are_names_or_addresses (void)
{
    assert_host ("Mail.Example.ORG", "mail.example.org");
    assert_host ("192.0.2.1", "192.0.2.1");
    assert_host ("2001:db8::1", "2001:db8::1");
    assert_host ("[2001:db8::1]", "2001:db8::1");

    assert_host ("[mail.example.org]", NULL);
    assert_host ("mail.example.org:587", NULL);
    assert_host ("[]", NULL);
    assert_host ("", NULL);
}

static void
test_a_slip_of_the_pen_is_guessed (void)
{
    static const gchar *const names[] = {"MaxErrors", "MaxSessions", "Host", "PasswordFile", NULL};

    g_assert_cmpstr (config_value_nearest ("MaxErors", names), ==, "MaxErrors");
    g_assert_cmpstr (config_value_nearest ("maxsessions", names), ==, "MaxSessions");
    g_assert_cmpstr (config_value_nearest ("Hots", names), ==, NULL);
    g_assert_cmpstr (config_value_nearest ("Hosts", names), ==, "Host");
    g_assert_cmpstr (config_value_nearest ("Password", names), ==, "PasswordFile");
    g_assert_cmpstr (config_value_nearest ("Colour", names), ==, NULL);
    g_assert_cmpstr (config_value_nearest ("", names), ==, NULL);
}

static void
test_what_was_meant_by_no_host_name_is_explained (void)
{
    static const struct {
        const gchar *key, *text, *meant;
    } cases[] = {
        {"Host", "smtp.example.org:587", "the name alone, Host=smtp.example.org, and Port=587 in a line of its own"},
        {"Host", "smtp://smtp.example.org", "the name alone, Host=smtp.example.org"},
        {"Host", "smtp://smtp.example.org:25/",
         "the name alone, Host=smtp.example.org, and Port=25 in a line of its own"},
        {"Host", "smtps://me:secret@smtp.example.org", "the name alone, Host=smtp.example.org, and TLS=implicit"},
        {"Host", "me@example.org", "the name alone, Host=example.org"},
        {"Host", "[2001:db8::1]:25", "the name alone, Host=2001:db8::1, and Port=25 in a line of its own"},
        {"Domain", "@example.org", "the name alone, Domain=example.org"},
        {"HostName", "http://example.org/", "the name alone, HostName=example.org"},
        {"Host", "one two", NULL},
        {"Host", "a,b", NULL},
        {"Host", "", NULL},
        {"Host", "://", NULL},
        {"Host", "[", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *meant = config_value_explain_host (cases[i].key, cases[i].text);

        g_assert_cmpstr (meant, ==, cases[i].meant);
    }
}

static void
test_the_dot_of_the_root_is_no_part_of_a_name (void)
{
    g_autofree gchar *domain = config_value_domain ("Example.org.");
    g_autofree gchar *host = config_value_host ("localhost.");

    g_assert_cmpstr (domain, ==, "example.org");
    g_assert_cmpstr (host, ==, "localhost");
    g_assert_null (config_value_domain ("example.org.."));
    g_assert_null (config_value_domain ("."));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/daemon/config-value/numbers-are-taken-whole", test_numbers_are_taken_whole);
    g_test_add_func ("/daemon/config-value/sizes-have-units-of-1024", test_sizes_have_units_of_1024);
    g_test_add_func ("/daemon/config-value/spans-add-up", test_spans_add_up);
    g_test_add_func ("/daemon/config-value/a-short-span-may-be-in-milliseconds",
                     test_a_short_span_may_be_in_milliseconds);
    g_test_add_func ("/daemon/config-value/booleans-are-yes-or-no", test_booleans_are_yes_or_no);
    g_test_add_func ("/daemon/config-value/domains-are-lower-case-and-ascii", test_domains_are_lower_case_and_ascii);
    g_test_add_func ("/daemon/config-value/hosts-are-names-or-addresses", test_hosts_are_names_or_addresses);
    g_test_add_func ("/daemon/config-value/a-slip-of-the-pen-is-guessed", test_a_slip_of_the_pen_is_guessed);
    g_test_add_func ("/daemon/config-value/what-was-meant-by-no-host-name-is-explained",
                     test_what_was_meant_by_no_host_name_is_explained);
    g_test_add_func ("/daemon/config-value/the-dot-of-the-root-is-no-part-of-a-name",
                     test_the_dot_of_the_root_is_no_part_of_a_name);

    return g_test_run ();
}
