/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"
#include "smtp/poller.h"

/* What an administrator wants to know after a change: is the configuration good, and would its smarthosts take mail? */

typedef struct _Check Check;

/*
 * The report: problems, warnings, and a row for each smarthost. If there are problems, there are no rows.
 *
 * The fields of a row: name, host, port, TLS= as the configuration has it, user ("" without a login), fault, error and
 * transcript. The fault is "" if the smarthost takes mail, "untried", or the kind of failure: "lookup", "connect", "tls", "login",
 * "refused", "closed", "timeout", "protocol", or "local" for trouble of this machine.
 */
#define CHECK_REPORT_TYPE "(asasa(ssqsssss))"

/* @report: (nullable): %NULL if the check was broken off by check_free () */
typedef void (*CheckDone) (GVariant *report, gpointer user_data);

/**
 * check_new:
 * @sources: not needed after the call
 * @connect: whether smarthosts are tried, or the configuration is only read
 * @sender: reverse-path to offer; "" for the smarthost's user if that is an address, else for null
 * @done: called once, from the main loop, and the check is freed after it
 */
Check *check_new (SmtpPoller *poller, const ConfigSources *sources, gboolean connect, const gchar *sender,
                  CheckDone done, gpointer user_data);

/* Breaks it off. */
void check_free (Check *check);
