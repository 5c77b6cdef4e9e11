/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Alias tables
 *
 * Reads an alias file and the files that it includes into a table that is looked up by name. It is read on the thread
 * that serves, so what could keep that thread is refused: files of unlikely size, and what is none. An included file is
 * put in the place of its ":include:", once and for all, so that mail never waits for it.
 *
 * Whoever edits aliases makes circles sooner or later. They are told when the file is read, with the names that lead
 * round, and not when mail happens to meet them; what mail does then is the resolving's to decide.
 */

#include "alias-table.h"

#include "message/address.h"
#include "small-file.h"

#include <gio/gio.h>
#include <string.h>

/* All files together: some fifty thousand addresses, read in milliseconds. */
#define FILES_LONGEST_BYTES (4 * 1024 * 1024)

/* All files together, to bound what a look at their times costs. */
#define FILES_MOST 64

/* How deep files may include each other, and aliases name each other. */
#define INCLUDES_DEEPEST 8
#define ALIASES_DEEPEST  64

/* A file as it was read. */
typedef struct {
    gchar *path;
    gboolean is_missing;
    struct stat status;
} Stamp;

struct _AliasTable {
    GPtrArray *aliases; /* of MessageAlias */
    GHashTable *names;  /* of gchar * to GPtrArray of MessageAliasTarget, both owned by @aliases */
    GArray *stamps;     /* of Stamp */
};

/* A reading under way. */
typedef struct {
    AliasTable *table;
    GPtrArray *remarks; /* of gchar * */
    gsize bytes_left;
    gboolean is_good;
} Reading;

static void
stamp_clear (gpointer data)
{
    g_free (((Stamp *) data)->path);
}

static void remark (Reading *reading, const gchar *path, guint line, const gchar *format, ...) G_GNUC_PRINTF (4, 5);

static void
remark (Reading *reading, const gchar *path, guint line, const gchar *format, ...)
{
    g_autofree gchar *text = NULL;
    va_list arguments;

    va_start (arguments, format);
    text = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    if (line > 0)
        g_ptr_array_add (reading->remarks, g_strdup_printf ("%s:%u: %s", path, line, text));
    else
        g_ptr_array_add (reading->remarks, g_strdup_printf ("%s: %s", path, text));
}

static void
take_remarks (Reading *reading, const gchar *path, const GPtrArray *remarks)
{
    for (guint i = 0; i < remarks->len; i++) {
        const MessageAliasRemark *told = g_ptr_array_index (remarks, i);

        remark (reading, path, told->line, "%s", told->text);
        reading->is_good = reading->is_good && !told->is_fault;
    }
}

/* ---- Files ---- */

/* Reads a file and keeps its stamp. */
static gchar *
read_file (Reading *reading, const gchar *path, gsize *length, GError **error)
{
    Stamp stamp = {.path = g_strdup (path)};
    gchar *text = small_file_read (path, reading->bytes_left, &stamp.status, length, error);

    /* One that is there and may not be read still has times to be seen by. */
    stamp.is_missing = stamp.status.st_mode == 0 && stat (path, &stamp.status) < 0;
    g_array_append_val (reading->table->stamps, stamp);
    if (text != NULL)
        reading->bytes_left -= *length;

    return text;
}

/* ---- Included files ---- */

static void include_all (Reading *reading, const gchar *path, GPtrArray *targets, guint depth);

/* Returns: (transfer full) (nullable): the targets that the file @path is a list of */
static GPtrArray *
read_included (Reading *reading, const gchar *path, guint depth, GError **error)
{
    g_autoptr (GPtrArray) remarks = message_alias_remarks_new ();
    g_autofree gchar *text = NULL;
    GPtrArray *targets;
    gsize length;

    if (depth > INCLUDES_DEEPEST || reading->table->stamps->len >= FILES_MOST) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS,
                     "more than %d files, or files within files deeper than %d, are not read", FILES_MOST,
                     INCLUDES_DEEPEST);
        return NULL;
    }

    text = read_file (reading, path, &length, error);
    if (text == NULL)
        return NULL;

    targets = message_alias_parse_included (text, length, remarks);
    take_remarks (reading, path, remarks);
    include_all (reading, path, targets, depth + 1);
    return targets;
}

/* Puts the targets that each ":include:" of @targets names in its place. @path is the file that they stand in. */
static void
include_all (Reading *reading, const gchar *path, GPtrArray *targets, guint depth)
{
    for (guint i = 0; i < targets->len;) {
        const MessageAliasTarget *target = g_ptr_array_index (targets, i);
        g_autoptr (GPtrArray) included = NULL;
        g_autoptr (GError) error = NULL;

        if (target->kind != MESSAGE_ALIAS_INCLUDE) {
            i++;
            continue;
        }

        included = read_included (reading, target->text, depth, &error);
        if (included == NULL) {
            remark (reading, path, target->line, "%s cannot be included: %s", target->text, error->message);
            reading->is_good = FALSE;
        }

        g_ptr_array_remove_index (targets, i);
        if (included != NULL)
            g_ptr_array_extend_and_steal (targets, g_steal_pointer (&included));
    }
}

/* ---- Circles ---- */

/* The alias that a target leads to; NULL if it leads out of the table. */
static MessageAlias *
next_alias (GHashTable *by_name, const MessageAliasTarget *target)
{
    g_autofree gchar *local = NULL;
    g_autofree gchar *name = NULL;

    if (target->kind != MESSAGE_ALIAS_ADDRESS ||
        (message_address_domain (target->text) != NULL && !message_address_is_localhost (target->text)))
        return NULL;

    local = message_address_local_part (target->text);
    name = g_utf8_strdown (local, -1);
    return g_hash_table_lookup (by_name, name);
}

