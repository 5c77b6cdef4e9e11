/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Queue ids as people write them
 *
 * An id has thirteen digits of base 32. Ids sort by age, so those that begin alike stand together in the list, and the
 * relay's list can begin anywhere: the ids behind the last one that is less than the beginning are all that is asked for. A
 * beginning that several have is refused, and never means one of them by chance.
 */

#include "postern-id.h"

#include <string.h>

#include "postern-text.h"

/* As the introspection XML has it: of one length, sorting as the texts do. */
#define ID_LENGTH 13
static const gchar digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* Of 64 bits; the first digit has but four of them. */
#define FIRST_DIGIT_MOST 15

gboolean
id_is_short (const gchar *word)
{
    gsize length = strlen (word);

    if (length == 0 || length >= ID_LENGTH)
        return FALSE;
    for (const gchar *c = word; *c != '\0'; c++)
        if (strchr (digits, g_ascii_tolower (*c)) == NULL)
            return FALSE;
    return strchr (digits, g_ascii_tolower (*word)) - digits <= FIRST_DIGIT_MOST;
}

/* Returns: (transfer full): the greatest id that is less than all that begin so; "" if there is none */
static gchar *
id_before (const gchar *beginning)
{
    gchar id[ID_LENGTH + 1] = "";
    gsize length = strlen (beginning);

    memcpy (id, beginning, length);
    while (length > 0 && id[length - 1] == digits[0])
        length--;
    if (length == 0)
        return g_strdup ("");

    id[length - 1] = *(strchr (digits, id[length - 1]) - 1);
    memset (id + length, digits[G_N_ELEMENTS (digits) - 2], ID_LENGTH - length);
    return g_strdup (id);
}

/* Returns: (transfer full) (nullable): the ids that begin so, IDS_NAMED_MOST and one at most; NULL with an error */
static gchar **
find_ids (const Client *client, const gchar *beginning, gboolean everyone, GError **error)
{
    g_auto (GVariantBuilder) filter = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
    g_autofree gchar *cursor = id_before (beginning);
    g_autoptr (GStrvBuilder) ids = g_strv_builder_new ();
    g_autoptr (GVariantIter) rows = NULL;
    g_autoptr (GVariant) reply = NULL;
    GVariant *row;

    if (everyone)
        g_variant_builder_add (&filter, "{sv}", "everyone", g_variant_new_boolean (TRUE));
    reply =
        client_call_manager (client, "ListMessages", g_variant_new ("(a{sv}su)", &filter, cursor, IDS_NAMED_MOST + 1),
                             "(a(ssxssuutttus)s)", error);
    if (reply == NULL)
        return NULL;

    g_variant_get (reply, "(a(ssxssuutttus)s)", &rows, NULL);
    while (g_variant_iter_loop (rows, "@(ssxssuutttus)", &row)) {
        const gchar *id;

        g_variant_get_child (row, 0, "&s", &id);
        if (g_str_has_prefix (id, beginning))
            g_strv_builder_add (ids, id);
    }
    return g_strv_builder_end (ids);
}

ExitCode
id_complain_ambiguous (const gchar *word, const gchar *const *ids)
{
    g_autoptr (GString) named = g_string_new (NULL);
    guint count = g_strv_length ((gchar **) ids);

    for (guint i = 0; i < MIN (count, IDS_NAMED_MOST); i++)
        g_string_append_printf (named, "%s%s", i > 0 ? ", " : "", ids[i]);
    g_printerr ("postern: “%s” is the beginning of several ids: %s%s; write more of it\n", word, named->str,
                count > IDS_NAMED_MOST ? " and others" : "");
    return EXIT_USAGE;
}

static ExitCode
complete (const CommandLine *line, gchar **word, gboolean everyone)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *beginning = g_ascii_strdown (*word, -1);
    g_auto (GStrv) ids = find_ids (line->client, beginning, everyone, &error);

    if (ids == NULL)
        return client_explain (line->client, error);
    if (ids[0] == NULL) {
        g_printerr ("postern: no message that you see in the queue has an id that begins with “%s”\n"
                    "postern: “postern log” tells of those that are gone\n",
                    *word);
        return EXIT_NOT_FOUND;
    }
    if (ids[1] != NULL)
        return id_complain_ambiguous (*word, (const gchar *const *) ids);

    g_free (*word);
    *word = g_strdup (ids[0]);
    return EXIT_OK;
}

ExitCode
ids_complete (CommandLine *line, gboolean everyone)
{
    ExitCode code = EXIT_OK;

    for (guint i = 0; i < command_line_count_words (line) && code == EXIT_OK; i++)
        if (id_is_short (line->words[i]))
            code = complete (line, &line->words[i], everyone);
    return code;
}
