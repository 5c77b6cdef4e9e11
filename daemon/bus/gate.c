/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The gate
 *
 * A call that is not answered yet costs us memory, and its caller nothing. How many one user may have under way is a share of
 * how many there may be, and large ones count for more. The share is given back when the call is answered, whatever it was
 * about and whoever answers it.
 *
 * Before a share can be taken it must be known whose. The bus tells that within a moment, and again costs nothing to keep busy:
 * so in that moment it is the names of connections that have a share each. A user cannot have more connections than the bus
 * allows (256, by its defaults), and what is kept for those who have little is more than what so many can take of it; so
 * nobody's first call is refused for somebody else's many.
 */

#include "bus/gate.h"

#include "bus/error.h"

#define KEY "postern-gate"

/* What a call takes beside its arguments. */
#define CALL_BYTES 4096

typedef struct {
    Bus *bus;
    GDBusMethodInvocation *invocation; /* which owns this */
    gint64 uid;                        /* -1: not known yet */
    BudgetShare *share;                /* (nullable) of the connection's name, then of the user */
    guint64 amount;
    gboolean about_mail;
    BusAnswer answer;
} Admission;

/* A GDestroyNotify: the call was answered. */
static void
admission_free (gpointer data)
{
    Admission *self = data;
    Bus *bus = self->bus;

    if (self->share != NULL)
        budget_give_back (self->share, self->amount);
    g_free (self);
    bus->calls_pending--;
    bus_call_ended (bus);
    bus_unref (bus);
}

static Admission *
admission_of (GDBusMethodInvocation *invocation)
{
    return g_object_get_data (G_OBJECT (invocation), KEY);
}

static void
refuse (Admission *self, const gchar *text)
{
    bus_error_return (self->invocation, BUS_ERROR_LIMIT_EXCEEDED, "%s", text);
}

static gboolean
take_share (Admission *self, Budget *budget, const BudgetOwner *owner)
{
    switch (budget_take (budget, owner, self->amount, &self->share)) {
    case BUDGET_TAKEN:
        return TRUE;
    case BUDGET_OWNER_HAS_MOST:
        refuse (self, "you have too many calls to the relay under way; wait for the answers to some of them");
        return FALSE;
    case BUDGET_ALL_TAKEN:
        break;
    }
    refuse (self, "the relay has too many calls under way; try again later");
    return FALSE;
}

/* A BusAnswer */
static void
let_in (Bus *bus, GDBusMethodInvocation *invocation)
{
    Admission *self = admission_of (invocation);

    if (!self->about_mail || !bus_wait_for_queue (bus, invocation, let_in))
        self->answer (bus, invocation);
}

/* A BusIdentified */
static void
on_identified (gint64 uid, const GError *error, gpointer user_data)
{
    Admission *self = user_data;
    const BudgetOwner owner = budget_user (uid);

    if (self->share != NULL)
        budget_give_back (g_steal_pointer (&self->share), self->amount);
    self->uid = uid;

    if (error != NULL)
        bus_error_return (self->invocation, BUS_ERROR_NOT_AUTHORIZED, "the bus does not tell who calls: %s",
                          error->message);
    else if (self->bus->closed)
        bus_error_return (self->invocation, BUS_ERROR_FAILED, "the relay is stopping");
    else if (take_share (self, self->bus->calls, &owner))
        let_in (self->bus, self->invocation);
}

static void
identify (Admission *self)
{
    const gchar *sender = g_dbus_method_invocation_get_sender (self->invocation);
    const BudgetOwner stranger = budget_name (sender);

    if (bus_authorization_knows (self->bus->authorization, sender) ||
        take_share (self, self->bus->strangers, &stranger))
        bus_authorization_identify (self->bus->authorization, sender, on_identified, self);
}

void
bus_gate_admit (Bus *bus, GDBusMethodInvocation *invocation, gboolean about_mail, BusAnswer answer)
{
    gsize bytes = g_variant_get_size (g_dbus_method_invocation_get_parameters (invocation));
    Admission *self = g_new0 (Admission, 1);

    self->bus = bus_ref (bus);
    self->invocation = invocation;
    self->uid = -1;
    self->amount = 1 + bytes / CALL_BYTES;
    self->about_mail = about_mail;
    self->answer = answer;
    bus->calls_pending++;
    g_object_set_data_full (G_OBJECT (invocation), KEY, self, admission_free);
    identify (self);
}

gint64
bus_gate_uid (GDBusMethodInvocation *invocation)
{
    return admission_of (invocation)->uid;
}
