/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Filters
 *
 * A filter arrives as a dictionary and leaves as the queue's structure. It decides what gets deleted, so nothing in
 * it is guessed: an unknown key, a wrong type, or a value that the queue would take for "any" (a time of 0, an empty
 * list of ids) must never widen what was meant.
 */

#include "bus/filter.h"

#include "bus/error.h"
#include "message/address.h"

typedef gboolean (*ReadValue) (BusFilter *filter, GVariant *value, GError **error);

static void
refuse_value (const gchar *value, const gchar *why, GError **error)
{
    g_autofree gchar *quoted = bus_error_quote (value);

    g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER, "“%s” %s", quoted, why);
}

static gboolean
read_ids (BusFilter *filter, GVariant *value, GError **error)
{
    gsize count = g_variant_n_children (value);

    if (count > BUS_FILTER_IDS_MOST) {
        g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER,
                     "“ids” names %" G_GSIZE_FORMAT " messages, at most %u at a time", count, BUS_FILTER_IDS_MOST);
        return FALSE;
    }

    g_clear_pointer (&filter->ids, g_array_unref);
    filter->ids = g_array_sized_new (FALSE, FALSE, sizeof (QueueId), (guint) count);

    for (gsize i = 0; i < count; i++) {
        const gchar *text = NULL;
        QueueId id;

        g_variant_get_child (value, i, "&s", &text);
        id = queue_id_read (text);
        if (id == 0) {
            refuse_value (text, "is not a queue id", error);
            return FALSE;
        }
        g_array_append_val (filter->ids, id);
    }

    filter->matches_none = count == 0;
    return TRUE;
}

static gboolean
read_state (BusFilter *filter, GVariant *value, GError **error)
{
    const gchar *name = g_variant_get_string (value, NULL);
    QueueState state;

    if (!queue_state_from_name (name, &state)) {
        refuse_value (name, "is not a state: queued, delivering, deferred or held", error);
        return FALSE;
    }

    filter->queue.state = (gint) state;
    return TRUE;
}

static gboolean
read_address (const gchar *key, const gchar *text, MessagePathFlags flags, gchar **address, GError **error)
{
    g_autoptr (GError) cause = NULL;

    g_clear_pointer (address, g_free);
    if (*text == '\0' && (flags & MESSAGE_PATH_NULL) != 0)
        *address = g_strdup ("");
    else
        *address = message_address_parse (text, flags | MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, &cause);
    if (*address != NULL)
        return TRUE;

    g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER, "“%s” is no address: %s", key, cause->message);
    return FALSE;
}

static gboolean
read_sender (BusFilter *filter, GVariant *value, GError **error)
{
    return read_address ("sender", g_variant_get_string (value, NULL), MESSAGE_PATH_NULL, &filter->sender, error);
}

static gboolean
read_recipient (BusFilter *filter, GVariant *value, GError **error)
{
    return read_address ("recipient", g_variant_get_string (value, NULL), MESSAGE_PATH_DEFAULT, &filter->recipient,
                         error);
}

/* The canonical form of a domain is what an address with it has. */
static gboolean
read_domain (BusFilter *filter, GVariant *value, GError **error)
{
    const gchar *domain = g_variant_get_string (value, NULL);
    g_autofree gchar *text = g_strconcat ("x@", domain, NULL);
    g_autofree gchar *address = message_address_parse (text, MESSAGE_PATH_UTF8, NULL);
    const gchar *canonical = address == NULL ? NULL : message_address_domain (address);

    /* An "@" in it would have moved to the local part. */
    if (canonical == NULL || canonical != address + 2) {
        refuse_value (domain, "is not a domain", error);
        return FALSE;
    }

    g_free (filter->domain);
    filter->domain = g_strdup (canonical);
    return TRUE;
}

static gboolean
read_remote (BusFilter *filter, GVariant *value, GError **error)
{
    g_free (filter->remote);
    filter->remote = g_variant_dup_string (value, NULL);
    return TRUE;
}

