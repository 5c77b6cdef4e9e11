/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The reader of the journal
 *
 * The journal indexes every field of every entry, so the story of a message is found by its queue id, and the messages of
 * a person by the address, without reading what is not about them, however large the journal is.
 *
 * Every program on the machine may write entries with our fields. What cannot be forged is where an entry came from, which
 * the journal itself notes: so only entries of the relay's unit count.
 */

#include "journal/reader.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define UNIT "postern.service"

struct _JournalReader {
    sd_journal *journal;
    gboolean is_user;
    gint64 submitter;
};

G_DEFINE_QUARK (postern_journal_error, journal_error)

static int
open_journal (sd_journal **journal, const JournalPlace *place)
{
    int flags = SD_JOURNAL_LOCAL_ONLY | (place->is_user ? SD_JOURNAL_CURRENT_USER : SD_JOURNAL_SYSTEM);

    if (place->files != NULL)
        return sd_journal_open_files (journal, (const char **) place->files, 0);
    if (place->directory != NULL)
        return sd_journal_open_directory (journal, place->directory, 0);
    return sd_journal_open (journal, flags);
}

/* Whom the journal's files are forbidden to sees none, and no error. */
static gboolean
has_files (sd_journal *journal)
{
    return sd_journal_has_persistent_files (journal) > 0 || sd_journal_has_runtime_files (journal) > 0;
}

static void
refuse (const JournalPlace *place, GError **error)
{
    if (place->is_user)
        g_set_error (
            error, JOURNAL_ERROR, JOURNAL_ERROR_NOT_READER,
            "there is no journal of yours: users have their own only where the journal is kept on disk (make the "
            "folder /var/log/journal, or see Storage= in journald.conf(5)); until then root can read of your mail "
            "with “journalctl _UID=%u _SYSTEMD_USER_UNIT=" UNIT "”",
            geteuid ());
    else
        g_set_error_literal (error, JOURNAL_ERROR, JOURNAL_ERROR_NOT_READER,
                             "the journal of this machine is not there, or not for you to read");
}

JournalReader *
journal_reader_new (const JournalPlace *place, GError **error)
{
    sd_journal *journal = NULL;
    int result = open_journal (&journal, place);
    JournalReader *reader;

    if (result < 0) {
        g_set_error (error, JOURNAL_ERROR, JOURNAL_ERROR_FAILED, "cannot open the journal%s%s: %s",
                     place->directory != NULL ? " in " : "", place->directory != NULL ? place->directory : "",
                     g_strerror (-result));
        return NULL;
    }
    if (place->files == NULL && place->directory == NULL && !has_files (journal)) {
        sd_journal_close (journal);
        refuse (place, error);
        return NULL;
    }

    reader = g_new0 (JournalReader, 1);
    reader->journal = journal;
    reader->is_user = place->is_user;
    reader->submitter = place->submitter;
    return reader;
}

void
journal_reader_free (JournalReader *reader)
{
    if (reader == NULL)
        return;

    sd_journal_close (reader->journal);
    g_free (reader);
}

static gboolean
fail (int result, GError **error)
{
    g_set_error (error, JOURNAL_ERROR, JOURNAL_ERROR_FAILED, "cannot read the journal: %s", g_strerror (-result));
    return FALSE;
}

static int
match (JournalReader *reader, const gchar *field, const gchar *value)
{
    g_autofree gchar *text = g_strconcat (field, "=", value, NULL);

    return sd_journal_add_match (reader->journal, text, 0);
}

static int
match_number (JournalReader *reader, const gchar *field, gint64 number)
{
    g_autofree gchar *text = g_strdup_printf ("%" G_GINT64_FORMAT, number);

    return match (reader, field, text);
}

/* The relay's own entries, of the submitter's mail if there is one. What is matched after it comes on top. */
static int
match_relay (JournalReader *reader)
{
    int result = match (reader, reader->is_user ? "_SYSTEMD_USER_UNIT" : "_SYSTEMD_UNIT", UNIT);

    if (result >= 0 && reader->is_user)
        result = match_number (reader, "_UID", geteuid ());
    if (result >= 0 && reader->submitter >= 0)
        result = match_number (reader, "POSTERN_SUBMITTER_UID", reader->submitter);
    return result < 0 ? result : sd_journal_add_conjunction (reader->journal);
}

