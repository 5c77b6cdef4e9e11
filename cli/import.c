/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Imports
 *
 * What all of them share. Each mail system's own file knows its format and what its words mean; it goes through the lines in
 * their order and says of each what became of it. A line that is not understood is one that has no counterpart: it
 * is told, never passed over, since that is where a machine would later behave in another way than before.
 *
 * Nothing here writes. Passwords go into the plan and nowhere else; a line that has one is shown without it.
 */

#include "cli/import.h"

#include "message/text-start.h"

#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"

/* No configuration of this kind is longer; a device or a spool by mistake would be. */
#define FILE_LONGEST_BYTES (16 * 1024 * 1024)

static const ImportKind kinds[] = {
    {"nullmailer", "/etc/nullmailer", "/etc/nullmailer/remotes", import_nullmailer},
    {"msmtp", "/etc/msmtprc", "/etc/msmtprc", import_msmtp},
    {"ssmtp", "/etc/ssmtp/ssmtp.conf", "/etc/ssmtp/ssmtp.conf", import_ssmtp},
    {"dma", "/etc/dma/dma.conf", "/etc/dma/dma.conf", import_dma},
    {"postfix", "/etc/postfix/main.cf", "/etc/postfix/main.cf", import_postfix},
};

const ImportKind *
import_kind_get (guint index)
{
    return index < G_N_ELEMENTS (kinds) ? &kinds[index] : NULL;
}

const ImportKind *
import_kind_find (const gchar *name)
{
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
        if (g_ascii_strcasecmp (kinds[i].name, name) == 0)
            return &kinds[i];

    return NULL;
}

static void
note_free (ImportNote *note)
{
    g_free (note->file);
    g_free (note->text);
    g_free (note->told);
    g_free (note);
}

Import *
import_new (const gchar *root, ConfigPlan *plan)
{
    Import *import = g_new0 (Import, 1);

    import->root = g_strdup (root != NULL && !g_str_equal (root, "/") ? root : "");
    import->plan = plan;
    import->notes = g_ptr_array_new_with_free_func ((GDestroyNotify) note_free);
    import->missed = g_ptr_array_new_with_free_func (g_free);
    return import;
}

void
import_free (Import *import)
{
    g_free (import->root);
    g_ptr_array_unref (import->notes);
    g_ptr_array_unref (import->missed);
    g_free (import);
}

/* ---- Files ---- */

gchar *
import_path (const Import *import, const gchar *path)
{
    return *import->root == '\0' ? g_strdup (path) : g_build_filename (import->root, path, NULL);
}

gboolean
import_has (const Import *import, const gchar *path)
{
    g_autofree gchar *real = import_path (import, path);

    return g_file_test (real, G_FILE_TEST_EXISTS);
}

static void
note_unreadable (Import *import, const gchar *path, const gchar *why)
{
    const ImportLine line = {.file = path, .text = (gchar *) ""};

    import_note (import, IMPORT_LOST, &line, NULL, "it cannot be read: %s", why);
}

/* Returns: (transfer full) (nullable): the text of a file, which may have passwords in it */
static gchar *
read_text (Import *import, const gchar *path)
{
    g_autofree gchar *real = import_path (import, path);
    g_autoptr (GMappedFile) file = NULL;
    g_autoptr (GError) error = NULL;
    const gchar *text;
    gsize length;

    if (!g_file_test (real, G_FILE_TEST_EXISTS))
        return NULL;

    file = g_file_test (real, G_FILE_TEST_IS_REGULAR) ? g_mapped_file_new (real, FALSE, &error) : NULL;
    if (file == NULL || g_mapped_file_get_length (file) > FILE_LONGEST_BYTES) {
        note_unreadable (import, path, error != NULL ? error->message : "no file of the kind that was expected");
        return NULL;
    }

    text = g_mapped_file_get_contents (file);
    length = g_mapped_file_get_length (file);
    if (!message_text_start (&text, &length, &error)) {
        note_unreadable (import, path, error->message);
        return NULL;
    }

    return g_strndup (text, length);
}

static void
line_free (ImportLine *line)
{
    explicit_bzero (line->text, strlen (line->text));
    g_free (line->text);
    g_free ((gchar *) line->file);
    g_free (line);
}

static void
wipe_lines (gchar **lines)
{
    for (guint i = 0; lines[i] != NULL; i++)
        explicit_bzero (lines[i], strlen (lines[i]));
    g_strfreev (lines);
}

GPtrArray *
import_read (Import *import, const gchar *path, gboolean keep_indented)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func ((GDestroyNotify) line_free);
    gchar *text = read_text (import, path);
    gchar **raw = g_strsplit (text != NULL ? text : "", "\n", -1);

    for (guint i = 0; raw[i] != NULL; i++) {
        const gchar *start = raw[i] + strspn (raw[i], " \t\r");
        ImportLine *line;

        if (*start == '\0' || *start == '#')
            continue;
        line = g_new0 (ImportLine, 1);
        line->file = g_strdup (path);
        line->number = i + 1;
        line->text = g_strchomp (g_strdup (keep_indented ? raw[i] : start));
        g_ptr_array_add (lines, line);
    }

    wipe_lines (raw);
    if (text != NULL)
        explicit_bzero (text, strlen (text));
    g_free (text);
    return lines;
}

gchar *
import_read_first (Import *import, const gchar *path)
{
    g_autofree gchar *text = read_text (import, path);

    if (text == NULL)
        return NULL;

    text[strcspn (text, "\n")] = '\0';
    g_strstrip (text);
    return *text != '\0' ? g_steal_pointer (&text) : NULL;
}

