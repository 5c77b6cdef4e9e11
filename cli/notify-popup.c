/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Notifications on the desktop
 *
 * A message to a thousand people that a server refuses makes a thousand events; a person wants to know of one. So events
 * are gathered for a moment, and each kind of them is one notification, which names a few and counts the rest
 * (Desktop Notifications Specification 1.2).
 *
 * Addresses and replies come from anywhere, and the body of a notification has markup: they are escaped for both, so that
 * nobody can paint into it.
 */

#include "notify-popup.h"

#include "postern-text.h"

/* What one failure leads to has come by then, and nobody waits for it. */
#define GATHER_MSEC 1500

/* Lines that a notification shows without being cut. */
#define LINES_MOST 3

#define NAME      "org.freedesktop.Notifications"
#define PATH      "/org/freedesktop/Notifications"
#define N_KINDS   (NOTIFY_STUCK + 1)
#define CALL_MSEC 5000

/* Urgency of the specification. */
#define NORMAL   1
#define CRITICAL 2

typedef struct {
    const gchar *what;
    const gchar *of; /* what is counted */
    const gchar *icon;
    const gchar *category; /* of the specification */
    guint8 urgency;
} Words;

static const Words words[N_KINDS] = {
    [NOTIFY_REFUSED] = {"Mail was refused", "recipients", "mail-mark-junk", "email.bounced", CRITICAL},
    [NOTIFY_EXPIRED] = {"Mail was given up", "recipients", "mail-mark-junk", "email.bounced", CRITICAL},
    [NOTIFY_STUCK] = {"Mail has not gone out yet", "messages", "mail-send", "email", NORMAL},
};

typedef struct {
    guint count;
    gchar *recipient; /* of the first */
    GString *lines;
} Gathered;

struct _NotifyPopup {
    GDBusConnection *session;
    Gathered gathered[N_KINDS];
    guint source; /* 0: there is nothing to show */
};

NotifyPopup *
notify_popup_new (GDBusConnection *session)
{
    NotifyPopup *popup = g_new0 (NotifyPopup, 1);

    popup->session = g_object_ref (session);
    for (guint i = 0; i < N_KINDS; i++)
        popup->gathered[i].lines = g_string_new (NULL);
    return popup;
}

static GVariant *
make_hints (const Words *kind)
{
    g_auto (GVariantBuilder) hints = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

    g_variant_builder_add (&hints, "{sv}", "urgency", g_variant_new_byte (kind->urgency));
    g_variant_builder_add (&hints, "{sv}", "category", g_variant_new_string (kind->category));
    return g_variant_builder_end (&hints);
}

static gchar *
make_summary (const Words *kind, const Gathered *gathered)
{
    if (gathered->count == 1)
        return g_strdup_printf ("%s: %s", kind->what, gathered->recipient);
    return g_strdup_printf ("%s: %u %s", kind->what, gathered->count, kind->of);
}

static void
show (NotifyPopup *popup, const Words *kind, Gathered *gathered)
{
    static const gchar *const no_actions[] = {NULL};
    g_autofree gchar *summary = make_summary (kind, gathered);
    g_autoptr (GVariant) reply = NULL;
    g_autoptr (GError) error = NULL;

    if (gathered->count > LINES_MOST)
        g_string_append_printf (gathered->lines, "and %u more\n", gathered->count - LINES_MOST);
    g_string_append (gathered->lines, "<i>postern trace</i> tells the whole story.");

    reply = g_dbus_connection_call_sync (popup->session, NAME, PATH, NAME, "Notify",
                                         g_variant_new ("(susss^as@a{sv}i)", "Postern", 0, kind->icon, summary,
                                                        gathered->lines->str, no_actions, make_hints (kind), -1),
                                         NULL, G_DBUS_CALL_FLAGS_NONE, CALL_MSEC, NULL, &error);
    if (reply == NULL)
        g_printerr ("postern-notify: the desktop does not show notifications: %s\n", error->message);

    gathered->count = 0;
    g_clear_pointer (&gathered->recipient, g_free);
    g_string_truncate (gathered->lines, 0);
}

static gboolean
on_gathered (gpointer user_data)
{
    NotifyPopup *popup = user_data;

    popup->source = 0;
    for (guint i = 0; i < N_KINDS; i++)
        if (popup->gathered[i].count > 0)
            show (popup, &words[i], &popup->gathered[i]);
    return G_SOURCE_REMOVE;
}

void
notify_popup_free (NotifyPopup *popup)
{
    if (popup == NULL)
        return;

    if (popup->source != 0) {
        g_source_remove (popup->source);
        on_gathered (popup);
    }
    for (guint i = 0; i < N_KINDS; i++)
        g_string_free (popup->gathered[i].lines, TRUE);
    g_object_unref (popup->session);
    g_free (popup);
}

void
notify_popup_add (NotifyPopup *popup, NotifyKind kind, const gchar *recipient, const gchar *reason)
{
    Gathered *gathered = &popup->gathered[kind];
    g_autofree gchar *plain_recipient = text_escape (recipient);
    g_autofree gchar *plain_reason = text_escape (reason);

    if (gathered->count++ == 0)
        gathered->recipient = g_strdup (plain_recipient);
    if (gathered->count <= LINES_MOST) {
        g_autofree gchar *line =
            g_markup_printf_escaped ("%s%s%s\n", plain_recipient, *plain_reason == '\0' ? "" : ": ", plain_reason);

        g_string_append (gathered->lines, line);
    }
    if (popup->source == 0)
        popup->source = g_timeout_add (GATHER_MSEC, on_gathered, popup);
}
