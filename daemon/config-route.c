/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Routes in the configuration
 *
 * What a route needs beyond the table of keys: its name, users by name or number, and that it leads somewhere. Users are
 * looked up once, as the configuration is read. One that does not exist is no error, because a service's user may
 * be there only while the service runs; but it is told, for it may as well be a slip of the pen.
 *
 * The look-up is the one wait at a reload, which somebody asked for just now: the machine's own users are found in a file, and a
 * directory server is asked only for names that are not there. Where that may hang, a number is not looked up.
 */

#include "config-route.h"

#include "config-value.h"

#include <pwd.h>
#include <string.h>

static void
check_name_is_free (const DeliverySettings *settings, const ConfigGroup *group, const gchar *name,
                    GPtrArray *problems)
{
    for (guint i = 0; i < settings->routes->len; i++) {
        const DeliveryRoute *other = g_ptr_array_index (settings->routes, i);

        if (g_ascii_strcasecmp (other->name, name) == 0)
            g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: there is another route of the name “%s”; expected "
                                                        "[Route NAME] with a name of its own",
                                                        group->place, group->name, name));
    }
}

static gboolean
find_user (const gchar *word, gint64 *uid)
{
    const struct passwd *entry;
    guint64 number;

    if (config_value_number (word, &number) && number < G_MAXUINT32) {
        *uid = (gint64) number;
        return TRUE;
    }

    entry = getpwnam (word);
    if (entry != NULL)
        *uid = (gint64) entry->pw_uid;
    return entry != NULL;
}

static void
read_users (DeliveryRoute *route, const ConfigGroup *group, GPtrArray *warnings)
{
    const ConfigEntry *entry = config_schema_entry (group, "Users");
    g_auto (GStrv) words = NULL;

    if (entry == NULL)
        return;

    words = g_strsplit_set (entry->value, " \t", -1);
    route->users = g_array_new (FALSE, FALSE, sizeof (gint64));
    for (guint i = 0; words[i] != NULL; i++) {
        gint64 uid;

        if (words[i][0] == '\0')
            continue;
        if (find_user (words[i], &uid))
            g_array_append_val (route->users, uid);
        else
            config_schema_complain (
                warnings, entry->place, group->name, entry->key,
                "there is no user “%s” now; until the next reload this route is not for that user", words[i]);
    }
}

static void
read_smarthosts (DeliveryRoute *route, const ConfigGroup *group, GPtrArray *problems)
{
    const ConfigEntry *entry = config_schema_entry (group, "Smarthosts");
    g_auto (GStrv) words = NULL;

    if (entry == NULL)
        return;
    if (route->action == DELIVERY_ROUTE_DISCARD)
        config_schema_complain (problems, entry->place, group->name, entry->key,
                                "expected none with Action=discard, which sends mail nowhere");

    words = g_strsplit_set (entry->value, " \t", -1);
    route->smarthosts = g_ptr_array_new_with_free_func (g_free);
    for (guint i = 0; words[i] != NULL; i++)
        if (words[i][0] != '\0')
            g_ptr_array_add (route->smarthosts, g_strdup (words[i]));
}

void
config_route_read (DeliverySettings *settings, const ConfigGroup *group, GPtrArray *problems, GPtrArray *warnings)
{
    g_autofree gchar *name = config_schema_name (group, CONFIG_ROUTE_GROUP, problems);
    DeliveryRoute *route = delivery_route_new (name);

    if (name[0] == '\0')
        g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: expected [Route NAME] with a name of its own",
                                                    group->place, group->name));
    check_name_is_free (settings, group, name, problems);
    g_ptr_array_add (settings->routes, route);

    config_schema_read (group, &(ConfigTargets){.route = route}, problems);
    read_users (route, group, warnings);
    read_smarthosts (route, group, problems);
}

static gboolean
has_smarthost (const DeliverySettings *settings, const gchar *name)
{
    for (guint i = 0; i < settings->smarthosts->len; i++)
        if (g_str_equal (((const DeliverySmarthost *) g_ptr_array_index (settings->smarthosts, i))->name, name))
            return TRUE;

    return FALSE;
}

static gchar *
list_smarthosts (const DeliverySettings *settings)
{
    GString *names = g_string_new (NULL);

    for (guint i = 0; i < settings->smarthosts->len; i++) {
        const DeliverySmarthost *smarthost = g_ptr_array_index (settings->smarthosts, i);

        g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", smarthost->name);
    }

    return g_string_free (names, FALSE);
}

static void
check_route (const DeliverySettings *settings, const DeliveryRoute *route, const ConfigGroup *group,
             GPtrArray *problems)
{
    const ConfigEntry *entry = config_schema_entry (group, "Smarthosts");
    g_autofree gchar *known = list_smarthosts (settings);

    for (guint i = 0; entry != NULL && i < route->smarthosts->len; i++) {
        const gchar *name = g_ptr_array_index (route->smarthosts, i);

        if (!has_smarthost (settings, name))
            config_schema_complain (problems, entry->place, group->name, entry->key,
                                    "there is no [Smarthost %s]; expected names of smarthosts, of which there %s%s",
                                    name, known[0] != '\0' ? "are: " : "are none", known);
    }
}

void
config_route_check (const DeliverySettings *settings, const ConfigFile *file, GPtrArray *problems)
{
    guint n_routes = 0;

    /* Routes were read in the order of their groups. */
    for (guint i = 0; i < file->groups->len; i++) {
        const ConfigGroup *group = g_ptr_array_index (file->groups, i);

        if (config_schema_is_route (group))
            check_route (settings, g_ptr_array_index (settings->routes, n_routes++), group, problems);
    }
}
