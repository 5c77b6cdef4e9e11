/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/* The Manager's method Check. */
void bus_check (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters);
