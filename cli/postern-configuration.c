/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The configuration in force
 *
 * A relay whose configuration is bad goes on with the last good one or, if there is none, keeps what it takes in. Whoever
 * looks at the relay has to see that, for everything else may look well.
 */

#include "postern-configuration.h"

#include "postern-properties.h"
#include "postern-text.h"

gboolean
configuration_is_bad (GVariant *properties)
{
    const gchar *in_force = properties_text (properties, "ConfigurationInForce");

    return *in_force != '\0' && !g_str_equal (in_force, "current");
}

gchar *
configuration_in_force (GVariant *properties)
{
    gint64 since_usec = (gint64) properties_number (properties, "ConfigurationSince");
    g_autofree gchar *since = text_time (since_usec, g_get_real_time ());

    if (g_str_equal (properties_text (properties, "ConfigurationInForce"), "earlier"))
        return g_strdup_printf ("the last good one is in force, that of %s", since);

    return g_strdup_printf ("there is no earlier one: mail is taken in, and waits, since %s", since);
}

static void
print_lines (GVariant *properties, const gchar *name, const gchar *label)
{
    g_autoptr (GVariant) lines = g_variant_lookup_value (properties, name, G_VARIANT_TYPE_STRING_ARRAY);
    GVariantIter iter;
    const gchar *line;

    if (lines == NULL)
        return;

    g_variant_iter_init (&iter, lines);
    while (g_variant_iter_next (&iter, "&s", &line)) {
        g_autofree gchar *escaped = text_escape (line);

        g_print ("%s%s\n", label, escaped);
    }
}

void
configuration_print_problems (GVariant *properties, const gchar *indent)
{
    print_lines (properties, "ConfigurationProblems", indent);
}

void
configuration_print_warnings (GVariant *properties, const gchar *label)
{
    print_lines (properties, "ConfigurationWarnings", label);
}

static void
add_json_lines (JsonBuilder *builder, const gchar *member, GVariant *properties, const gchar *name)
{
    g_autoptr (GVariant) lines = g_variant_lookup_value (properties, name, G_VARIANT_TYPE_STRING_ARRAY);
    GVariantIter iter;
    const gchar *line;

    json_builder_set_member_name (builder, member);
    json_builder_begin_array (builder);
    if (lines != NULL) {
        g_variant_iter_init (&iter, lines);
        while (g_variant_iter_next (&iter, "&s", &line))
            json_builder_add_string_value (builder, line);
    }
    json_builder_end_array (builder);
}

void
configuration_add_json (JsonBuilder *builder, GVariant *properties)
{
    json_builder_set_member_name (builder, "configuration");
    json_builder_begin_object (builder);
    json_add_text (builder, "in-force", properties_text (properties, "ConfigurationInForce"));
    json_add_time (builder, "since", properties_number (properties, "ConfigurationSince"));
    add_json_lines (builder, "problems", properties, "ConfigurationProblems");
    add_json_lines (builder, "warnings", properties, "ConfigurationWarnings");
    json_builder_end_object (builder);
}
