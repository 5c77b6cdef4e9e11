/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* The kinds of values that keys have, each with the type of field that it fills in. */
typedef enum {
    KIND_SPAN,       /* guint, seconds */
    KIND_SHORT_SPAN, /* guint, milliseconds */
    KIND_SIZE,       /* guint64, bytes */
    KIND_COUNT,      /* guint */
    KIND_COUNT64,    /* guint64 */
    KIND_RATE,       /* QueueRate */
    KIND_PORT,       /* guint16 */
    KIND_BOOLEAN,    /* gboolean */
    KIND_TEXT,       /* gchar * */
    KIND_DOMAIN,     /* gchar * */
    KIND_HOST,       /* gchar * */
    KIND_PATH,       /* gchar *, of a file that can be read */
    KIND_TABLE,      /* gchar *, of a table, which is read elsewhere */
    KIND_FILE,       /* gchar *, of a file that may come later, or CONFIG_NO_FILE */
    KIND_DOMAINS,    /* GStrv */
    KIND_MAILBOX,    /* gchar *, a canonical address with a domain */
    KIND_MAILBOXES,  /* GStrv, of such */
    KIND_PARENTS,    /* GStrv, of domains, some behind a "!" */
    KIND_WORDS,      /* GStrv */
    KIND_FIELD,      /* gchar *, a name for a header field that has no meaning elsewhere */
    KIND_SECURITY,   /* SmtpSecurity */
    KIND_NETWORKS,   /* Networks * */
    KIND_PATTERNS,   /* DeliveryPatterns * */
    KIND_ACTION,     /* DeliveryRouteAction */
    KIND_NAMES,      /* read elsewhere */
    KIND_SECRET      /* read elsewhere */
} ConfigKind;

/* Of a number; others have none. */
typedef struct {
    guint64 least;
    guint64 most;
} ConfigBounds;

/**
 * config_kind_read:
 * @text: what somebody wrote
 * @field: of the type that @kind says; what it had is freed
 *
 * Returns: (transfer full) (nullable): %NULL if it was read; else what was expected
 */
gchar *config_kind_read (ConfigKind kind, const gchar *text, const ConfigBounds *bounds, gpointer field);
