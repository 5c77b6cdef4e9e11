/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A plan of a configuration
 *
 * Set-up and imports decide on keys one at a time and in any order; the file that comes of it should look as if a person had
 * written it: groups in the order in which they first came, each key with a word on what it does. Passwords never
 * become part of the text; they are files of their own, and are wiped when the plan goes.
 */

#include "cli/config-plan.h"

#include <string.h>

typedef struct {
    gchar *key;
    gchar *value;
} Entry;

typedef struct {
    gchar *name;
    GString *comments;
    GPtrArray *entries; /* of Entry */
} Group;

struct _ConfigPlan {
    gchar *folder;
    gchar *title;
    GPtrArray *groups;    /* of Group */
    GPtrArray *passwords; /* of ConfigPlanFile */
    GPtrArray *tables;    /* of ConfigPlanFile */
};

static const struct {
    const gchar *key;
    const gchar *words;
} explanations[] = {
    {"Host", "the server that takes mail"},
    {"TLS", "starttls: encrypted on request; implicit: from the first byte; opportunistic: if offered; none"},
    {"Verify", "whether the server's certificate has to be good"},
    {"TrustFile", "the authorities that may vouch for the server, in place of the system's"},
    {"PasswordCredential", "the file in credentials/ that the password is in; only root reads it"},
    {"AuthWithoutTLS", "logs in even if others can listen"},
    {"HostName", "the name that this machine goes by in mail"},
    {"Domain", "completes addresses without a domain"},
    {"AdminAddress", "gets the mail to root and other users of this machine"},
    {"LocalDomains", "domains that are this machine, beside its own name"},
    {"Lifetime", "how long a message is tried before it goes back"},
    {"RetryFirst", "when a message that could not be delivered is tried again"},
    {"RetryLongest", "the longest that it waits between two attempts"},
    {"Sender", "the sender of all mail, in place of the users' own addresses"},
    {"SenderTable", "which sender becomes which address; a line each"},
    {"RecipientTable", "which recipient becomes which address; a line each"},
    {"Masquerade", "names of hosts in these domains are left out of addresses"},
};

static void
entry_free (Entry *entry)
{
    g_free (entry->key);
    g_free (entry->value);
    g_free (entry);
}

static void
group_free (Group *group)
{
    g_free (group->name);
    g_string_free (group->comments, TRUE);
    g_ptr_array_unref (group->entries);
    g_free (group);
}

static void
file_free (ConfigPlanFile *file)
{
    g_free (file->name);
    explicit_bzero (file->text->str, file->text->allocated_len);
    g_string_free (file->text, TRUE);
    g_free (file);
}

ConfigPlan *
config_plan_new (const gchar *folder, const gchar *title)
{
    ConfigPlan *plan = g_new0 (ConfigPlan, 1);

    plan->folder = g_strdup (folder);
    plan->title = g_strdup (title);
    plan->groups = g_ptr_array_new_with_free_func ((GDestroyNotify) group_free);
    plan->passwords = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
    plan->tables = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
    return plan;
}

void
config_plan_free (ConfigPlan *plan)
{
    g_free (plan->folder);
    g_free (plan->title);
    g_ptr_array_unref (plan->groups);
    g_ptr_array_unref (plan->passwords);
    g_ptr_array_unref (plan->tables);
    g_free (plan);
}

/* ---- Groups and keys ---- */

static Group *
find_group (const ConfigPlan *plan, const gchar *name)
{
    for (guint i = 0; i < plan->groups->len; i++) {
        Group *group = g_ptr_array_index (plan->groups, i);

        if (g_str_equal (group->name, name))
            return group;
    }

    return NULL;
}

static Group *
need_group (ConfigPlan *plan, const gchar *name)
{
    Group *group = find_group (plan, name);

    if (group != NULL)
        return group;

    group = g_new0 (Group, 1);
    group->name = g_strdup (name);
    group->comments = g_string_new (NULL);
    group->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
    g_ptr_array_add (plan->groups, group);
    return group;
}

static Entry *
find_entry (const Group *group, const gchar *key)
{
    for (guint i = 0; i < group->entries->len; i++) {
        Entry *entry = g_ptr_array_index (group->entries, i);

        if (g_str_equal (entry->key, key))
            return entry;
    }

    return NULL;
}

static gchar *
one_line (const gchar *text)
{
    return g_strdelimit (g_strdup (text), "\r\n", ' ');
}

void
config_plan_set (ConfigPlan *plan, const gchar *group_name, const gchar *key, const gchar *value)
{
    Group *group = need_group (plan, group_name);
    Entry *entry = find_entry (group, key);

    if (*value == '\0') {
        if (entry != NULL)
            g_ptr_array_remove (group->entries, entry);
        return;
    }

    if (entry == NULL) {
        entry = g_new0 (Entry, 1);
        entry->key = g_strdup (key);
        g_ptr_array_add (group->entries, entry);
    }
    g_free (entry->value);
    entry->value = one_line (value);
}

