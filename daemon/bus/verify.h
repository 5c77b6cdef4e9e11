/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/* The Manager's method Verify. */
void bus_verify (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters);
