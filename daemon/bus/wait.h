/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * Calls about mail that the queue has not read yet since its start.
 */

/* Begins to answer a call. @invocation: (transfer full) */
typedef void (*BusAnswer) (Bus *bus, GDBusMethodInvocation *invocation);

/**
 * bus_wait_for_queue:
 * @answer: called once the queue knows all of its mail
 *
 * Returns: %TRUE if @invocation (transfer full) waits; %FALSE if there is nothing to wait for
 */
gboolean bus_wait_for_queue (Bus *bus, GDBusMethodInvocation *invocation, BusAnswer answer);

/* The queue may know its mail by now, or have no prospect of that: lets the calls go on, or refuses them. */
void bus_wait_look (Bus *bus);

/* The bus is closed: refuses them. */
void bus_wait_end (Bus *bus);