static gboolean
read_user (BusFilter *filter, GVariant *value, GError **error)
{
    guint32 uid = g_variant_get_uint32 (value);

    if (uid == G_MAXUINT32) { /* (uid_t) -1 is nobody's */
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER, "“user” is not a user id");
        return FALSE;
    }

    filter->queue.uid = uid;
    return TRUE;
}

static gboolean
read_before (BusFilter *filter, GVariant *value, GError **error)
{
    guint64 usec = g_variant_get_uint64 (value);

    if (usec == 0 || usec > G_MAXINT64) {
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER,
                             "“before” is not a time in microseconds since the epoch");
        return FALSE;
    }

    filter->queue.before_usec = (gint64) usec;
    return TRUE;
}

static gboolean
read_everyone (BusFilter *filter, GVariant *value, GError **error)
{
    filter->everyone = g_variant_get_boolean (value);
    return TRUE;
}

static const struct {
    const gchar *key;
    const gchar *type;
    ReadValue read;
} keys[] = {
    {"ids", "as", read_ids},          {"state", "s", read_state},
    {"sender", "s", read_sender},     {"recipient", "s", read_recipient},
    {"domain", "s", read_domain},     {"remote", "s", read_remote},
    {"user", "u", read_user},         {"before", "t", read_before},
    {"everyone", "b", read_everyone},
};

static gboolean
read_entry (BusFilter *filter, const gchar *key, GVariant *value, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
        if (!g_str_equal (keys[i].key, key))
            continue;
        if (g_variant_is_of_type (value, G_VARIANT_TYPE (keys[i].type)))
            return keys[i].read (filter, value, error);
        g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_FILTER, "“%s” of a filter must have the type %s, not %s",
                     key, keys[i].type, g_variant_get_type_string (value));
        return FALSE;
    }

    refuse_value (key, "is not a key of a filter", error);
    return FALSE;
}

static BusFilter *
filter_new (void)
{
    BusFilter *filter = g_new0 (BusFilter, 1);

    filter->queue = QUEUE_FILTER_ALL;
    return filter;
}

static void
point_into (BusFilter *filter)
{
    if (filter->ids != NULL) {
        filter->queue.ids = (const QueueId *) filter->ids->data;
        filter->queue.n_ids = filter->ids->len;
    }
    filter->queue.sender = filter->sender;
    filter->queue.recipient = filter->recipient;
    filter->queue.domain = filter->domain;
    filter->queue.remote = filter->remote;
}

BusFilter *
bus_filter_new (GVariant *dictionary, GError **error)
{
    g_autoptr (BusFilter) filter = filter_new ();
    GVariantIter iter;
    const gchar *key;
    GVariant *value;

    g_variant_iter_init (&iter, dictionary);
    while (g_variant_iter_loop (&iter, "{&sv}", &key, &value)) {
        if (!read_entry (filter, key, value, error)) {
            g_variant_unref (value);
            return NULL;
        }
    }

    point_into (filter);
    return g_steal_pointer (&filter);
}

BusFilter *
bus_filter_new_id (QueueId id)
{
    BusFilter *filter = filter_new ();

    filter->ids = g_array_new (FALSE, FALSE, sizeof (QueueId));
    g_array_append_val (filter->ids, id);
    point_into (filter);
    return filter;
}

void
bus_filter_free (BusFilter *filter)
{
    if (filter == NULL)
        return;

    g_clear_pointer (&filter->ids, g_array_unref);
    g_free (filter->sender);
    g_free (filter->recipient);
    g_free (filter->domain);
    g_free (filter->remote);
    g_free (filter);
}

gboolean
bus_filter_ids_belong_to (const BusFilter *filter, Queue *queue, gint64 uid)
{
    if (filter->ids == NULL)
        return TRUE;

    for (guint i = 0; i < filter->ids->len; i++) {
        gint64 owner;

        if (queue_owner (queue, g_array_index (filter->ids, QueueId, i), &owner) && owner != uid)
            return FALSE;
    }
    return TRUE;
}
