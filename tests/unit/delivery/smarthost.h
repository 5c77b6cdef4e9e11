/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

/* A smarthost on a port of the loopback, in the test's own main loop, that does what the test tells it to. */

typedef struct _Smarthost Smarthost;

/* Instead of a reply: */
#define SMARTHOST_DROP   "drop"   /* hang up */
#define SMARTHOST_SILENT "silent" /* never answer this */

typedef struct {
    gchar *sender;         /* the whole argument of MAIL */
    GPtrArray *recipients; /* whole arguments of RCPT, of those that were accepted */
    GString *content;      /* without the dots of transparency */
    guint connection;      /* which one, from 1 */
} SmarthostMessage;

/* Up at once. @extensions: (nullable): lines of the reply to EHLO, separated by "\n". */
Smarthost *smarthost_new (const gchar *extensions);
void smarthost_free (Smarthost *smarthost);
guint16 smarthost_port (const Smarthost *smarthost);

/**
 * smarthost_on:
 * @verb: a command's, or CONNECT (instead of the greeting), or END (of the content), or TAKEN (after the reply to END)
 * @match: (nullable): what the command must contain
 * @times: how often; 0: always
 * @reply: without CRLF, or SMARTHOST_DROP, or SMARTHOST_SILENT. After 421 it hangs up.
 */
void smarthost_on (Smarthost *smarthost, const gchar *verb, const gchar *match, guint times, const gchar *reply);

/* From now on takes no more recipients in one transaction than this, and refuses the others with @reply. */
void smarthost_limit_recipients (Smarthost *smarthost, guint most, const gchar *reply);

/* Forgets all that was told by smarthost_on (). */
void smarthost_behave (Smarthost *smarthost);

/* Refuses connections and hangs up on those it has; its port stays its own. */
void smarthost_stop (Smarthost *smarthost);
void smarthost_start (Smarthost *smarthost);

/* Hangs up on all sessions. */
void smarthost_hang_up (Smarthost *smarthost);

guint smarthost_messages (const Smarthost *smarthost);
const SmarthostMessage *smarthost_message (const Smarthost *smarthost, guint index);
guint smarthost_connections (const Smarthost *smarthost); /* so far */
guint smarthost_open (const Smarthost *smarthost);        /* now */
guint smarthost_most_open (const Smarthost *smarthost);   /* at the same time */

/* How often a command came; or CONNECT, END. */
guint smarthost_count (const Smarthost *smarthost, const gchar *verb);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Smarthost, smarthost_free)
