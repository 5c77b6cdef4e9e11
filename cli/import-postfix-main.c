/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * main.cf
 *
 * "name = value", where a line that starts with a space goes on with the one before it, and the last value of a name
 * counts. A value may name others, in all the ways that Postfix knows. Of Postfix's hundreds of defaults only those are
 * here that such names lead to.
 *
 * Tables are read from the text that they were made of; a compiled one without its text cannot be used.
 */

#include "cli/import-postfix-main.h"

#include <string.h>

/* Names that lead to each other in a circle end here, before they have become too many. */
#define EXPANSION_DEEPEST 10

#define NAME_CHARACTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_"

static void append_expanded (const PostfixMain *postfix, GString *expanded, const gchar *text, guint depth);

static void
parameter_free (PostfixParameter *parameter)
{
    g_free (parameter->name);
    g_free (parameter->value);
    g_free (parameter);
}

/* ---- Reading ---- */

static void
add_parameter (PostfixMain *postfix, const ImportLine *line)
{
    const gchar *equals = strchr (line->text, '=');
    PostfixParameter *parameter;
    PostfixParameter *before;

    if (equals == NULL) {
        import_note (postfix->import, IMPORT_LOST, line, NULL, "expected name = value");
        return;
    }

    parameter = g_new0 (PostfixParameter, 1);
    parameter->name = g_strstrip (g_strndup (line->text, (gsize) (equals - line->text)));
    parameter->value = g_strstrip (g_strdup (equals + 1));
    parameter->line = line;
    before = (PostfixParameter *) postfix_main_find (postfix, parameter->name);
    if (before != NULL)
        before->replaced = TRUE;
    g_ptr_array_add (postfix->parameters, parameter);
}

static void
continue_parameter (PostfixMain *postfix, const ImportLine *line)
{
    PostfixParameter *last =
        postfix->parameters->len > 0 ? g_ptr_array_index (postfix->parameters, postfix->parameters->len - 1) : NULL;
    gchar *joined;

    if (last == NULL) {
        import_note (postfix->import, IMPORT_LOST, line, NULL, "there is nothing that it could go on with");
        return;
    }

    joined = g_strconcat (last->value, " ", line->text + strspn (line->text, " \t"), NULL);
    g_free (last->value);
    last->value = g_strstrip (joined);
}

PostfixMain *
postfix_main_new (Import *import, const gchar *file)
{
    PostfixMain *postfix = g_new0 (PostfixMain, 1);

    postfix->import = import;
    postfix->folder = g_path_get_dirname (file);
    postfix->lines = import_read (import, file, TRUE);
    postfix->parameters = g_ptr_array_new_with_free_func ((GDestroyNotify) parameter_free);
    for (guint i = 0; i < postfix->lines->len; i++) {
        const ImportLine *line = g_ptr_array_index (postfix->lines, i);

        if (g_ascii_isspace (line->text[0]))
            continue_parameter (postfix, line);
        else
            add_parameter (postfix, line);
    }

    return postfix;
}

void
postfix_main_free (PostfixMain *postfix)
{
    g_free (postfix->folder);
    g_ptr_array_unref (postfix->parameters);
    g_ptr_array_unref (postfix->lines);
    g_free (postfix);
}

const PostfixParameter *
postfix_main_find (const PostfixMain *postfix, const gchar *name)
{
    for (guint i = postfix->parameters->len; i > 0; i--) {
        const PostfixParameter *parameter = g_ptr_array_index (postfix->parameters, i - 1);

        if (g_str_equal (parameter->name, name))
            return parameter;
    }

    return NULL;
}

const ImportLine *
postfix_main_line (const PostfixMain *postfix, const gchar *name)
{
    const PostfixParameter *parameter = postfix_main_find (postfix, name);

    return parameter != NULL ? parameter->line : NULL;
}

/* ---- Values ---- */

/* The name of the machine; Postfix makes one with a domain of it. */
static gchar *
default_host_name (const PostfixMain *postfix)
{
    g_autofree gchar *name = import_read_first (postfix->import, "/etc/hostname");

    if (name == NULL)
        return g_strdup ("localhost.localdomain");
    return strchr (name, '.') != NULL ? g_steal_pointer (&name) : g_strconcat (name, ".localdomain", NULL);
}

static gchar *
default_domain (const PostfixMain *postfix)
{
    g_autofree gchar *name = postfix_main_get (postfix, "myhostname");
    const gchar *dot = strchr (name, '.');

    return g_strdup (dot != NULL ? dot + 1 : "localdomain");
}