/* ---- A story ---- */

static gboolean
is_told (const gchar *field, gsize length)
{
    static const gchar *const names[] = {"MESSAGE=", "MESSAGE_ID=", "PRIORITY="};

    if (length > 8 && memcmp (field, "POSTERN_", 8) == 0)
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        if (length >= strlen (names[i]) && memcmp (field, names[i], strlen (names[i])) == 0)
            return TRUE;
    return FALSE;
}

static void
add_field (GVariantBuilder *fields, const gchar *field, gsize length)
{
    const gchar *equals = memchr (field, '=', length);
    gsize name_length = equals == NULL ? length : (gsize) (equals - field);
    g_autofree gchar *name = g_strndup (field, name_length);
    g_autofree gchar *value = NULL;

    if (equals == NULL)
        return;

    value = g_utf8_make_valid (equals + 1, (gssize) (length - name_length - 1));
    g_variant_builder_add (fields, "(ss)", name, value);
}

static int
add_entry (JournalReader *reader, GVariantBuilder *story)
{
    const void *data;
    size_t length;
    uint64_t usec;
    int result = sd_journal_get_realtime_usec (reader->journal, &usec);

    if (result < 0)
        return result;

    g_variant_builder_open (story, G_VARIANT_TYPE ("(ta(ss))"));
    g_variant_builder_add (story, "t", usec);
    g_variant_builder_open (story, G_VARIANT_TYPE ("a(ss)"));
    SD_JOURNAL_FOREACH_DATA (reader->journal, data, length)
    {
        if (is_told (data, length))
            add_field (story, data, length);
    }
    g_variant_builder_close (story);
    g_variant_builder_close (story);
    return 0;
}

static int
find_story (JournalReader *reader, const gchar *id)
{
    int result;

    sd_journal_flush_matches (reader->journal);
    result = match_relay (reader);
    if (result >= 0)
        result = match (reader, "POSTERN_QUEUE_ID", id);
    return result < 0 ? result : sd_journal_seek_head (reader->journal);
}

GVariant *
journal_reader_story (JournalReader *reader, const gchar *id, GError **error)
{
    g_auto (GVariantBuilder) story = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (JOURNAL_STORY_TYPE));
    int result = find_story (reader, id);

    for (guint n = 0; result >= 0 && n < JOURNAL_STORY_MOST; n++) {
        result = sd_journal_next (reader->journal);
        if (result <= 0)
            break;
        result = add_entry (reader, &story);
    }

    if (result < 0) {
        fail (result, error);
        return NULL;
    }
    return g_variant_builder_end (&story);
}

/* ---- Finding messages ---- */

/* The relay writes domains in lower case, and people write them as they like. */
static gchar *
fold_domain (const gchar *address)
{
    const gchar *at = strrchr (address, '@');
    g_autofree gchar *domain = at == NULL ? NULL : g_ascii_strdown (at, -1);

    return at == NULL ? g_strdup (address) : g_strdup_printf ("%.*s%s", (int) (at - address), address, domain);
}

static int
match_what (JournalReader *reader, const gchar *what)
{
    g_autofree gchar *folded = fold_domain (what);
    gboolean has_brackets = g_str_has_prefix (what, "<") && g_str_has_suffix (what, ">");
    g_autofree gchar *identifier = has_brackets ? g_strdup (what) : g_strdup_printf ("<%s>", what);
    int result = match (reader, "POSTERN_RECIPIENT", folded);

    if (result >= 0)
        result = sd_journal_add_disjunction (reader->journal);
    if (result >= 0)
        result = match (reader, "POSTERN_SENDER", folded);
    if (result >= 0)
        result = sd_journal_add_disjunction (reader->journal);
    return result < 0 ? result : match (reader, "POSTERN_MESSAGE_ID", identifier);
}