/* ---- The account ---- */

void
import_note (Import *import, ImportOutcome outcome, const ImportLine *line, const gchar *shown, const gchar *format,
             ...)
{
    ImportNote *note = g_new0 (ImportNote, 1);
    va_list arguments;

    va_start (arguments, format);
    note->told = g_strdup_vprintf (format, arguments);
    va_end (arguments);
    note->outcome = outcome;
    note->file = g_strdup (line != NULL ? line->file : "");
    note->line = line != NULL ? line->number : 0;
    note->text = g_strdup (shown != NULL ? shown : line != NULL ? line->text : "");
    g_ptr_array_add (import->notes, note);
}

void
import_take (Import *import, const ImportLine *line, const gchar *group, const gchar *key, const gchar *value)
{
    config_plan_set (import->plan, group, key, value);
    import_note (import, IMPORT_TAKEN, line, NULL, "[%s] %s=%s", group, key, value);
}

void
import_take_trust_file (Import *import, const ImportLine *line, const gchar *group, const gchar *path)
{
    if (g_str_equal (path, SYSTEM_AUTHORITIES) || g_str_equal (path, "system"))
        import_note (import, IMPORT_SAME, line, NULL, "the system's authorities are trusted anyway");
    else if (!g_path_is_absolute (path))
        import_note (import, IMPORT_LOST, line, NULL, "TrustFile= wants an absolute path");
    else if (!import_has (import, path))
        import_note (import, IMPORT_LOST, line, NULL, "there is no file %s; the system's authorities are trusted",
                     path);
    else
        import_take (import, line, group, "TrustFile", path);
}

gboolean
import_take_seconds (Import *import, const ImportLine *line, const gchar *group, const gchar *key, const gchar *text)
{
    static const struct {
        guint64 seconds;
        const gchar *unit;
    } units[] = {{24 * 3600, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    g_autofree gchar *value = NULL;
    guint64 seconds;
    guint i = 0;

    if (!g_ascii_string_to_unsigned (text, 10, 0, 3650 * G_GUINT64_CONSTANT (24) * 3600, &seconds, NULL)) {
        import_note (import, IMPORT_LOST, line, NULL, "“%s” is no number of seconds", text);
        return FALSE;
    }

    if (seconds == 0 && !g_str_equal (key, "DelayNotice")) {
        import_note (import, IMPORT_LOST, line, NULL, "%s= is at least a second", key);
        return FALSE;
    }

    while (seconds % units[i].seconds != 0)
        i++;
    value = g_strdup_printf ("%" G_GUINT64_FORMAT "%s", seconds / units[i].seconds, units[i].unit);
    import_take (import, line, group, key, value);
    return TRUE;
}

/* ---- Names of groups ---- */

/* A name of letters, digits, "-", "_" and "." */
static gchar *
make_name (const gchar *wanted)
{
    gchar *name = g_strdup (*wanted != '\0' ? wanted : "other");

    return g_strcanon (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.", '-');
}

static gchar *
free_group (const Import *import, const gchar *kind, const gchar *wanted)
{
    g_autofree gchar *name = make_name (wanted);
    gchar *group = g_strdup_printf ("%s %s", kind, name);

    for (guint i = 2; config_plan_has_group (import->plan, group); i++) {
        g_free (group);
        group = g_strdup_printf ("%s %s-%u", kind, name, i);
    }

    return group;
}

gchar *
import_smarthost_group (const Import *import, const gchar *wanted)
{
    if (!config_plan_has_group (import->plan, "Smarthost"))
        return g_strdup ("Smarthost");

    return free_group (import, "Smarthost", g_ascii_strcasecmp (wanted, "default") != 0 ? wanted : "other");
}

const gchar *
import_smarthost_name (const gchar *group)
{
    return g_str_equal (group, "Smarthost") ? "default" : group + strlen ("Smarthost ");
}

gchar *
import_route_group (const Import *import, const gchar *wanted)
{
    return free_group (import, "Route", wanted);
}

/* ---- Passwords ---- */

static gchar *
credential_of (const gchar *group)
{
    const gchar *name = import_smarthost_name (group);

    return g_str_equal (name, "default") ? g_strdup ("smarthost") : g_strconcat ("smarthost-", name, NULL);
}

static gboolean
has_no_tls (const Import *import, const gchar *group)
{
    const gchar *tls = config_plan_get (import->plan, group, "TLS");

    return g_strcmp0 (tls, "none") == 0 || g_strcmp0 (tls, "opportunistic") == 0;
}

void
import_set_password (Import *import, const gchar *group, const gchar *password)
{
    g_autofree gchar *credential = credential_of (group);

    config_plan_set_password (import->plan, group, credential, password);
    if (has_no_tls (import, group)) {
        config_plan_set (import->plan, group, "AuthWithoutTLS", "yes");
        import_note (
            import, IMPORT_CHANGED, NULL, NULL,
            "[%s]: the password is sent without encryption, as before; TLS=starttls and no AuthWithoutTLS= would be "
            "better, if the server can",
            group);
    }
}

void
import_miss_password (Import *import, const ImportLine *line, const gchar *group, const gchar *why)
{
    g_autofree gchar *credential = credential_of (group);

    config_plan_set (import->plan, group, "PasswordCredential", credential);
    g_ptr_array_add (import->missed, g_strdup (group));
    import_note (import, IMPORT_CHANGED, line, NULL,
                 "%s; until the password is in the file “%s” of the credentials, the relay does not start", why,
                 credential);
}
