/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Submitting over the bus
 *
 * The envelope comes as arguments and is checked here; the content comes as a descriptor, which is handed on unread:
 * the relay reads it as it reads every local submission, with the same limits and the same completion of header and
 * addresses. The call is answered when the message is durable.
 */

#include "bus/submit.h"

#include <string.h>

#include "bus/baggage.h"
#include "bus/call.h"
#include "bus/callers.h"
#include "message/address.h"

/* More than any list of distinct words has, with spaces. A text of megabytes would take its time to be split. */
#define NOTIFY_LONGEST_BYTES 100

typedef struct {
    MessageEnvelope *envelope;
    BusCaller *caller; /* (nullable) it is not handed on */
} Submission;

typedef struct {
    MessageEnvelope *envelope;
    MessageNotify notify; /* for all recipients */
} Draft;

static gboolean
refuse_value (const gchar *key, const gchar *value, const gchar *expected, GError **error)
{
    g_autofree gchar *quoted = bus_error_quote (value);

    g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "“%s” is not a value of “%s”: %s", quoted, key,
                 expected);
    return FALSE;
}

static gboolean
read_notify_word (const gchar *word, MessageNotify *notify)
{
    static const struct {
        const gchar *word;
        MessageNotify notify;
    } words[] = {
        {"never", MESSAGE_NOTIFY_NEVER},
        {"success", MESSAGE_NOTIFY_SUCCESS},
        {"failure", MESSAGE_NOTIFY_FAILURE},
        {"delay", MESSAGE_NOTIFY_DELAY},
    };

    for (guint i = 0; i < G_N_ELEMENTS (words); i++) {
        if (g_str_equal (words[i].word, word)) {
            *notify |= words[i].notify;
            return TRUE;
        }
    }
    return FALSE;
}

/* RFC 3461 4.1: "never" stands alone. */
static gboolean
read_notify (Draft *draft, GVariant *value, GError **error)
{
    const gchar *text = g_variant_get_string (value, NULL);
    gboolean known = *text != '\0' && strlen (text) <= NOTIFY_LONGEST_BYTES;
    g_auto (GStrv) words = known ? g_strsplit (text, ",", -1) : NULL;
    MessageNotify notify = 0;

    for (guint i = 0; known && words[i] != NULL; i++)
        known = read_notify_word (g_strstrip (words[i]), &notify) && known;
    if (!known || ((notify & MESSAGE_NOTIFY_NEVER) != 0 && notify != MESSAGE_NOTIFY_NEVER))
        return refuse_value ("notify", text, "“never”, or some of “success”, “failure”, “delay” with commas", error);

    draft->notify = notify;
    return TRUE;
}

static gboolean
read_return (Draft *draft, GVariant *value, GError **error)
{
    const gchar *text = g_variant_get_string (value, NULL);

    if (g_str_equal (text, "full"))
        draft->envelope->ret = MESSAGE_RETURN_FULL;
    else if (g_str_equal (text, "headers"))
        draft->envelope->ret = MESSAGE_RETURN_HEADERS;
    else
        return refuse_value ("return", text, "“full” or “headers”", error);
    return TRUE;
}

static gboolean
read_envelope_id (Draft *draft, GVariant *value, GError **error)
{
    const gchar *text = g_variant_get_string (value, NULL);
    gsize length = strlen (text);

    for (const gchar *c = text; *c != '\0'; c++) {
        if (!g_ascii_isprint (*c))
            length = 0;
    }
    if (length == 0 || length > MESSAGE_ENVELOPE_ID_LONGEST_BYTES)
        return refuse_value ("envelope-id", text, "1 to 100 printable ASCII characters", error);

    g_free (draft->envelope->envid);
    draft->envelope->envid = g_strdup (text);
    return TRUE;
}

static gboolean
read_smtputf8 (Draft *draft, GVariant *value, GError **error)
{
    draft->envelope->smtputf8 = g_variant_get_boolean (value);
    return TRUE;
}

static gboolean
read_body (Draft *draft, GVariant *value, GError **error)
{
    const gchar *text = g_variant_get_string (value, NULL);

    if (g_str_equal (text, "7bit"))
        draft->envelope->body = MESSAGE_BODY_7BIT;
    else if (g_str_equal (text, "8bitmime"))
        draft->envelope->body = MESSAGE_BODY_8BITMIME;
    else
        return refuse_value ("body", text, "“7bit” or “8bitmime”", error);
    return TRUE;
}

static const struct {
    const gchar *key;
    const gchar *type;
    gboolean (*read) (Draft *draft, GVariant *value, GError **error);
} option_keys[] = {
    {"notify", "s", read_notify},     {"return", "s", read_return}, {"envelope-id", "s", read_envelope_id},
    {"smtputf8", "b", read_smtputf8}, {"body", "s", read_body},
};

