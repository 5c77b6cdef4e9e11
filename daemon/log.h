/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Where log lines go: the journal with all their fields, or standard error as text.
 */

/* The fields that an entry may have. */
#define LOG_FIELDS_MOST 128

/* Makes this the writer of GLib's structured log. At the start of the program, once. */
void log_install (void);

/**
 * log_format:
 * @fields: as GLib's writer gets them
 * @line: what the line is appended to, with its newline
 *
 * One line for standard error: "warning: SENTENCE POSTERN_FIELD=value …". Whatever bytes the sentence or a value has,
 * it stays one line, and neither can be taken for a field or for the end of one: a value with other than plain
 * characters stands in double quotes, in which \" \\ \n and \xNN are escapes, and a sentence has none of the fields' prefix.
 */
void log_format (GLogLevelFlags level, const GLogField *fields, gsize n_fields, GString *line);
