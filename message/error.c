/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Errors about text
 *
 * What is wrong with an address or a header was written by a person or a program that somebody looks after, so each
 * error shows the text that it is about.
 */

#include "message/error.h"
#include "message/printable.h"

/* Enough to recognize an address by; an error stays readable on one or two lines of a terminal. */
#define QUOTED_LONGEST_BYTES 120

G_DEFINE_QUARK (message - error - quark, message_error)

gchar *
message_error_quote (const gchar *text, gsize length)
{
    return message_printable (text, length, QUOTED_LONGEST_BYTES, TRUE);
}
