/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Dates are RFC 5322's, in the local zone, in English whatever the locale.
 */

#include <locale.h>
#include <time.h>

#include "message/date.h"

static void
expect_date (const gchar *zone, gint64 seconds, const gchar *expected)
{
    g_autofree gchar *date = NULL;

    g_setenv ("TZ", zone, TRUE);
    tzset ();
    date = message_date_format (seconds * G_USEC_PER_SEC);
    g_assert_cmpstr (date, ==, expected);
}

static void
date_of_rfc_5322 (void)
{
    expect_date ("UTC", 1795315321, "Sun, 22 Nov 2026 02:42:01 +0000");
    expect_date ("UTC", 0, "Thu, 1 Jan 1970 00:00:00 +0000");
    expect_date ("UTC", 951782400, "Tue, 29 Feb 2000 00:00:00 +0000");
}

static void
zone_is_an_offset (void)
{
    expect_date ("ABC-5:30", 1795315321, "Sun, 22 Nov 2026 08:12:01 +0530");
    expect_date ("ABC3:30", 1795315321, "Sat, 21 Nov 2026 23:12:01 -0330");
    expect_date ("ABC0:30", 1795315321, "Sun, 22 Nov 2026 02:12:01 -0030");
}

static void
extreme_times_have_a_date (void)
{
    expect_date ("UTC", G_MAXINT64 / G_USEC_PER_SEC, "Sun, 10 Jan 294247 04:00:54 +0000");
    expect_date ("UTC", -1, "Wed, 31 Dec 1969 23:59:59 +0000");
}

gint
main (gint argc, gchar **argv)
{
    setlocale (LC_ALL, "");
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/date/rfc-5322", date_of_rfc_5322);
    g_test_add_func ("/message/date/zone-is-an-offset", zone_is_an_offset);
    g_test_add_func ("/message/date/extreme-times-have-a-date", extreme_times_have_a_date);

    return g_test_run ();
}
