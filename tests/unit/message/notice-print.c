/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Prints a notice, for check-notice to parse: "failed", "headers", "delayed", or, with an address beyond ASCII,
 * "global" to such a sender, "foreign" to another.
 */

#include <stdio.h>
#include <string.h>

#include "notice-sample.h"

gint
main (gint argc, gchar **argv)
{
    g_autoptr (NoticeSample) sample = notice_sample_new ();
    const gchar *kind = argc == 2 ? argv[1] : "";
    MessageAction action = strcmp (kind, "delayed") == 0 ? MESSAGE_ACTION_DELAYED : MESSAGE_ACTION_FAILED;
    gboolean foreign = strcmp (kind, "global") == 0 || strcmp (kind, "foreign") == 0;
    g_autofree gchar *built = NULL;

    notice_sample_add (
        sample, "user@example.net", action, "5.1.1",
        "550 5.1.1 This is a reply of so many words that no line which people or programs like to read "
        "could hold all of them at once");
    notice_sample_add (sample, foreign ? "jürgen@bücher.example" : "other@example.net", action, "5.2.2",
                       "552 Mailbox full");

    sample->envelope->smtputf8 = foreign;
    sample->envelope->envid = g_strdup ("QQ314159");
    if (strcmp (kind, "headers") == 0)
        sample->envelope->ret = MESSAGE_RETURN_HEADERS;
    if (foreign)
        notice_sample_set_original (
            sample, "Subject: Grüße\r\nTo: jürgen@bücher.example\r\nMessage-ID: <1@example.org>\r\n\r\nAt eight.\r\n",
            TRUE);

    if (strcmp (kind, "global") == 0) {
        g_free (sample->envelope->sender);
        sample->envelope->sender = g_strdup ("käthe@example.org");
    }

    built = notice_sample_build (sample);
    fwrite (built, 1, strlen (built), stdout);

    return 0;
}