static int
find_what (JournalReader *reader, const gchar *what)
{
    int result;

    sd_journal_flush_matches (reader->journal);
    result = match_relay (reader);
    if (result >= 0)
        result = match_what (reader, what);
    return result < 0 ? result : sd_journal_seek_tail (reader->journal);
}

/* Returns: (transfer full) (nullable): the queue id of the entry */
static gchar *
entry_id (JournalReader *reader)
{
    const gsize prefix = strlen ("POSTERN_QUEUE_ID=");
    const void *data;
    size_t length;

    if (sd_journal_get_data (reader->journal, "POSTERN_QUEUE_ID", &data, &length) < 0 || length <= prefix)
        return NULL;
    return g_strndup ((const gchar *) data + prefix, length - prefix);
}

/* Takes the id of the entry, if it is new. Returns: whether to look further back; the last one too many is not taken. */
static gboolean
take_id (JournalReader *reader, guint64 since_usec, guint most, GHashTable *seen, gboolean *is_all)
{
    uint64_t usec = 0;
    gchar *id;

    if (sd_journal_get_realtime_usec (reader->journal, &usec) >= 0 && usec < since_usec)
        return FALSE;

    id = entry_id (reader);
    if (id == NULL || g_hash_table_contains (seen, id)) {
        g_free (id);
        return TRUE;
    }
    if (g_hash_table_size (seen) == most) {
        *is_all = FALSE;
        g_free (id);
        return FALSE;
    }
    g_hash_table_add (seen, id);
    return TRUE;
}

static int
compare_ids (const void *a, const void *b)
{
    return strcmp (*(gchar *const *) a, *(gchar *const *) b);
}

/* Ids sort by age. */
static gchar **
take_sorted (GHashTable *seen)
{
    guint n;
    gchar **ids = (gchar **) g_hash_table_get_keys_as_array (seen, &n);

    g_hash_table_steal_all (seen);
    qsort (ids, n, sizeof *ids, compare_ids);
    return ids;
}

gchar **
journal_reader_find (JournalReader *reader, const gchar *what, guint64 since_usec, guint most, gboolean *is_all,
                     GError **error)
{
    g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    int result = find_what (reader, what);

    *is_all = TRUE;
    while (result >= 0) {
        result = sd_journal_previous (reader->journal);
        if (result <= 0 || !take_id (reader, since_usec, most, seen, is_all))
            break;
    }

    if (result < 0) {
        fail (result, error);
        return NULL;
    }
    return take_sorted (seen);
}

/* ---- Beginnings of ids ---- */

/* The values that the journal has of the field, whoever wrote them: to be looked at again. */
static int
gather_ids (JournalReader *reader, const gchar *beginning, GHashTable *seen)
{
    const gsize name = strlen ("POSTERN_QUEUE_ID=");
    const void *data;
    size_t length;
    int result = sd_journal_query_unique (reader->journal, "POSTERN_QUEUE_ID");

    if (result < 0)
        return result;

    SD_JOURNAL_FOREACH_UNIQUE (reader->journal, data, length)
    {
        g_autofree gchar *id = length > name ? g_strndup ((const gchar *) data + name, length - name) : NULL;

        if (id != NULL && g_str_has_prefix (id, beginning))
            g_hash_table_add (seen, g_steal_pointer (&id));
    }
    return 0;
}

/* Whether there is an entry of it that counts. */
static int
has_story (JournalReader *reader, const gchar *id)
{
    int result = find_story (reader, id);

    return result < 0 ? result : sd_journal_next (reader->journal);
}

gchar **
journal_reader_complete (JournalReader *reader, const gchar *beginning, guint most, GError **error)
{
    g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr (GStrvBuilder) found = g_strv_builder_new ();
    g_auto (GStrv) candidates = NULL;
    int result = gather_ids (reader, beginning, seen);
    guint n = 0;

    candidates = take_sorted (seen);
    for (guint i = 0; result >= 0 && candidates[i] != NULL && n < most; i++) {
        result = has_story (reader, candidates[i]);
        if (result > 0) {
            g_strv_builder_add (found, candidates[i]);
            n++;
        }
    }

    if (result < 0) {
        fail (result, error);
        return NULL;
    }
    return g_strv_builder_end (found);
}
