/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Alias files
 *
 * /etc/aliases is older than any standard of it; what sendmail, Postfix and Exim agree on is read here. The text is
 * taken line by line into entries, and an entry is taken apart at its colon and its commas, where quotes, comments
 * and angle brackets are closed.
 *
 * Two kinds of trouble are kept apart. A line that makes no sense is a fault: it was written by mistake, perhaps half
 * an edit, and whoever reads the file may prefer the one that was good. A target that makes sense and is not obeyed
 * here, such as a command to pipe mail into, is none: the file is as its author wants it, there are only no
 * mailboxes on this machine. Both are told with their line.
 */

#include <string.h>

#include "message/address-list.h"
#include "message/address.h"
#include "message/alias-text.h"
#include "message/error.h"

#define ADDRESS_FLAGS (MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8)

#define INCLUDE_WORD ":include:"

/* One line with those that continue it, comments taken out. */
typedef struct {
    GString *text;
    guint line; /* the first one's number; 0: nothing was read */
} Entry;

static void
target_free (gpointer data)
{
    MessageAliasTarget *target = data;

    g_free (target->text);
    g_free (target);
}

static void
alias_free (gpointer data)
{
    MessageAlias *alias = data;

    g_free (alias->name);
    g_ptr_array_unref (alias->targets);
    g_free (alias);
}

static void
remark_free (gpointer data)
{
    MessageAliasRemark *remark = data;

    g_free (remark->text);
    g_free (remark);
}

GPtrArray *
message_alias_remarks_new (void)
{
    return g_ptr_array_new_with_free_func (remark_free);
}

void
message_alias_remark (GPtrArray *remarks, guint line, gboolean is_fault, gchar *text)
{
    MessageAliasRemark *remark = g_new (MessageAliasRemark, 1);

    remark->line = line;
    remark->is_fault = is_fault;
    remark->text = text;
    g_ptr_array_add (remarks, remark);
}

static gchar *
quote (const gchar *text)
{
    return message_error_quote (text, strlen (text));
}

/* The end of the piece at @text: an unquoted @separator outside comments and angle brackets, or the text's end. */
static gsize
piece_length (const gchar *text, gchar separator)
{
    gboolean quoted = FALSE;
    guint depth = 0;

    for (gsize at = 0; text[at] != '\0'; at++) {
        if (text[at] == '\\' && text[at + 1] != '\0')
            at++;
        else if (text[at] == '"')
            quoted = !quoted;
        else if (!quoted && strchr ("(<", text[at]) != NULL)
            depth++;
        else if (!quoted && depth > 0 && strchr (")>", text[at]) != NULL)
            depth--;
        else if (!quoted && depth == 0 && text[at] == separator)
            return at;
    }

    return strlen (text);
}

/* Whether all of @text stands in one pair of quotes; @inner is what is between them. */
static gboolean
unquote (const gchar *text, gchar **inner)
{
    GString *plain;

    if (text[0] != '"')
        return FALSE;

    plain = g_string_new (NULL);
    for (text++; *text != '\0' && *text != '"'; text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        g_string_append_c (plain, *text);
    }

    *inner = g_string_free (plain, text[0] != '"' || text[1] != '\0');
    return *inner != NULL;
}

static void
add_target (GPtrArray *targets, MessageAliasKind kind, gchar *text, guint line)
{
    MessageAliasTarget *target = g_new (MessageAliasTarget, 1);

    target->kind = kind;
    target->text = text;
    target->line = line;
    g_ptr_array_add (targets, target);
}

/* Why a target that makes sense elsewhere is not obeyed here; NULL for all others. */
static const gchar *
refusal (const gchar *text)
{
    if (text[0] == '|')
        return "mail is not piped into commands";
    if (text[0] == '/')
        return "mail is not written to files";
    if (text[0] == ':' && !g_str_has_prefix (text, INCLUDE_WORD))
        return "this is an order of another mail system";

    return NULL;
}

static void
read_include (GPtrArray *targets, const gchar *text, guint line, GPtrArray *remarks)
{
    g_autofree gchar *path = g_strstrip (g_strdup (text + strlen (INCLUDE_WORD)));
    g_autofree gchar *quoted = quote (text);

    if (path[0] == '/')
        add_target (targets, MESSAGE_ALIAS_INCLUDE, g_steal_pointer (&path), line);
    else
        message_alias_remark (remarks, line, TRUE,
                              g_strdup_printf ("“%s”: expected the absolute path of a file", quoted));
}

/* An address, perhaps with a name and comments around it as in a header. */
static gchar *
read_address (const gchar *text, GError **error)
{
    g_autoptr (GArray) entries = message_address_list_parse (text);
    const MessageListEntry *entry = entries->len == 1 ? &g_array_index (entries, MessageListEntry, 0) : NULL;

    return message_address_parse (entry != NULL && entry->address != NULL ? entry->address : text, ADDRESS_FLAGS,
                                  error);
}

static void
read_mailbox (GPtrArray *targets, const gchar *text, guint line, GPtrArray *remarks)
{
    gboolean is_final = text[0] == '\\';
    g_autoptr (GError) error = NULL;
    gchar *address = read_address (text + (is_final ? 1 : 0), &error);

    if (address != NULL)
        add_target (targets, is_final ? MESSAGE_ALIAS_FINAL : MESSAGE_ALIAS_ADDRESS, address, line);
    else
        message_alias_remark (remarks, line, TRUE, g_strdup (error->message));
}

