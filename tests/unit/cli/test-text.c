/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "cli/postern-text.h"
#include "output/width.h"

#include <locale.h>
#include <unistd.h>

#define SECOND G_GINT64_CONSTANT (1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void
assert_escaped (const gchar *text, const gchar *expected)
{
    g_autofree gchar *escaped = text_escape (text);

    g_assert_cmpstr (escaped, ==, expected);
}

static void
test_escape_leaves_plain_text (void)
{
    assert_escaped ("bob@example.org", "bob@example.org");
    assert_escaped ("jörg@例え.jp ∀", "jörg@例え.jp ∀");
    assert_escaped ("", "");
    assert_escaped (NULL, "");
}

static void
test_escape_disarms_control_characters (void)
{
    assert_escaped ("\033[2Jgone", "\\x1b[2Jgone");
    assert_escaped ("a\r\nb\tc\177", "a\\r\\nb\\tc\\x7f");
    assert_escaped ("\302\233"
                    "31m",
                    "\\u009b31m"); /* CSI as one character */
}

static void
test_escape_disarms_direction_and_invisible_characters (void)
{
    assert_escaped ("moc.\342\200\256elpmaxe", "moc.\\u202eelpmaxe");
    assert_escaped ("a\342\201\246b", "a\\u2066b");
    assert_escaped ("a\342\200\213b\357\273\277", "a\\u200bb\\ufeff");
    assert_escaped ("a\342\200\250b", "a\\u2028b");
}

static void
test_escape_writes_bytes_that_are_no_utf8 (void)
{
    assert_escaped ("caf\351", "caf\\xe9");
    assert_escaped ("\300\200x", "\\xc0\\x80x");
    assert_escaped ("cut \342\202", "cut \\xe2\\x82");
}

static void
test_width_is_what_appears (void)
{
    g_assert_cmpuint (width_of_text ("abc"), ==, 3);
    g_assert_cmpuint (width_of_text ("jörg"), ==, 4);
    g_assert_cmpuint (width_of_text ("jo\314\210rg"), ==, 4); /* combining diaeresis */
    g_assert_cmpuint (width_of_text ("例え"), ==, 4);
}

static void
assert_fits (const gchar *text, guint columns, const gchar *expected)
{
    g_autofree gchar *fitted = text_fit (text, columns);

    g_assert_cmpstr (fitted, ==, expected);
    g_assert_cmpuint (width_of_text (fitted), <=, columns);
}

static void
test_fit_cuts_to_columns (void)
{
    assert_fits ("alice@example.org", 17, "alice@example.org");
    assert_fits ("alice@example.org", 16, "alice@example.o…");
    assert_fits ("alice", 1, "…");
    assert_fits ("例え例え", 6, "例え…"); /* half a wide character is not shown */
    assert_fits ("jo\314\210rg", 3, "jo\314\210…");
}

static void
assert_size (guint64 bytes, const gchar *expected)
{
    g_autofree gchar *size = text_size (bytes);

    g_assert_cmpstr (size, ==, expected);
}

static void
test_sizes_have_two_digits_and_a_unit (void)
{
    assert_size (0, "0 B");
    assert_size (1023, "1023 B");
    assert_size (1024, "1.0 K");
    assert_size (1536, "1.5 K");
    assert_size (10 * 1024, "10 K");
    assert_size (1023 * 1024, "1.0 M");
    assert_size (G_GUINT64_CONSTANT (100) << 20, "100 M");
    assert_size (G_GUINT64_CONSTANT (3) << 30, "3.0 G");
    assert_size (G_MAXUINT64, "16 E");
}

static void
assert_span (gint64 usec, const gchar *expected)
{
    g_autofree gchar *span = text_span (usec);

    g_assert_cmpstr (span, ==, expected);
}

static void
test_spans_have_one_unit (void)
{
    assert_span (0, "now");
    assert_span (SECOND - 1, "now");
    assert_span (SECOND, "1 s");
    assert_span (119 * SECOND, "119 s");
    assert_span (2 * MINUTE, "2 min");
    assert_span (119 * MINUTE, "119 min");
    assert_span (2 * HOUR, "2 h");
    assert_span (47 * HOUR, "47 h");
    assert_span (5 * DAY, "5 d");
    assert_span (-5 * DAY, "5 d");
}

static void
assert_relative (gint64 distance, const gchar *expected)
{
    gint64 now = G_GINT64_CONSTANT (1795000000) * SECOND;
    g_autofree gchar *relative = text_relative (now + distance, now);

    g_assert_cmpstr (relative, ==, expected);
}

