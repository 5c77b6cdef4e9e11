/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Choosing messages
 *
 * The options of list, retry, hold, release and delete that say which messages, as the filter of the D-Bus interface.
 * What a value may be the relay knows best, and says in words; here only what the person writes differently is
 * translated: names of users, and ages.
 */

#include "postern-filter.h"

#include <pwd.h>

#include "postern-text.h"

void
filter_options_clear (FilterOptions *options)
{
    g_free (options->state);
    g_free (options->sender);
    g_free (options->recipient);
    g_free (options->domain);
    g_free (options->remote);
    g_free (options->user);
    g_free (options->older);
}

void
filter_options_add (FilterOptions *options, CommandLine *line)
{
    const GOptionEntry entries[] = {
        {"state", 's', 0, G_OPTION_ARG_STRING, &options->state, "In this state: queued, delivering, deferred, held",
         "STATE"},
        {"sender", 'f', 0, G_OPTION_ARG_STRING, &options->sender, "From this envelope sender; \"\" is the null one",
         "ADDRESS"},
        {"recipient", 't', 0, G_OPTION_ARG_STRING, &options->recipient, "To this recipient, still pending",
         "ADDRESS"},
        {"domain", 'd', 0, G_OPTION_ARG_STRING, &options->domain, "To a recipient in this domain, still pending",
         "DOMAIN"},
        {"remote", 'r', 0, G_OPTION_ARG_STRING, &options->remote, "Last tried at this smarthost", "NAME"},
        {"user", 'u', 0, G_OPTION_ARG_STRING, &options->user, "Submitted by this user, a name or a number", "USER"},
        {"older", 'o', 0, G_OPTION_ARG_STRING, &options->older, "Older than this, as 30min, 4h or 2d", "SPAN"},
        {"everyone", 0, 0, G_OPTION_ARG_NONE, &options->everyone, "Other users' mail too; may ask for a password",
         NULL},
        {NULL},
    };

    command_line_add (line, entries, FALSE);
}

gboolean
filter_options_choose (const FilterOptions *options, const CommandLine *line)
{
    return command_line_count_words (line) > 0 || options->state != NULL || options->sender != NULL ||
           options->recipient != NULL || options->domain != NULL || options->remote != NULL ||
           options->user != NULL || options->older != NULL;
}

static void
add_text (GVariantBuilder *builder, const gchar *key, const gchar *value)
{
    if (value != NULL)
        g_variant_builder_add (builder, "{sv}", key, g_variant_new_string (value));
}

static gboolean
read_user (FilterOptions *options, const CommandLine *line)
{
    const struct passwd *entry;
    guint64 uid;

    if (options->user == NULL)
        return TRUE;

    entry = getpwnam (options->user);
    if (entry != NULL)
        uid = entry->pw_uid;
    else if (!g_ascii_string_to_unsigned (options->user, 10, 0, G_MAXUINT32 - 1, &uid, NULL)) {
        command_line_complain (line, "there is no user “%s”", options->user);
        return FALSE;
    }

    options->uid = (guint32) uid;
    return TRUE;
}

static gboolean
read_age (FilterOptions *options, const CommandLine *line)
{
    gint64 age;

    if (options->older == NULL)
        return TRUE;
    if (!text_parse_span (options->older, &age)) {
        command_line_complain (line, "“%s” is not a span of time, as 30min, 4h or 2d", options->older);
        return FALSE;
    }

    options->before_usec = (guint64) MAX (1, g_get_real_time () - age);
    return TRUE;
}

gboolean
filter_options_read (FilterOptions *options, const CommandLine *line)
{
    return read_user (options, line) && read_age (options, line);
}

GVariant *
filter_options_build (const FilterOptions *options, const CommandLine *line)
{
    g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

    if (options->user != NULL)
        g_variant_builder_add (&builder, "{sv}", "user", g_variant_new_uint32 (options->uid));
    if (options->older != NULL)
        g_variant_builder_add (&builder, "{sv}", "before", g_variant_new_uint64 (options->before_usec));
    add_text (&builder, "state", options->state);
    add_text (&builder, "sender", options->sender);
    add_text (&builder, "recipient", options->recipient);
    add_text (&builder, "domain", options->domain);
    add_text (&builder, "remote", options->remote);
    if (options->everyone)
        g_variant_builder_add (&builder, "{sv}", "everyone", g_variant_new_boolean (TRUE));
    if (command_line_count_words (line) > 0)
        g_variant_builder_add (&builder, "{sv}", "ids", g_variant_new_strv ((const gchar *const *) line->words, -1));
    return g_variant_builder_end (&builder);
}
