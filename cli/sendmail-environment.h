/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* NULLMAILER_FLAGS */
typedef enum {
    SENDMAIL_FLAG_COMMENT = 1 << 0,       /* c: a From that is added is "address (name)" */
    SENDMAIL_FLAG_OWN_FROM = 1 << 1,      /* f: From fields are removed, and one is always added */
    SENDMAIL_FLAG_OWN_ID = 1 << 2,        /* i: Message-ID fields are removed */
    SENDMAIL_FLAG_ADD_TO = 1 << 3,        /* t: without To and Cc the recipients are put into a To */
    SENDMAIL_FLAG_NO_RETURN_PATH = 1 << 4 /* s: Return-Path fields say nothing of the sender */
} SendmailFlags;

/* What the environment says of the author. Strings belong to the environment. */
typedef struct {
    const gchar *user;        /* (nullable) */
    const gchar *host;        /* (nullable) */
    gboolean nameless;        /* it says that the author has no name */
    const gchar *name;        /* (nullable) the full name */
    const gchar *sender_user; /* (nullable) of the envelope's sender alone */
    const gchar *sender_host; /* (nullable) */
    SendmailFlags flags;
} SendmailEnvironment;

/* Reads the variables that nullmailer has. One that is empty is as if it were not set. */
void sendmail_environment_read (SendmailEnvironment *environment);