static void
read_target (GPtrArray *targets, const gchar *text, guint line, GPtrArray *remarks)
{
    g_autofree gchar *inner = NULL;
    const gchar *order = unquote (text, &inner) ? inner : text;
    const gchar *why = refusal (order);
    g_autofree gchar *quoted = NULL;

    if (g_str_equal (order, MESSAGE_ALIAS_NULL_FILE)) {
        add_target (targets, MESSAGE_ALIAS_NOWHERE, g_strdup (order), line);
    } else if (why != NULL) {
        quoted = quote (order);
        message_alias_remark (remarks, line, FALSE, g_strdup_printf ("“%s” is left out: %s", quoted, why));
    } else if (order[0] == ':') {
        read_include (targets, order, line, remarks);
    } else {
        read_mailbox (targets, text, line, remarks);
    }
}

static void
read_targets (GPtrArray *targets, const gchar *text, guint line, GPtrArray *remarks)
{
    while (*text != '\0') {
        gsize length = piece_length (text, ',');
        g_autofree gchar *piece = g_strstrip (g_strndup (text, length));

        if (piece[0] != '\0')
            read_target (targets, piece, line, remarks);
        text += text[length] == ',' ? length + 1 : length;
    }
}

static gchar *
read_name (const gchar *text, guint line, GPtrArray *remarks)
{
    g_autofree gchar *inner = NULL;
    g_autofree gchar *quoted = quote (text);
    const gchar *name = unquote (text, &inner) ? inner : text;

    if (name[0] == '\0' || (inner == NULL && strpbrk (name, " \t\"") != NULL)) {
        message_alias_remark (remarks, line, TRUE,
                              g_strdup_printf ("“%s” is no name; one with blanks stands in double quotes", quoted));
        return NULL;
    }
    if (inner == NULL && strchr (name, '@') != NULL) {
        message_alias_remark (remarks, line, TRUE,
                              g_strdup_printf ("“%s”: a name here has no domain; addresses with one are for "
                                               "RecipientTable= in postern.conf",
                                               quoted));
        return NULL;
    }

    return g_utf8_strdown (name, -1);
}

static void
read_alias (GPtrArray *aliases, const Entry *entry, GPtrArray *remarks)
{
    const gchar *text = entry->text->str;
    gsize length = piece_length (text, ':');
    g_autofree gchar *left = g_strstrip (g_strndup (text, length));
    g_autofree gchar *quoted = quote (text);
    MessageAlias *alias;
    gchar *name;

    if (text[length] != ':') {
        message_alias_remark (remarks, entry->line, TRUE, g_strdup_printf ("“%s”: expected NAME: TARGET", quoted));
        return;
    }

    name = read_name (left, entry->line, remarks);
    if (name == NULL)
        return;

    alias = g_new (MessageAlias, 1);
    alias->name = name;
    alias->line = entry->line;
    alias->targets = g_ptr_array_new_with_free_func (target_free);
    read_targets (alias->targets, text + length + 1, entry->line, remarks);
    g_ptr_array_add (aliases, alias);
}

static void
entry_end (Entry *entry, GPtrArray *aliases, GPtrArray *remarks)
{
    if (entry->line > 0)
        read_alias (aliases, entry, remarks);

    g_string_truncate (entry->text, 0);
    entry->line = 0;
}

static void
entry_take_line (Entry *entry, const gchar *line, guint number, GPtrArray *aliases, GPtrArray *remarks)
{
    g_autofree gchar *text = g_strstrip (g_strdup (line));
    gboolean continues = line[0] == ' ' || line[0] == '\t';

    if (*text == '\0' || *text == '#')
        return;

    if (!continues) {
        entry_end (entry, aliases, remarks);
        entry->line = number;
    } else if (entry->line == 0) {
        message_alias_remark (remarks, number, TRUE,
                              g_strdup ("the line starts with a blank, and continues nothing"));
        return;
    }

    g_string_append_printf (entry->text, "%s%s", entry->text->len > 0 ? " " : "", text);
}

/* Returns: (transfer full) (nullable): the lines of a text; NULL with a remark if it is no text */
static gchar **
cut_lines (const gchar *text, gsize length, GPtrArray *remarks)
{
    g_autofree gchar *terminated = NULL;

    if (!g_utf8_validate (text, (gssize) length, NULL)) {
        message_alias_remark (remarks, 1, TRUE, g_strdup ("the file is not UTF-8 text"));
        return NULL;
    }

    terminated = g_strndup (length > 0 ? text : "", length);
    return g_strsplit_set (terminated, "\n", -1);
}

GPtrArray *
message_alias_parse (const gchar *text, gsize length, GPtrArray *remarks)
{
    GPtrArray *aliases = g_ptr_array_new_with_free_func (alias_free);
    g_auto (GStrv) lines = cut_lines (text, length, remarks);
    Entry entry = {.text = g_string_new (NULL)};

    for (guint i = 0; lines != NULL && lines[i] != NULL; i++)
        entry_take_line (&entry, lines[i], i + 1, aliases, remarks);
    entry_end (&entry, aliases, remarks);

    g_string_free (entry.text, TRUE);
    return aliases;
}

GPtrArray *
message_alias_parse_included (const gchar *text, gsize length, GPtrArray *remarks)
{
    GPtrArray *targets = g_ptr_array_new_with_free_func (target_free);
    g_auto (GStrv) lines = cut_lines (text, length, remarks);

    for (guint i = 0; lines != NULL && lines[i] != NULL; i++) {
        g_strstrip (lines[i]);
        if (lines[i][0] != '#')
            read_targets (targets, lines[i], i + 1, remarks);
    }

    return targets;
}
