/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How Postfix rewrites addresses
 *
 * Canonical tables change addresses as mail comes in, generic ones as it leaves, virtual ones recipients alone. A machine
 * that delivers nothing to itself sees no difference, so all of them become rows of one table for senders and one for
 * recipients. Where two of Postfix's tables name the same address the first one counts, as it is the first to be asked.
 */

#include "cli/import-postfix-rewrite.h"

#include <string.h>

typedef enum { FOR_SENDERS = 1 << 0, FOR_RECIPIENTS = 1 << 1 } Sides;

static const struct {
    const gchar *parameter;
    Sides sides;
    gboolean virtual;
} tables[] = {
    {"sender_canonical_maps", FOR_SENDERS, FALSE},
    {"recipient_canonical_maps", FOR_RECIPIENTS, FALSE},
    {"canonical_maps", FOR_SENDERS | FOR_RECIPIENTS, FALSE},
    {"virtual_alias_maps", FOR_RECIPIENTS, TRUE},
    {"virtual_maps", FOR_RECIPIENTS, TRUE},
    {"smtp_generic_maps", FOR_SENDERS | FOR_RECIPIENTS, FALSE},
};

static const gchar *const answered[] = {"masquerade_domains",
                                        "masquerade_exceptions",
                                        "masquerade_classes",
                                        "canonical_classes",
                                        "sender_canonical_classes",
                                        "recipient_canonical_classes",
                                        NULL};

typedef struct {
    const PostfixMain *postfix;
    GHashTable *seen; /* "s user@host" and "r user@host" */
} Rewriting;

gboolean
postfix_is_of_rewriting (const gchar *name)
{
    for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
        if (g_str_equal (tables[i].parameter, name))
            return TRUE;

    return g_strv_contains (answered, name);
}

static gboolean
add_row (const Rewriting *rewriting, const gchar *key, const gchar *file, const PostfixEntry *entry)
{
    gchar *mark = g_strdup_printf ("%s %s", key, entry->key);

    if (!g_hash_table_add (rewriting->seen, mark))
        return FALSE;

    config_plan_add_row (rewriting->postfix->import->plan, "Rewrite", key, file, entry->key, entry->value);
    return TRUE;
}

/* Returns: (nullable): why the entry has no counterpart */
static const gchar *
find_fault (const PostfixEntry *entry, gboolean virtual)
{
    if (strpbrk (entry->value, ", \t") != NULL)
        return "an address can only become one other; several are for /etc/aliases";
    if (*entry->value == '\0' || strpbrk (entry->key, "\"\\") != NULL || strpbrk (entry->value, "\"\\|/:") != NULL)
        return "it is no address";
    if (g_str_has_suffix (entry->key, "@"))
        return "a name in all domains cannot be matched";
    if (virtual && strchr (entry->key, '@') == NULL && strchr (entry->key, '.') != NULL)
        return "there are no virtual domains: mail to them is sent on";
    if (entry->value[0] == '@' && entry->key[0] != '@')
        return "a domain can only take the place of a domain";
    return NULL;
}

static void
take_entry (const Rewriting *rewriting, const PostfixEntry *entry, Sides sides, gboolean virtual)
{
    const gchar *fault = find_fault (entry, virtual);
    gboolean sender, recipient;

    if (fault != NULL) {
        import_note (rewriting->postfix->import, IMPORT_LOST, &entry->line, NULL, "%s", fault);
        return;
    }

    sender = (sides & FOR_SENDERS) != 0 && add_row (rewriting, "SenderTable", "senders", entry);
    recipient = (sides & FOR_RECIPIENTS) != 0 && add_row (rewriting, "RecipientTable", "recipients", entry);
    if (sender || recipient)
        import_note (rewriting->postfix->import, IMPORT_TAKEN, &entry->line, NULL, "[Rewrite] %s%s%s: %s",
                     sender ? "SenderTable=" : "", sender && recipient ? " and " : "",
                     recipient ? "RecipientTable=" : "", entry->value);
    else
        import_note (rewriting->postfix->import, IMPORT_LOST, &entry->line, NULL, "a table before it names it, too");
}

static void
take_tables (const Rewriting *rewriting)
{
    for (guint i = 0; i < G_N_ELEMENTS (tables); i++) {
        const ImportLine *line = postfix_main_line (rewriting->postfix, tables[i].parameter);
        g_autoptr (GPtrArray) entries = postfix_table_read_all (rewriting->postfix, tables[i].parameter);

        if (line != NULL)
            import_note (rewriting->postfix->import, IMPORT_TAKEN, line, NULL, "%u entries were read", entries->len);
        for (guint j = 0; j < entries->len; j++)
            take_entry (rewriting, g_ptr_array_index (entries, j), tables[i].sides, tables[i].virtual);
    }
}

static void
take_list (const PostfixMain *postfix, const gchar *name, const gchar *key)
{
    const ImportLine *line = postfix_main_line (postfix, name);
    g_auto (GStrv) words = postfix_main_list (postfix, name);
    g_autofree gchar *joined = g_strjoinv (" ", words);

    if (line == NULL || *joined == '\0')
        return;
    if (strpbrk (joined, ":/") != NULL)
        import_note (postfix->import, IMPORT_LOST, line, NULL, "%s= has no tables; the names have to be in the list",
                     key);
    else
        import_take (postfix->import, line, "Rewrite", key, joined);
}

static void
tell_classes (const PostfixMain *postfix)
{
    for (guint i = 2; answered[i] != NULL; i++)
        if (postfix_main_line (postfix, answered[i]) != NULL)
            import_note (postfix->import, IMPORT_LOST, postfix_main_line (postfix, answered[i]), NULL,
                         "envelope and header are always rewritten together");
}

void
postfix_take_rewriting (const PostfixMain *postfix)
{
    g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    const Rewriting rewriting = {.postfix = postfix, .seen = seen};

    take_tables (&rewriting);
    take_list (postfix, "masquerade_domains", "Masquerade");
    take_list (postfix, "masquerade_exceptions", "MasqueradeExcept");
    tell_classes (postfix);
}
