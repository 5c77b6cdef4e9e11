/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* What a caller says to the relay in SMTP, with the line ends that SMTP has. */
typedef struct _SendmailDialogue SendmailDialogue;

SendmailDialogue *sendmail_dialogue_new (void);
void sendmail_dialogue_free (SendmailDialogue *dialogue);

/**
 * sendmail_dialogue_say:
 * @data: the next bytes of the caller, lines end with LF or CRLF
 * @length: how many
 * @out: where the bytes for the relay are appended
 *
 * Some may be held back until the relay has answered.
 */
void sendmail_dialogue_say (SendmailDialogue *dialogue, const gchar *data, gsize length, GString *out);

/* The next bytes of the relay's, which are looked at only; @out as above. */
void sendmail_dialogue_hear (SendmailDialogue *dialogue, const gchar *data, gsize length, GString *out);

/* The caller has said all: a last line without its end goes out as it is, as soon as nothing is held back. */
void sendmail_dialogue_end (SendmailDialogue *dialogue, GString *out);

/* Whether bytes are held back; until the relay has answered no more are wanted. */
gboolean sendmail_dialogue_is_holding (const SendmailDialogue *dialogue);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailDialogue, sendmail_dialogue_free)
