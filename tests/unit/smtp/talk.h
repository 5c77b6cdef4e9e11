/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/client.h"

/*
 * One session of the SMTP client, played from a script by a test. A script has a line for each thing that happens:
 *
 *   S: 220 ready           the server says a line
 *   C: EHLO relay.example  the client sends a line
 *   A: secured             the owner does something: secured, quit, reset, probe, abandon, eof, begin, content TEXT, last TEXT
 *   E: ready               the client tells its owner something; "done but for 2": so many recipients were put off
 *
 * What really happens is written down in the same form, and has to be the same. Lines of the server that follow each
 * other are fed together. In content, "\n" stands for CRLF.
 */

typedef struct {
    SmtpClientParameters parameters;
    const MessageEnvelope *envelope; /* (nullable) begun whenever the client is ready, messages times */
    const gchar *const *pieces;      /* of its content, given when wanted; NULL: by A: */
    guint64 size;                    /* 0: as long as the pieces */
    guint messages;
    gboolean asks_utf8;
    gboolean is_7bit;
    gboolean by_hand; /* transactions are begun by A: */
} TalkSetup;

typedef struct {
    const TalkSetup *setup;
    SmtpClient *client;
    GString *log;
    GString *sent;  /* what the client sent, byte by byte */
    GString *trace; /* as it told it */
    guint begun;
    guint next_piece;
    guint failed;
    gboolean wanted;
    gboolean start_tls; /* the client waits for smtp_client_secured () */
    gboolean secured;
    guint n_results;      /* of the transaction under way */
    guint64 told;         /* which recipients have one, a bit each */
    const gchar *free_at; /* (nullable) the event at which the owner frees the client */
} Talk;

Talk *talk_new (const TalkSetup *setup);
void talk_free (Talk *talk);

/* Feeds a copy of exactly @length bytes. */
void talk_feed (Talk *talk, const gchar *data, gsize length);

/* Tells the client that TLS is up, if that is what it waits for. */
void talk_act_if_owed (Talk *talk);

/* Plays @script once whole, once for each place where what the server says can be split, and once byte by byte. */
void talk_play (const TalkSetup *setup, const gchar *script);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Talk, talk_free)
