/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "log-event.h"

/*
 * What the log is told of those who are refused: each refusal, unless somebody is refused too often for that.
 */

typedef struct _Refusals Refusals;

Refusals *refusals_new (void);

/* Tells what is still to be told. */
void refusals_free (Refusals *refusals);

void refusals_tell (Refusals *refusals, const LogRefusal *refusal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Refusals, refusals_free)
