/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/config-write.h"
#include "cli/postern-client.h"

typedef enum {
    SETUP_STARTED,
    SETUP_LEFT,  /* to the administrator: nothing here can start it */
    SETUP_FAILED /* it should have worked */
} SetupStarted;

/**
 * setup_start:
 * @client: (nullable): the bus, if there is one
 *
 * Puts the configuration that was written into force: enables the sockets and restarts the service where systemd runs, has a
 * relay that runs by hand reload, or tells what to do.
 *
 * Returns: whether a relay takes mail with this configuration now; what failed, or is to be done, was told
 */
SetupStarted setup_start (const ConfigPlaces *places, const Client *client);
