/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Converts messages, one after the other. Each comes on standard input behind a line with three numbers: what is demanded
 * (MessageDemands), in pieces of how many bytes it is to be fed (0: all at once), and its length. The answer is a line with
 * its length, and the answer, whose first line is what the survey found: "needless", "possible", or why it cannot be; then
 * " utf8" if SMTPUTF8 is needed, " 8bit" if something beyond ASCII stays, and behind a tab the remark for the log.
 */

#include <stdio.h>
#include <stdlib.h>

#include "message/mime-converter.h"

/* Both passes must come to the same, however the message is cut into pieces. */
static void
convert (MessageDemands demands, const gchar *message, gsize length, gsize piece, GString *out)
{
    g_autoptr (MessageSurvey) survey = message_survey_new (demands);
    g_autoptr (MessageConverter) converter = NULL;
    g_autofree gchar *remark = NULL;
    MessageConversion conversion;
    const gchar *reason;

    message_survey_feed (survey, message, length);
    conversion = message_survey_end (survey, &reason);
    remark = message_survey_remark (survey);
    g_string_append_printf (out, "%s%s%s\t%s\n",
                            conversion == MESSAGE_CONVERSION_NEEDLESS ? "needless"
                            : reason != NULL                          ? reason
                                                                      : "possible",
                            message_survey_needs_utf8 (survey) ? " utf8" : "",
                            message_survey_stays_8bit (survey) ? " 8bit" : "", remark != NULL ? remark : "");
    if (conversion == MESSAGE_CONVERSION_NEEDLESS)
        g_string_append_len (out, message, (gssize) length);
    if (conversion != MESSAGE_CONVERSION_POSSIBLE)
        return;

    converter = message_converter_new (survey);
    for (gsize at = 0; at < length;) {
        gsize step = piece > 0 ? MIN (piece, length - at) : length;
        g_autofree gchar *copy = g_memdup2 (message + at, step); /* so that reading past it is noticed */

        message_converter_feed (converter, copy, step, out);
        at += step;
    }
    message_converter_end (converter, out);
}

int
main (void)
{
    gsize demands, piece, length;

    while (scanf ("%zu %zu %zu", &demands, &piece, &length) == 3 && getchar () == '\n') {
        g_autofree gchar *message = g_malloc (MAX (length, 1));
        g_autoptr (GString) out = g_string_new (NULL);

        if (fread (message, 1, length, stdin) != length)
            return EXIT_FAILURE;
        convert ((MessageDemands) demands, message, length, piece, out);
        printf ("%zu\n", out->len);
        fwrite (out->str, 1, out->len, stdout);
        fflush (stdout);
    }

    return feof (stdin) ? EXIT_SUCCESS : EXIT_FAILURE;
}
