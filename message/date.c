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

gchar *
message_date_format (gint64 usec)
{
    static const gchar *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const gchar *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t) (usec / G_USEC_PER_SEC);
    struct tm local = {0};
    glong offset;

    /* The years that a 64-bit count of microseconds reaches all fit into a struct tm. */
    localtime_r (&seconds, &local);
    offset = ABS (local.tm_gmtoff) / 60;

    return g_strdup_printf ("%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld", days[local.tm_wday], local.tm_mday,
                            months[local.tm_mon], local.tm_year + 1900, local.tm_hour, local.tm_min, local.tm_sec,
                            local.tm_gmtoff < 0 ? '-' : '+', offset / 60, offset % 60);
}
