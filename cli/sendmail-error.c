/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What sendmail fails with
 *
 * Programs that call sendmail look at its exit status, people at the line on standard error. Both are decided where
 * something goes wrong, for only there is it known what it was about: so the error carries them to the end.
 */

#include "cli/sendmail-error.h"

G_DEFINE_QUARK (sendmail - error - quark, sendmail_error)
