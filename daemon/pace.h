/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * How long a client may take for what it is saying: a command, or a message.
 */

typedef struct {
    gint64 began_usec; /* monotonic; when the last command or message was over */
    guint64 bytes;     /* of the message under way */
} Pace;

/* It is the client's turn: something that it said is over, or has never begun. */
void pace_begin (Pace *pace, gint64 now_usec);

/* So much of a message came. */
void pace_add (Pace *pace, gsize bytes);

/* The client could not go on for so long, and not by its own fault. */
void pace_forgive (Pace *pace, gint64 usec);

/* Seconds that are left, at most @patience_seconds, which is what a client has that is silent; 0 if time is up. */
guint pace_left (const Pace *pace, guint patience_seconds, gint64 now_usec);
