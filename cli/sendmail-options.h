/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/envelope.h"

/* What sendmail is called for. */
typedef enum {
    SENDMAIL_MODE_SUBMIT,  /* -bm, or nothing: a message on standard input */
    SENDMAIL_MODE_SMTP,    /* -bs: SMTP on standard input and output */
    SENDMAIL_MODE_LIST,    /* -bp, mailq: shows the queue */
    SENDMAIL_MODE_RETRY,   /* -q: tries the queue again */
    SENDMAIL_MODE_ALIASES, /* -bi, newaliases: checks the alias file, there is no database to build */
    SENDMAIL_MODE_HELP,    /* --help */
    SENDMAIL_MODE_VERSION  /* --version */
} SendmailMode;

typedef struct {
    SendmailMode mode;
    gboolean recipients_from_header; /* -t */
    gboolean dot_is_content;         /* -i: a line with a dot alone does not end the message */
    gboolean verbose;                /* -v: the dialogue goes to standard error */
    gboolean quiet;                  /* -oeq: the exit status alone tells of an error */
    gboolean body_8bit;              /* -B8BITMIME */
    gchar *sender;                   /* (nullable) -f, -r: as given */
    gchar *full_name;                /* (nullable) -F */
    gchar *envid;                    /* (nullable) -V: in xtext */
    MessageNotify notify;            /* -N */
    MessageReturn ret;               /* -R */
    gchar *configuration;            /* (nullable) -C: counts for SENDMAIL_MODE_ALIASES alone */
    gchar *alias_file;               /* (nullable) -oA: likewise */
    gchar *selection;      /* (nullable) -qI, -qR, -qS: what of the queue is tried, as `postern retry` has it */
    GPtrArray *recipients; /* of strings: the arguments that are no options */
} SendmailOptions;

/**
 * sendmail_options_parse:
 * @argv: the arguments; the name of the program in the first one counts: "mailq" is -bp, "newaliases" is -bi
 *
 * Understands what sendmail, Postfix, Exim and nullmailer have in common, options in one argument or two, clustered
 * or apart, before or behind recipients, up to "--". What is harmless and means nothing here is accepted.
 *
 * Returns: (transfer full): the options; or %NULL with a SENDMAIL_ERROR, EX_USAGE
 */
SendmailOptions *sendmail_options_parse (gint argc, gchar **argv, GError **error);
void sendmail_options_free (SendmailOptions *options);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailOptions, sendmail_options_free)
