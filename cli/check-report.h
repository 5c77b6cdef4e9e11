/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "postern-client.h"

/*
 * The report of a check of the configuration: where it comes from, and how it is told. Its type is that of the reply to
 * the Manager's method Check.
 */

#define CHECK_REPORT_TYPE "(asasa(ssqsssss))"

/* Where posternd finds a configuration that it inherits. */
#define CHECK_CONFIGURATION "/proc/self/fd/3"

/* A row of the report. Strings belong to the report. */
typedef struct {
    const gchar *name;
    const gchar *host;
    guint16 port;
    const gchar *tls;
    const gchar *user;
    const gchar *fault; /* "": it takes mail */
    const gchar *error;
    const gchar *transcript;
} CheckedSmarthost;

/**
 * check_report_ask:
 * @connect: whether the smarthosts are tried
 * @sender: the reverse-path to offer
 *
 * Returns: (transfer full): the report of the relay that runs; or %NULL
 */
GVariant *check_report_ask (const Client *client, gboolean connect, const gchar *sender, GError **error);

/**
 * check_report_run:
 * @launcher: what descriptors and variables posternd is to have
 * @arguments: of posternd, beside --check and --machine
 *
 * Returns: (transfer full): the report that posternd makes by itself; or %NULL if it cannot be run
 */
GVariant *check_report_run (GSubprocessLauncher *launcher, const gchar *const *arguments, GError **error);

/* Whether a line of a transcript, which has no line end, says just what the error beside it does. */
gboolean check_transcript_repeats (const gchar *line, const gchar *error);

guint check_report_count (GVariant *report);
void check_report_smarthost (GVariant *report, guint index, CheckedSmarthost *smarthost);

/* Whether there is no problem, and a smarthost, and none that takes no mail. */
gboolean check_report_is_good (GVariant *report);
gboolean check_report_has_problems (GVariant *report);

/* On standard output, for people. @verbose: with the transcripts of those that take mail, too. */
void check_report_print (GVariant *report, gboolean verbose);

/* The same of a trial of one server, by a configuration that was CHECK_CONFIGURATION and is to be @place. */
void check_report_print_trial (GVariant *report, const gchar *place);
void check_report_add_json (JsonBuilder *builder, GVariant *report);
