/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Converts the message on standard input to 7-bit, fed in pieces of as many bytes as the argument says (0: all at once).
 * The first line of the output is what the survey found: "needless", "possible", or why it cannot be.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/mime-converter.h"

static GString *
read_all (void)
{
    GString *all = g_string_new (NULL);
    gchar buffer[65536];
    gsize got;

    while ((got = fread (buffer, 1, sizeof buffer, stdin)) > 0)
        g_string_append_len (all, buffer, (gssize) got);

    return all;
}

int
main (int argc, char **argv)
{
    g_autoptr (GString) message = read_all ();
    g_autoptr (GString) out = g_string_new (NULL);
    g_autoptr (MessageSurvey) survey = message_survey_new ();
    g_autoptr (MessageConverter) converter = NULL;
    gsize piece = argc > 1 ? strtoul (argv[1], NULL, 10) : 0;
    MessageConversion conversion;
    const gchar *reason;

    /* Both passes must come to the same, however the message is cut into pieces. */
    message_survey_feed (survey, message->str, message->len);
    conversion = message_survey_end (survey, &reason);
    puts (conversion == MESSAGE_CONVERSION_NEEDLESS ? "needless" : reason != NULL ? reason : "possible");
    if (conversion == MESSAGE_CONVERSION_NEEDLESS)
        fwrite (message->str, 1, message->len, stdout);
    if (conversion != MESSAGE_CONVERSION_POSSIBLE)
        return EXIT_SUCCESS;

    converter = message_converter_new (survey);
    for (gsize at = 0; at < message->len;) {
        gsize step = piece > 0 ? MIN (piece, message->len - at) : message->len;
        g_autofree gchar *copy = g_memdup2 (message->str + at, step); /* so that reading past it is noticed */

        message_converter_feed (converter, copy, step, out);
        at += step;
    }
    message_converter_end (converter, out);
    fwrite (out->str, 1, out->len, stdout);

    return EXIT_SUCCESS;
}