static void
test_relative_times_say_which_way (void)
{
    assert_relative (0, "now");
    assert_relative (-3 * MINUTE, "3 min ago");
    assert_relative (4 * HOUR, "in 4 h");
}

static void
test_times_have_a_date_unless_it_is_today (void)
{
    gint64 now = G_GINT64_CONSTANT (1795305600) * SECOND; /* 2026-11-22T00:00:00Z, and TZ is UTC here */
    g_autofree gchar *today = text_time (now + 3 * HOUR, now);
    g_autofree gchar *yesterday = text_time (now - 1, now);

    g_assert_cmpstr (today, ==, "03:00:00");
    g_assert_cmpstr (yesterday, ==, "2026-11-21 23:59:59");
}

static void
test_iso_time_is_utc (void)
{
    g_autofree gchar *time = text_iso_time (G_GINT64_CONSTANT (1795315321) * SECOND + 999999);

    g_assert_cmpstr (time, ==, "2026-11-22T02:42:01Z");
}

static void
assert_parsed (const gchar *text, gint64 expected)
{
    gint64 usec;

    g_test_message ("%s", text);
    g_assert_true (text_parse_span (text, &usec));
    g_assert_cmpint (usec, ==, expected);
}

static void
test_spans_are_read_as_in_the_configuration (void)
{
    assert_parsed ("90", 90 * SECOND);
    assert_parsed ("30s", 30 * SECOND);
    assert_parsed ("5min", 5 * MINUTE);
    assert_parsed (" 4 h ", 4 * HOUR);
    assert_parsed ("5d", 5 * DAY);
    assert_parsed ("1w", 7 * DAY);
    assert_parsed ("1h 30min", 90 * MINUTE);
    assert_parsed ("0", 0);
}

static void
test_what_is_no_span_is_refused (void)
{
    static const gchar *const wrong[] = {
        "",        " ",
        "h",       "-1h",
        "1.5h",    "5 parsecs",
        "1h x",    "99999999999999999999",
        "200000w", "3153600000w 3153600000w",
    };

    for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
        gint64 usec;

        g_test_message ("“%s”", wrong[i]);
        g_assert_false (text_parse_span (wrong[i], &usec));
    }
}

static void
test_users_have_names (void)
{
    g_autofree gchar *root = text_user (0);
    g_autofree gchar *nobody_has_this = text_user (4000000001);
    g_autofree gchar *unknown = text_user (-1);

    g_assert_cmpstr (root, ==, "root");
    g_assert_cmpstr (nobody_has_this, ==, "4000000001");
    g_assert_cmpstr (unknown, ==, "unknown");
}

int
main (int argc, char **argv)
{
    g_setenv ("TZ", "UTC", TRUE);
    setlocale (LC_ALL, "C.UTF-8");
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/cli/text/escape-leaves-plain-text", test_escape_leaves_plain_text);
    g_test_add_func ("/cli/text/escape-disarms-control-characters", test_escape_disarms_control_characters);
    g_test_add_func ("/cli/text/escape-disarms-direction-and-invisible-characters",
                     test_escape_disarms_direction_and_invisible_characters);
    g_test_add_func ("/cli/text/escape-writes-bytes-that-are-no-utf8", test_escape_writes_bytes_that_are_no_utf8);
    g_test_add_func ("/cli/text/width-is-what-appears", test_width_is_what_appears);
    g_test_add_func ("/cli/text/fit-cuts-to-columns", test_fit_cuts_to_columns);
    g_test_add_func ("/cli/text/sizes-have-two-digits-and-a-unit", test_sizes_have_two_digits_and_a_unit);
    g_test_add_func ("/cli/text/spans-have-one-unit", test_spans_have_one_unit);
    g_test_add_func ("/cli/text/relative-times-say-which-way", test_relative_times_say_which_way);
    g_test_add_func ("/cli/text/times-have-a-date-unless-it-is-today", test_times_have_a_date_unless_it_is_today);
    g_test_add_func ("/cli/text/iso-time-is-utc", test_iso_time_is_utc);
    g_test_add_func ("/cli/text/spans-are-read-as-in-the-configuration", test_spans_are_read_as_in_the_configuration);
    g_test_add_func ("/cli/text/what-is-no-span-is-refused", test_what_is_no_span_is_refused);
    g_test_add_func ("/cli/text/users-have-names", test_users_have_names);
    return g_test_run ();
}
