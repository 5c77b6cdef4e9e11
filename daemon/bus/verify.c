/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Verifying the queue
 *
 * The method has all of the store read, which costs the disk a while, and tells ids of everybody's mail: so it needs what
 * it takes to manage other users' mail. The queue does the work; this file passes the report on.
 */

#include "bus/verify.h"

#include "bus/call.h"

static void
add_number (GVariantBuilder *builder, const gchar *key, guint64 number)
{
    g_variant_builder_add (builder, "{sv}", key, g_variant_new_uint64 (number));
}

static GVariant *
report (const QueueVerified *verified)
{
    g_auto (GVariantBuilder) numbers = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{sv}"));
    g_auto (GVariantBuilder) findings = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sss)"));

    add_number (&numbers, "journals", verified->journals);
    add_number (&numbers, "sealed", verified->sealed);
    add_number (&numbers, "records", verified->records);
    add_number (&numbers, "bytes", verified->bytes);
    add_number (&numbers, "messages", verified->messages);
    add_number (&numbers, "damaged", verified->damaged);
    add_number (&numbers, "findings", verified->n_findings);
    for (guint i = 0; i < verified->findings->len; i++) {
        const QueueFinding *finding = g_ptr_array_index (verified->findings, i);
        gchar id[QUEUE_ID_TEXT_BYTES] = "";
        g_autofree gchar *file = finding->file == NULL ? g_strdup ("") : g_utf8_make_valid (finding->file, -1);
        g_autofree gchar *text = g_utf8_make_valid (finding->text, -1);

        if (finding->id != 0)
            queue_id_write (finding->id, id);
        g_variant_builder_add (&findings, "(sss)", id, file, text);
    }

    return g_variant_new ("(a{sv}a(sss))", &numbers, &findings);
}

static void
on_verified (const QueueVerified *verified, const GError *error, gpointer user_data)
{
    BusCall *call = user_data;

    if (verified != NULL)
        bus_call_return (call, report (verified));
    else
        bus_call_refuse (call, BUS_ERROR_FAILED, "%s", error->message);
}

static void
run (BusCall *call)
{
    queue_verify (call->bus->queue, on_verified, call);
}

static void
on_caller (BusCall *call)
{
    bus_call_require (call, BUS_ACTION_MANAGE, run);
}

void
bus_verify (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    on_caller (bus_call_new (bus, invocation, NULL, NULL));
}
