/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/* Answers the Manager's SubmitMessage. @invocation: (transfer full) */
void bus_submit (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters);

/**
 * bus_submit_envelope:
 * @sender: the reverse-path, "" for null
 * @recipients: an array of strings, as
 * @recipients_most: how many there may be
 * @options: a{sv}, see SubmitMessage in the introspection XML
 *
 * Returns: (transfer full): or %NULL with BUS_ERROR_INVALID_ARGUMENT that quotes what is wrong, or BUS_ERROR_LIMIT_EXCEEDED
 */
MessageEnvelope *bus_submit_envelope (const gchar *sender, GVariant *recipients, guint recipients_most,
                                      GVariant *options, GError **error);