static gboolean
read_option (Draft *draft, const gchar *key, GVariant *value, GError **error)
{
    g_autofree gchar *quoted = NULL;

    for (guint i = 0; i < G_N_ELEMENTS (option_keys); i++) {
        if (!g_str_equal (option_keys[i].key, key))
            continue;
        if (g_variant_is_of_type (value, G_VARIANT_TYPE (option_keys[i].type)))
            return option_keys[i].read (draft, value, error);
        g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "the option “%s” must have the type %s, not %s",
                     key, option_keys[i].type, g_variant_get_type_string (value));
        return FALSE;
    }

    quoted = bus_error_quote (key);
    g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "there is no option “%s”", quoted);
    return FALSE;
}

static gboolean
read_options (Draft *draft, GVariant *options, GError **error)
{
    GVariantIter iter;
    const gchar *key;
    GVariant *value;

    g_variant_iter_init (&iter, options);
    while (g_variant_iter_loop (&iter, "{&sv}", &key, &value)) {
        if (!read_option (draft, key, value, error)) {
            g_variant_unref (value);
            return FALSE;
        }
    }
    return TRUE;
}

static gchar *
read_address (const gchar *text, const gchar *role, MessagePathFlags flags, GError **error)
{
    g_autoptr (GError) cause = NULL;
    gchar *address = message_address_parse (text, flags | MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, &cause);

    if (address == NULL)
        g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "the %s is no address: %s", role, cause->message);
    return address;
}

static gboolean
add_recipients (Draft *draft, GVariant *recipients, guint most, GError **error)
{
    gsize count = g_variant_n_children (recipients);

    if (count == 0) {
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "there is no recipient");
        return FALSE;
    }
    /* Before each of them costs something. */
    if (count > most) {
        g_set_error (error, BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED,
                     "the message is for %" G_GSIZE_FORMAT " recipients, and one message has at most %u here "
                     "(MaxRecipients=); submit it once for each part of them",
                     count, most);
        return FALSE;
    }

    for (gsize i = 0; i < count; i++) {
        g_autofree gchar *address = NULL;
        const gchar *text = NULL;

        g_variant_get_child (recipients, i, "&s", &text);
        address = read_address (text, "recipient", MESSAGE_PATH_DEFAULT, error);
        if (address == NULL)
            return FALSE;
        message_envelope_add (draft->envelope, address)->notify = draft->notify;
    }
    return TRUE;
}

MessageEnvelope *
bus_submit_envelope (const gchar *sender, GVariant *recipients, guint recipients_most, GVariant *options,
                     GError **error)
{
    g_autofree gchar *reverse_path = NULL;
    g_autoptr (MessageEnvelope) envelope = NULL;
    Draft draft = {0};

    if (*sender == '\0')
        reverse_path = g_strdup ("");
    else
        reverse_path = read_address (sender, "sender", MESSAGE_PATH_NULL, error);
    if (reverse_path == NULL)
        return NULL;

    envelope = message_envelope_new (reverse_path);
    draft.envelope = envelope;
    if (!read_options (&draft, options, error) || !add_recipients (&draft, recipients, recipients_most, error))
        return NULL;
    return g_steal_pointer (&envelope);
}

static void
submission_free (gpointer data)
{
    Submission *submission = data;

    g_clear_pointer (&submission->envelope, message_envelope_free);
    g_clear_pointer (&submission->caller, bus_caller_free);
    g_free (submission);
}

static void
on_submitted (QueueId id, const GError *error, gpointer user_data)
{
    BusCall *call = user_data;
    gchar text[QUEUE_ID_TEXT_BYTES];

    if (id == 0) {
        bus_call_fail (call, error);
        return;
    }

    queue_id_write (id, text);
    bus_call_return (call, g_variant_new ("(s)", text));
}

void
bus_submit (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    Submission *submission = g_new0 (Submission, 1);
    BusCall *call = bus_call_new (bus, invocation, submission, submission_free);
    g_autoptr (GVariant) recipients = NULL;
    g_autoptr (GVariant) options = NULL;
    g_autoptr (GError) error = NULL;
    BusSubmission handed_on = {.uid = call->uid};
    const gchar *sender;
    gint handle;

    g_variant_get (parameters, "(h&s@as@a{sv})", &handle, &sender, &recipients, &options);
    submission->envelope =
        bus_submit_envelope (sender, recipients, bus->handlers.recipients_most (bus->user_data), options, &error);
    handed_on.fd = submission->envelope != NULL
                       ? bus_baggage_take (g_dbus_method_invocation_get_message (invocation), handle, &error)
                       : -1;
    if (handed_on.fd < 0) {
        bus_call_fail (call, error);
        return;
    }

    submission->caller = bus_caller_new (bus->callers, g_dbus_method_invocation_get_sender (invocation));
    handed_on.envelope = submission->envelope;
    handed_on.caller = submission->caller;
    bus->handlers.submit (&handed_on, on_submitted, call, bus->user_data);
}
