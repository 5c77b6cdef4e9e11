/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The kinds of value that the configuration knows, each read strictly: what is not wholly of its kind is refused.
 */

/* A whole number in decimal digits. */
gboolean config_value_number (const gchar *text, guint64 *number);

/* A number of bytes, with K, M, G or T for powers of 1024. */
gboolean config_value_size (const gchar *text, guint64 *bytes);

/* A span of time in whole seconds: "90", "30s", "1h 30min", "5d". */
gboolean config_value_span (const gchar *text, guint64 *seconds);

/* The same in milliseconds; a part of a second is "500ms". */
gboolean config_value_short_span (const gchar *text, guint64 *msec);

/* A number and a span, "100/1h": @most things in @seconds; "0" is no limit. */
gboolean config_value_rate (const gchar *text, guint *most, guint *seconds);

/* yes, no, true, false, 1, 0 in any case. */
gboolean config_value_boolean (const gchar *text, gboolean *value);

/**
 * config_value_domain:
 *
 * Returns: (transfer full) (nullable): the domain name (RFC 5321 2.3.5) in lower case, internationalised names in their ASCII form;
 *   %NULL if @text is none. An IP address is none.
 */
gchar *config_value_domain (const gchar *text);

/* Returns: (transfer full) (nullable): the same for a domain name or an IP address, which may stand in brackets. */
gchar *config_value_host (const gchar *text);

/**
 * config_value_explain_host:
 * @key: what @text was written for
 *
 * What was probably meant by something that is no host name: a URL, a name with a port, an address, several names.
 *
 * Returns: (transfer full) (nullable): what was expected, without what could be a secret
 */
gchar *config_value_explain_host (const gchar *key, const gchar *text);

/**
 * config_value_nearest:
 * @text: what somebody wrote
 * @candidates: (array zero-terminated=1): what could have been meant
 *
 * Returns: (nullable): the candidate that @text is most likely a slip of; %NULL if it is like none of them
 */
const gchar *config_value_nearest (const gchar *text, const gchar *const *candidates);