void
config_plan_append (ConfigPlan *plan, const gchar *group, const gchar *key, const gchar *separator,
                    const gchar *value)
{
    const gchar *old = config_plan_get (plan, group, key);
    g_auto (GStrv) values = old != NULL ? g_strsplit (old, separator, -1) : NULL;
    g_autofree gchar *joined = NULL;

    if (values != NULL && g_strv_contains ((const gchar *const *) values, value))
        return;

    joined = old != NULL ? g_strconcat (old, separator, value, NULL) : g_strdup (value);
    config_plan_set (plan, group, key, joined);
}

const gchar *
config_plan_get (const ConfigPlan *plan, const gchar *group_name, const gchar *key)
{
    const Group *group = find_group (plan, group_name);
    const Entry *entry = group != NULL ? find_entry (group, key) : NULL;

    return entry != NULL ? entry->value : NULL;
}

gboolean
config_plan_has_group (const ConfigPlan *plan, const gchar *group)
{
    return find_group (plan, group) != NULL;
}

void
config_plan_comment (ConfigPlan *plan, const gchar *group, const gchar *comment)
{
    g_autofree gchar *line = one_line (comment);

    g_string_append_printf (need_group (plan, group)->comments, "# %s\n", line);
}

/* ---- Files ---- */

static ConfigPlanFile *
need_file (GPtrArray *files, const gchar *name)
{
    ConfigPlanFile *file;

    for (guint i = 0; i < files->len; i++) {
        file = g_ptr_array_index (files, i);
        if (g_str_equal (file->name, name))
            return file;
    }

    file = g_new0 (ConfigPlanFile, 1);
    file->name = g_strdup (name);
    file->text = g_string_new (NULL);
    g_ptr_array_add (files, file);
    return file;
}

void
config_plan_set_password (ConfigPlan *plan, const gchar *group, const gchar *credential, const gchar *password)
{
    ConfigPlanFile *file = need_file (plan->passwords, credential);

    explicit_bzero (file->text->str, file->text->len);
    g_string_free (file->text, TRUE);
    file->text = g_string_sized_new (strlen (password) + 1); /* so that it is not copied when it grows */
    g_string_append (file->text, password);
    g_string_append_c (file->text, '\n');
    config_plan_set (plan, group, "PasswordCredential", credential);
}

void
config_plan_add_row (ConfigPlan *plan, const gchar *group, const gchar *key, const gchar *name, const gchar *pattern,
                     const gchar *replacement)
{
    g_autofree gchar *path = g_build_filename (plan->folder, name, NULL);
    ConfigPlanFile *file = need_file (plan->tables, name);

    if (file->text->len == 0)
        g_string_append (file->text, "# pattern replacement; see postern.conf(5)\n");
    g_string_append_printf (file->text, "%s %s\n", pattern, replacement);
    config_plan_set (plan, group, key, path);
}

GPtrArray *
config_plan_passwords (const ConfigPlan *plan)
{
    return plan->passwords;
}

GPtrArray *
config_plan_tables (const ConfigPlan *plan)
{
    return plan->tables;
}

/* ---- The text ---- */

/* GKeyFile takes a backslash for the start of an escape. */
static void
append_value (GString *text, const gchar *value)
{
    for (const gchar *c = value; *c != '\0'; c++) {
        if (*c == '\\')
            g_string_append (text, "\\\\");
        else if (*c == '\t')
            g_string_append (text, "\\t");
        else
            g_string_append_c (text, *c);
    }
}

static void
append_entry (GString *text, const Entry *entry)
{
    for (guint i = 0; i < G_N_ELEMENTS (explanations); i++)
        if (g_str_equal (explanations[i].key, entry->key))
            g_string_append_printf (text, "# %s\n", explanations[i].words);

    g_string_append_printf (text, "%s=", entry->key);
    append_value (text, entry->value);
    g_string_append_c (text, '\n');
}

gchar *
config_plan_text (const ConfigPlan *plan)
{
    GString *text = g_string_new (NULL);

    g_string_append_printf (text,
                            "# %s\n#\n"
                            "# All keys are in postern.conf(5). After a change: postern check, then systemctl reload "
                            "postern (after a\n# change of a password: restart).\n",
                            plan->title);
    for (guint i = 0; i < plan->groups->len; i++) {
        const Group *group = g_ptr_array_index (plan->groups, i);

        if (group->entries->len == 0)
            continue;
        g_string_append_printf (text, "\n%s[%s]\n", group->comments->str, group->name);
        for (guint j = 0; j < group->entries->len; j++)
            append_entry (text, g_ptr_array_index (group->entries, j));
    }

    return g_string_free (text, FALSE);
}
