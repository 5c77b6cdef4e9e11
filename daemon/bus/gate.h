/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/wait.h"

/*
 * Where calls come in.
 */

/**
 * bus_gate_admit:
 * @invocation: (transfer full)
 * @about_mail: it is answered for the whole queue, or not yet
 * @answer: called once it is known who calls, and that the caller may have one more call under way
 *
 * A call that may not come in is refused.
 */
void bus_gate_admit (Bus *bus, GDBusMethodInvocation *invocation, gboolean about_mail, BusAnswer answer);

/* The user who calls, of an @invocation that was let in. */
gint64 bus_gate_uid (GDBusMethodInvocation *invocation);