static const struct {
    const gchar *name;
    const gchar *value;
} defaults[] = {
    {"myorigin", "$myhostname"},
    {"mydestination", "$myhostname, localhost.$mydomain, localhost"},
    {"config_directory", "/etc/postfix"},
    {"default_database_type", "hash"},
    {"smtp_sasl_security_options", "noplaintext, noanonymous"},
};

/* Returns: (transfer full): not expanded yet */
static gchar *
raw_value (const PostfixMain *postfix, const gchar *name)
{
    const PostfixParameter *parameter = postfix_main_find (postfix, name);

    if (parameter != NULL)
        return g_strdup (parameter->value);
    if (g_str_equal (name, "myhostname"))
        return default_host_name (postfix);
    if (g_str_equal (name, "mydomain"))
        return default_domain (postfix);
    for (guint i = 0; i < G_N_ELEMENTS (defaults); i++)
        if (g_str_equal (defaults[i].name, name))
            return g_strdup (defaults[i].value);

    return g_strdup ("");
}

/* What is between braces: "name", "name?text" or "name:text", the text perhaps in braces of its own. */
static void
append_braced (const PostfixMain *postfix, GString *expanded, const gchar *inside, guint depth)
{
    gsize length = strspn (inside, NAME_CHARACTERS);
    g_autofree gchar *name = g_strndup (inside, length);
    g_autofree gchar *value = raw_value (postfix, name);
    g_autofree gchar *text = g_strdup (inside[length] != '\0' ? inside + length + 1 : "");
    gsize text_length = strlen (text);

    if (text_length >= 2 && text[0] == '{' && text[text_length - 1] == '}') {
        text[text_length - 1] = '\0';
        memmove (text, text + 1, text_length - 1);
    }

    if (inside[length] == '\0')
        append_expanded (postfix, expanded, value, depth + 1);
    else if ((inside[length] == '?') == (*value != '\0'))
        append_expanded (postfix, expanded, text, depth + 1);
}

/* Returns: where the bracket that @text starts with is closed; %NULL if it is not */
static const gchar *
find_end (const gchar *text)
{
    gchar open = text[0];
    gchar close = open == '{' ? '}' : ')';
    guint depth = 0;

    for (const gchar *c = text; *c != '\0'; c++) {
        if (*c == open)
            depth++;
        else if (*c == close && --depth == 0)
            return c;
    }

    return NULL;
}

static void
append_expanded (const PostfixMain *postfix, GString *expanded, const gchar *text, guint depth)
{
    if (depth > EXPANSION_DEEPEST)
        return;

    while (*text != '\0') {
        gsize length = *text == '$' ? strspn (text + 1, NAME_CHARACTERS) : 0;
        const gchar *end = *text == '$' && (text[1] == '{' || text[1] == '(') ? find_end (text + 1) : NULL;

        if (end != NULL) {
            g_autofree gchar *inside = g_strndup (text + 2, (gsize) (end - text - 2));

            append_braced (postfix, expanded, inside, depth);
            text = end + 1;
        } else if (length > 0) {
            g_autofree gchar *name = g_strndup (text + 1, length);

            append_braced (postfix, expanded, name, depth);
            text += 1 + length;
        } else {
            g_string_append_c (expanded, *text);
            text += *text == '$' && text[1] == '$' ? 2 : 1;
        }
    }
}

gchar *
postfix_main_get (const PostfixMain *postfix, const gchar *name)
{
    g_autofree gchar *raw = raw_value (postfix, name);
    GString *expanded = g_string_new (NULL);

    append_expanded (postfix, expanded, raw, 0);
    return g_strstrip (g_string_free (expanded, FALSE));
}

gboolean
postfix_main_is_yes (const PostfixMain *postfix, const gchar *name)
{
    g_autofree gchar *value = postfix_main_get (postfix, name);

    return g_ascii_strcasecmp (value, "yes") == 0;
}

gchar **
postfix_main_list (const PostfixMain *postfix, const gchar *name)
{
    g_autoptr (GStrvBuilder) words = g_strv_builder_new ();
    g_autofree gchar *value = postfix_main_get (postfix, name);
    const gchar *at = value;

    for (;;) {
        const gchar *start = at + strspn (at, ", \t");
        g_autofree gchar *word = NULL;
        guint braces = 0;

        for (at = start; *at != '\0' && (braces > 0 || strchr (", \t", *at) == NULL); at++) {
            if (*at == '{')
                braces++;
            else if (*at == '}' && braces > 0)
                braces--;
        }
        if (at == start)
            return g_strv_builder_end (words);
        word = g_strndup (start, (gsize) (at - start));
        g_strv_builder_add (words, word);
    }
}

