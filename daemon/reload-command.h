/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/**
 * reload_command:
 * @bus: "system", "session", or a D-Bus address
 *
 * Has the relay that runs on @bus read its configuration anew, and says on stderr what is wrong with it.
 *
 * Returns: an exit status of sysexits(3): EX_CONFIG if the configuration is bad
 */
int reload_command (const char *bus);
