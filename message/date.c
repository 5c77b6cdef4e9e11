/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Dates
 *
 * strftime(3) would write the names of days and months in the language of the locale, and mail is read by programs
 * that know English only; so they stand here. The local time zone is used, with its offset in numbers, because a
 * person compares the date of a message with a clock on a wall.
 */

#include <time.h>

#include "message/date.h"

static void
append_two_digits (GString *out, glong number)
{
    g_string_append_c (out, (gchar) ('0' + number / 10));
    g_string_append_c (out, (gchar) ('0' + number % 10));
}

static void
append_clock (GString *out, const struct tm *time)
{
    append_two_digits (out, time->tm_hour);
    g_string_append_c (out, ':');
    append_two_digits (out, time->tm_min);
    g_string_append_c (out, ':');
    append_two_digits (out, time->tm_sec);
}

void
message_date_append (GString *out, gint64 usec)
{
    static const gchar *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const gchar *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t) (usec / G_USEC_PER_SEC);
    struct tm local = {0};
    glong offset;

    g_return_if_fail (out != NULL);

    /* The years that a 64-bit count of microseconds reaches all fit into a struct tm. */
    localtime_r (&seconds, &local);
    offset = ABS (local.tm_gmtoff) / 60;

    g_string_append_printf (out, "%s, %d %s %d ", days[local.tm_wday], local.tm_mday, months[local.tm_mon],
                            local.tm_year + 1900);
    append_clock (out, &local);
    g_string_append (out, local.tm_gmtoff < 0 ? " -" : " +");
    append_two_digits (out, offset / 60);
    append_two_digits (out, offset % 60);
}

gchar *
message_date_format (gint64 usec)
{
    GString *date = g_string_sized_new (32);

    message_date_append (date, usec);
    return g_string_free (date, FALSE);
}
