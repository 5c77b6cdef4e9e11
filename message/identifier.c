/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Message identifiers
 *
 * 80 random bits from the kernel make an identifier unique without a counter to keep or a clock to trust, also
 * across forks and machines that were cloned. The date in front is for people who search a log.
 */

#include <sys/random.h>
#include <time.h>

#include "message/identifier.h"

#define RANDOM_BYTES 10

/* Without those that are misread for digits, and one case only, so that people can read an identifier aloud. */
static const gchar letters[] = "0123456789abcdefghjkmnpqrstvwxyz";

G_STATIC_ASSERT (sizeof (letters) == 32 + 1);

gchar *
message_identifier_token (void)
{
    guint8 random[RANDOM_BYTES];
    GString *token = g_string_sized_new (16);

    /* Cannot fail: the kernel's generator is up once user space runs, and 256 bytes or less come in one piece. */
    if (getrandom (random, sizeof (random), 0) != sizeof (random))
        g_error ("The kernel gives no random bytes");

    for (guint bit = 0; bit < RANDOM_BYTES * 8; bit += 5) {
        guint pair = (guint) random[bit / 8] << 8 | (bit / 8 + 1 < RANDOM_BYTES ? random[bit / 8 + 1] : 0);

        g_string_append_c (token, letters[pair >> (11 - bit % 8) & 31]);
    }

    return g_string_free (token, FALSE);
}

gchar *
message_identifier_new (const gchar *domain)
{
    g_autofree gchar *token = message_identifier_token ();
    time_t now = time (NULL);
    struct tm utc = {0};

    g_return_val_if_fail (domain != NULL, NULL);

    gmtime_r (&now, &utc);

    return g_strdup_printf ("<%04d%02d%02d%02d%02d%02d.%s@%s>", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                            utc.tm_hour, utc.tm_min, utc.tm_sec, token, domain);
}
