/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gunixfdlist.h>

#include "bus/error.h"
#include "bus/filter.h"
#include "bus/internal.h"

/*
 * A method call that is being answered.
 */

typedef struct _BusCall BusCall;

/* What follows when a question about the caller was answered well. */
typedef void (*BusCallStep) (BusCall *call);

struct _BusCall {
    Bus *bus;
    GDBusMethodInvocation *invocation;
    gint64 uid;        /* of the caller */
    gboolean everyone; /* whether other users' mail may be touched, once that was decided */
    gpointer data;     /* the call's own */

    GDestroyNotify data_free;
    BusCallStep step;
    BusFilter *narrowing;
    gboolean insisting;
};

/**
 * bus_call_new:
 * @invocation: (transfer full): which the gate has let in
 * @data: (transfer full) (nullable): what the call needs, freed with @data_free
 *
 * Returns: (transfer full): which must be ended by one of bus_call_return (), _return_fd (), _fail () and _refuse ()
 */
BusCall *bus_call_new (Bus *bus, GDBusMethodInvocation *invocation, gpointer data, GDestroyNotify data_free);

/* Goes on with @step if the caller is authorized for @action; else the call fails. */
void bus_call_require (BusCall *call, const gchar *action, BusCallStep step);

/**
 * bus_call_narrow:
 * @filter: (nullable): what the caller asked for, and is narrowed to the caller's own mail if there is no
 *   authorization for more; %NULL if only "everyone" of the call is to be decided
 * @insist: the caller asked for other users' mail, so that the call fails without authorization
 * @action: the polkit action that other users' mail needs
 *
 * Decides whose mail the call is about, then goes on with @step. See "Whose mail" in the introspection XML.
 */
void bus_call_narrow (BusCall *call, BusFilter *filter, gboolean insist, const gchar *action, BusCallStep step);

/* Makes the value of a reply, on another thread. @data: what it is made of */
typedef GVariant *(*BusCallMake) (gpointer data);

/* The ends of a call. @value: floating, a tuple; %NULL for none. */
void bus_call_return (BusCall *call, GVariant *value);
void bus_call_return_made (BusCall *call, BusCallMake make, gpointer data, GDestroyNotify made);
void bus_call_return_fd (BusCall *call, int fd); /* (transfer full); as the only argument */
void bus_call_fail (BusCall *call, const GError *error);
void bus_call_refuse_value (BusCall *call, BusErrorCode code, const gchar *value, const gchar *why);
void bus_call_refuse (BusCall *call, BusErrorCode code, const gchar *format, ...) G_GNUC_PRINTF (3, 4);
