/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-client.h"

/* What smarthosts that are down say when somebody lets them be asked again. */
typedef struct _Asked Asked;

/* Before they are asked. Returns: (nullable): %NULL if none is down */
Asked *asked_begin (const Client *client);

/* Waits for their answers, though not for long, and prints a line for each. */
void asked_tell (Asked *asked);

void asked_free (Asked *asked);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Asked, asked_free)
