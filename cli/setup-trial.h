/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "cli/config-plan.h"

/**
 * setup_try:
 * @plan: with one [Smarthost]
 * @sender: the reverse-path to offer
 *
 * Makes the trial of a configuration that is not written yet: logs in to its smarthost.
 *
 * Returns: (transfer full): a report, see check-report.h; or %NULL if no trial could be made
 */
GVariant *setup_try (const ConfigPlan *plan, const gchar *sender, GError **error);
