/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/call.h"

/**
 * bus_act:
 * @call: (transfer full): a call whose caller is not identified yet, without data
 * @filter: (transfer full): which messages
 * @counted: whether the reply is the number of messages; else it is empty
 *
 * Does @action on the messages that the caller may touch, and answers the call.
 */
void bus_act (BusCall *call, QueueAction action, BusFilter *filter, gboolean counted);

/* The same for giving up with the words that the caller says; refuses what the senders could not be told. */
void bus_give_up (BusCall *call, const gchar *reason, BusFilter *filter, gboolean counted);

/* The same for giving pending recipients the address that the caller says; refuses what is none. */
void bus_redirect (BusCall *call, const gchar *address, BusFilter *filter, gboolean counted);
