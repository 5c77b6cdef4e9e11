/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <sysexits.h>

/**
 * SENDMAIL_ERROR:
 *
 * The domain of what sendmail fails with. The code is the exit status, one of sysexits(3); the message is the line
 * that the caller sees.
 */
#define SENDMAIL_ERROR (sendmail_error_quark ())

GQuark sendmail_error_quark (void);
