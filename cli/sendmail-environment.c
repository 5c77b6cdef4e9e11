/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The environment of sendmail
 *
 * Machines that had nullmailer have scripts and units that say by the environment who sends their mail. It is honoured
 * with nullmailer's precedence, with four exceptions: USER and LOGNAME do not outweigh the password database, for no other
 * sendmail lets them, and under sudo they name the wrong one (see sendmail-author.c); HOSTNAME and NAME are not asked,
 * for shells and containers set them for reasons of their own.
 *
 * The flag "s" matters only where the relay wants the sender to be taken from Return-Path, which it drops anyhow.
 */

#include <string.h>

#include "cli/sendmail-environment.h"

/* The first of two variables that says something. */
static const gchar *
look_up (const gchar *first, const gchar *second)
{
    const gchar *value = g_getenv (first);

    if ((value == NULL || *value == '\0') && second != NULL)
        value = g_getenv (second);

    return value != NULL && *value != '\0' ? value : NULL;
}

static SendmailFlags
read_flags (const gchar *letters)
{
    static const struct {
        gchar letter;
        SendmailFlags flag;
    } known[] = {{'c', SENDMAIL_FLAG_COMMENT},
                 {'f', SENDMAIL_FLAG_OWN_FROM},
                 {'i', SENDMAIL_FLAG_OWN_ID},
                 {'s', SENDMAIL_FLAG_NO_RETURN_PATH},
                 {'t', SENDMAIL_FLAG_ADD_TO}};
    SendmailFlags flags = 0;

    for (guint i = 0; letters != NULL && i < G_N_ELEMENTS (known); i++)
        if (strchr (letters, known[i].letter) != NULL)
            flags |= known[i].flag;

    return flags;
}

void
sendmail_environment_read (SendmailEnvironment *environment)
{
    environment->user = look_up ("NULLMAILER_USER", "MAILUSER");
    environment->host = look_up ("NULLMAILER_HOST", "MAILHOST");
    environment->name = look_up ("NULLMAILER_NAME", "MAILNAME");
    environment->nameless =
        environment->name == NULL && (g_getenv ("NULLMAILER_NAME") != NULL || g_getenv ("MAILNAME") != NULL);
    environment->sender_user = look_up ("NULLMAILER_SUSER", NULL);
    environment->sender_host = look_up ("NULLMAILER_SHOST", NULL);
    environment->flags = read_flags (look_up ("NULLMAILER_FLAGS", NULL));
}