static void
tell_circle (Reading *reading, const gchar *path, const GPtrArray *way, guint from)
{
    const MessageAlias *first = g_ptr_array_index (way, from);
    g_autoptr (GString) names = g_string_new (NULL);

    for (guint i = from; i < way->len; i++)
        g_string_append_printf (names, "%s, ", ((const MessageAlias *) g_ptr_array_index (way, i))->name);

    remark (reading, path, first->line, "a loop: %s%s; mail that comes round is treated as if “%s” had no alias",
            names->str, first->name, first->name);
}

/* Follows @alias. @way is how it was reached, @seen what was followed to its end. */
static void
follow (Reading *reading, const gchar *path, GHashTable *by_name, MessageAlias *alias, GPtrArray *way,
        GHashTable *seen)
{
    guint from;

    /* An alias that names itself means the mailbox of that name, as people have always written it. */
    if (g_ptr_array_find (way, alias, &from)) {
        if (from + 1 < way->len)
            tell_circle (reading, path, way, from);
        return;
    }
    if (way->len >= ALIASES_DEEPEST || g_hash_table_contains (seen, alias))
        return;

    g_ptr_array_add (way, alias);
    for (guint i = 0; i < alias->targets->len; i++) {
        MessageAlias *next = next_alias (by_name, g_ptr_array_index (alias->targets, i));

        if (next != NULL)
            follow (reading, path, by_name, next, way, seen);
    }
    g_ptr_array_set_size (way, (gint) way->len - 1);
    g_hash_table_add (seen, alias);
}

static void
tell_circles (Reading *reading, const gchar *path)
{
    g_autoptr (GHashTable) by_name = g_hash_table_new (g_str_hash, g_str_equal);
    g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
    g_autoptr (GPtrArray) way = g_ptr_array_new ();
    const GPtrArray *aliases = reading->table->aliases;

    for (guint i = 0; i < aliases->len; i++) {
        MessageAlias *alias = g_ptr_array_index (aliases, i);

        if (g_hash_table_lookup (reading->table->names, alias->name) == alias->targets)
            g_hash_table_insert (by_name, alias->name, alias);
    }
    for (guint i = 0; i < aliases->len; i++)
        follow (reading, path, by_name, g_ptr_array_index (aliases, i), way, seen);
}

/* ---- The table ---- */

/* An alias that has nothing left to go to is none: its mail goes where that of every other name goes. */
static void
index_aliases (Reading *reading, const gchar *path)
{
    for (guint i = 0; i < reading->table->aliases->len; i++) {
        MessageAlias *alias = g_ptr_array_index (reading->table->aliases, i);

        include_all (reading, path, alias->targets, 1);
        if (alias->targets->len == 0) {
            remark (reading, path, alias->line, "“%s” leads nowhere, and is treated as if it had no alias",
                    alias->name);
        } else if (g_hash_table_contains (reading->table->names, alias->name)) {
            remark (reading, path, alias->line, "“%s” is there twice; the first one counts", alias->name);
            reading->is_good = FALSE;
        } else {
            g_hash_table_insert (reading->table->names, alias->name, alias->targets);
        }
    }
}

static void
read_table (Reading *reading, const gchar *path, const gchar *text, gsize length)
{
    g_autoptr (GPtrArray) remarks = message_alias_remarks_new ();

    reading->table->aliases = message_alias_parse (text, length, remarks);
    take_remarks (reading, path, remarks);
    index_aliases (reading, path);
    tell_circles (reading, path);
}

AliasTable *
alias_table_read (const gchar *path, gboolean may_be_missing, GPtrArray *remarks, gboolean *is_good)
{
    AliasTable *table = g_new0 (AliasTable, 1);
    Reading reading = {.table = table, .remarks = remarks, .bytes_left = FILES_LONGEST_BYTES, .is_good = TRUE};
    g_autoptr (GError) error = NULL;
    g_autofree gchar *text = NULL;
    gsize length = 0;

    table->names = g_hash_table_new (g_str_hash, g_str_equal);
    table->stamps = g_array_new (FALSE, FALSE, sizeof (Stamp));
    g_array_set_clear_func (table->stamps, stamp_clear);

    text = read_file (&reading, path, &length, &error);
    if (text == NULL && !(may_be_missing && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))) {
        remark (&reading, path, 0, "the aliases cannot be read: %s", error->message);
        reading.is_good = FALSE;
    }

    read_table (&reading, path, text != NULL ? text : "", length);
    *is_good = reading.is_good;
    return table;
}

void
alias_table_free (AliasTable *table)
{
    g_hash_table_unref (table->names);
    g_ptr_array_unref (table->aliases);
    g_array_unref (table->stamps);
    g_free (table);
}

static gboolean
same_time (const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static gboolean
is_unchanged (const Stamp *stamp)
{
    struct stat now;

    if (stat (stamp->path, &now) < 0)
        return stamp->is_missing;

    return !stamp->is_missing && now.st_dev == stamp->status.st_dev && now.st_ino == stamp->status.st_ino &&
           now.st_size == stamp->status.st_size && same_time (&now.st_mtim, &stamp->status.st_mtim) &&
           same_time (&now.st_ctim, &stamp->status.st_ctim);
}

gboolean
alias_table_is_current (const AliasTable *table)
{
    for (guint i = 0; i < table->stamps->len; i++)
        if (!is_unchanged (&g_array_index (table->stamps, Stamp, i)))
            return FALSE;

    return TRUE;
}

guint
alias_table_count (const AliasTable *table)
{
    return g_hash_table_size (table->names);
}

const GPtrArray *
alias_table_find (const AliasTable *table, const gchar *name)
{
    g_autofree gchar *folded = g_utf8_strdown (name, -1);

    return g_hash_table_lookup (table->names, folded);
}
