/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Properties
 *
 * The relay that answers may be of another version than this command. A property that it does not have is shown as
 * nothing, which is better than refusing to show the others.
 */

#include "postern-properties.h"

const gchar *
properties_text (GVariant *properties, const gchar *name)
{
    const gchar *text = "";

    g_variant_lookup (properties, name, "&s", &text);
    return text;
}

guint64
properties_number (GVariant *properties, const gchar *name)
{
    guint64 number = 0;
    guint32 medium = 0;
    guint16 small = 0;

    if (g_variant_lookup (properties, name, "t", &number))
        return number;
    if (g_variant_lookup (properties, name, "u", &medium))
        return medium;
    g_variant_lookup (properties, name, "q", &small);
    return small;
}

gint64
properties_user (GVariant *properties, const gchar *name)
{
    gint64 user = -1;

    g_variant_lookup (properties, name, "x", &user);
    return user;
}

gboolean
properties_boolean (GVariant *properties, const gchar *name)
{
    gboolean value = FALSE;

    g_variant_lookup (properties, name, "b", &value);
    return value;
}