/* ---- Tables ---- */

static void
entry_free (PostfixEntry *entry)
{
    explicit_bzero (entry->value, strlen (entry->value));
    g_free (entry->value);
    g_free (entry->key);
    g_free ((gchar *) entry->line.file);
    g_free (entry);
}

static void
add_entry (GPtrArray *entries, const ImportLine *line, const gchar *text)
{
    gsize length = strcspn (text, " \t");
    PostfixEntry *entry = g_new0 (PostfixEntry, 1);

    entry->key = g_strndup (text, length);
    entry->value = g_strstrip (g_strdup (text + length));
    entry->line = (ImportLine){.file = g_strdup (line->file), .number = line->number, .text = entry->key};
    g_ptr_array_add (entries, entry);
}

/* Lines that start with a space go on with the one before. */
static void
read_entries (Import *import, GPtrArray *entries, const gchar *path)
{
    g_autoptr (GPtrArray) lines = import_read (import, path, TRUE);

    for (guint i = 0; i < lines->len; i++) {
        const ImportLine *line = g_ptr_array_index (lines, i);
        PostfixEntry *last = entries->len > 0 ? g_ptr_array_index (entries, entries->len - 1) : NULL;

        if (!g_ascii_isspace (line->text[0])) {
            add_entry (entries, line, line->text);
        } else if (last != NULL) {
            gchar *joined = g_strconcat (last->value, line->text, NULL);

            explicit_bzero (last->value, strlen (last->value));
            g_free (last->value);
            last->value = g_strstrip (joined);
        }
    }
}

/* A value for whatever is looked up: "static:VALUE", with braces if there are spaces in it. */
static void
add_static (GPtrArray *entries, const ImportLine *line, const gchar *value)
{
    gsize length = strlen (value);
    gboolean braced = length >= 2 && value[0] == '{' && value[length - 1] == '}';
    g_autofree gchar *inside = braced ? g_strndup (value + 1, length - 2) : g_strdup (value);
    g_autofree gchar *text = g_strconcat ("* ", g_strstrip (inside), NULL);

    add_entry (entries, line, text);
    explicit_bzero (inside, strlen (inside));
    explicit_bzero (text, strlen (text));
}

GPtrArray *
postfix_table_read (const PostfixMain *postfix, const ImportLine *line, const gchar *map)
{
    static const gchar *const readable[] = {"hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash", NULL};
    GPtrArray *entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
    const gchar *name = g_str_has_prefix (map, "proxy:") ? map + strlen ("proxy:") : map;
    const gchar *colon = strchr (name, ':');
    g_autofree gchar *type = g_strndup (name, colon != NULL ? (gsize) (colon - name) : 0);
    const gchar *path = colon != NULL ? colon + 1 : name;

    if (g_str_equal (type, "static"))
        add_static (entries, line, path);
    else if (*type != '\0' && !g_strv_contains (readable, type))
        import_note (postfix->import, IMPORT_LOST, line, "(a table)", "tables of the type “%s” cannot be imported",
                     type);
    else if (!import_has (postfix->import, path))
        import_note (postfix->import, IMPORT_LOST, line, "(a table)", "there is no text of the table %s", path);
    else
        read_entries (postfix->import, entries, path);

    return entries;
}

GPtrArray *
postfix_table_read_all (const PostfixMain *postfix, const gchar *name)
{
    GPtrArray *all = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
    g_auto (GStrv) maps = postfix_main_list (postfix, name);

    for (guint i = 0; maps[i] != NULL; i++) {
        g_autoptr (GPtrArray) entries = postfix_table_read (postfix, postfix_main_line (postfix, name), maps[i]);

        g_ptr_array_extend_and_steal (all, g_steal_pointer (&entries));
    }

    return all;
}

const gchar *
postfix_table_find (GPtrArray *entries, const gchar *key)
{
    for (guint i = 0; i < entries->len; i++) {
        const PostfixEntry *entry = g_ptr_array_index (entries, i);

        if (g_ascii_strcasecmp (entry->key, key) == 0 || g_str_equal (entry->key, "*"))
            return entry->value;
    }

    return NULL;
}
