/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/connection.h"
#include "delivery/delivery.h"

/* A session that a person asked for, to see whether a smarthost would take mail: as far as MAIL and RSET. */

typedef struct _DeliveryTrial DeliveryTrial;

/* The code of such an error is a DeliveryFailureKind. */
#define DELIVERY_TRIAL_ERROR (delivery_trial_error_quark ())

GQuark delivery_trial_error_quark (void);

/* The trial is over and freed after this. */
typedef void (*DeliveryTrialOver) (DeliveryTrial *trial, gpointer user_data);

/**
 * delivery_trial_new:
 * @sender: reverse-path to try, "" for null
 * @smarthost, @settings: not needed after the call
 * @tested: told the transcript and the error, a DELIVERY_TRIAL_ERROR unless it was broken off
 * @over: called after that
 */
DeliveryTrial *delivery_trial_new (SmtpPoller *poller, SmtpTls *tls, const DeliverySmarthost *smarthost,
                                   const DeliverySettings *settings, const gchar *sender, DeliveryTested tested,
                                   gpointer tested_data, DeliveryTrialOver over, gpointer over_data);

/* Breaks it off; @tested is told. */
void delivery_trial_free (DeliveryTrial *trial);
