/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "aliases.h"
#include "delivery/settings.h"
#include "message/address-map.h"
#include "networks.h"
#include "queue/queue.h"
#include "smtp/tls.h"

/*
 * What the configuration says, whole and checked. It never changes once it is read: a reload makes another one, and
 * sessions go on with the one that they began with.
 */

typedef struct {
    grefcount references;

    /* [Relay] */
    gchar *host_name;             /* in the greeting, EHLO, Received:, Message-ID: */
    gchar *machine_name;          /* (nullable) what the system says that the machine is called, if it was asked */
    gchar *domain;                /* completes bare addresses */
    gchar *parent_domain;         /* (nullable) completes names of hosts without a dot in addresses */
    MessageCompletion completion; /* the two */
    GStrv admin_addresses;        /* (nullable) who gets the mail of local recipients that have no alias */
    GStrv local_domains;          /* (nullable) beside the host's own names */
    guint idle_exit_msec;         /* 0: never */

    /* [Aliases] */
    gchar *aliases_file; /* a path, or CONFIG_NO_FILE */
    Aliases *aliases; /* (nullable) what the file says now: the one thing here that moves; whoever loads gives it */

    /* [Rewrite] */
    gchar *sender;                      /* (nullable) what all senders become that the table does not name */
    gchar *sender_table_file;           /* (nullable) */
    gchar *recipient_table_file;        /* (nullable) */
    MessageAddressMap *sender_table;    /* (nullable) what the files say */
    MessageAddressMap *recipient_table; /* (nullable) */
    GStrv masquerade;                   /* (nullable) domains that hide those below them; "!domain" is left alone */
    GStrv masquerade_except;            /* (nullable) local parts that are not hidden */
    gboolean rewrites_reply_to;
    gboolean sender_from_return_path; /* of sendmail's messages */
    gchar *original_field;            /* (nullable) keeps a From: that was rewritten */

    /* [Server] */
    Networks *trusted;
    guint64 message_longest_bytes; /* 0: no limit */
    guint recipients_most;
    guint sessions_most; /* of all listeners together */
    guint errors_most;
    guint idle_seconds;
    gboolean strict_line_ends; /* over TCP also from those that are trusted */
    gchar *tls_certificate;    /* (nullable) */
    gchar *tls_key;            /* (nullable) */
    SmtpTls *tls;              /* (nullable) made of the two */

    /* [Delivery] */
    gboolean pauses_on_metered;

    /* [Queue] */
    QueueLimits queue;

    /* [Queue], [Delivery], [Smarthost …] */
    DeliverySettings *delivery; /* (nullable) until somebody steals it */

    gchar *written; /* (nullable) all of it as one text, for config_load_written (); until somebody steals it */
} Config;

/* In place of a path. */
#define CONFIG_NO_FILE "none"

/* The default of [Aliases] File=; it alone may be missing. */
#define CONFIG_ALIASES_FILE "/etc/aliases"

#define CONFIG_ERROR (config_error_quark ())

typedef enum {
    CONFIG_ERROR_BAD /* the message has a line for each problem */
} ConfigError;

GQuark config_error_quark (void);

/* Where the configuration is read from. */
typedef struct {
    const gchar *path;               /* of the main file */
    gboolean may_be_missing;         /* no main file is an empty one */
    const gchar *credentials_folder; /* (nullable) $CREDENTIALS_DIRECTORY */
    const gchar *mail_name_file;     /* /etc/mailname */
    const gchar *host_name; /* (nullable) where HostName= is not set; NULL asks the system, which may wait for it */
} ConfigSources;

/**
 * config_load:
 * @warnings: (element-type utf8): a line is added for each thing that works but should not stay so
 *
 * Reads files and secrets, and checks all of it.
 *
 * Returns: (transfer full): or %NULL with a CONFIG_ERROR that names file, group, key and what was expected for each problem, a
 *   line for each
 */
Config *config_load (const ConfigSources *sources, GPtrArray *warnings, GError **error);
Config *config_ref (Config *config);
void config_unref (Config *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Config, config_unref)

/**
 * config_load_written:
 * @path: a file that holds what a configuration was written as
 *
 * The same, of a text that the daemon wrote when it was good. Certificates, keys and secrets are those of now.
 */
Config *config_load_written (const ConfigSources *sources, const gchar *path, GError **error);

/**
 * config_load_holding:
 * @reason: what waiting mail shows
 *
 * What a bad configuration says of taking mail in, as far as it is good, and nothing of what it says of sending it: there
 * is no smarthost and no route, and no mail gets too old.
 *
 * Returns: (transfer full)
 */
Config *config_load_holding (const ConfigSources *sources, const gchar *reason);
