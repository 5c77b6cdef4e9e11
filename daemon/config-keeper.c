/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The keeper of the configuration
 *
 * A slip of the pen must not stop the machine's mail. A reload with a bad configuration changes nothing. A start needs one, and
 * takes the best that there is:
 *  1. what the files say;
 *  2. what they said when they were good last, of which the state directory has a copy. Mail goes on as before;
 *  3. what the bad files say of taking mail in, as far as it is good. Nothing is sent then, because nobody knows where it
 *     should go: mail is taken, and waits with the reason.
 * It stays so until the next reload or start with good files.
 *
 * The copy has the text of the files and of the tables that rewrite addresses, since mail that is taken in without those could
 * not be called back. Secrets, certificates and aliases are read where they are. If a secret is what is missing, the copy is
 * of no use either, and mail waits.
 *
 * The copy is written beside the main loop, by a rename, only when something in it has changed. Its time is that of the last
 * good load.
 */

#include "config-keeper.h"

#include "log-event.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

#define COPY_NAME "configuration"
#define COPY_HEAD                                                                                                            \
    "# What the configuration said when it was good last. posternd writes this, and uses it when the configuration is bad\n" \
    "# at a start; to change something, change the configuration.\n"

struct _ConfigKeeper {
    const ConfigSources *sources;
    gchar *copy_path;
    ConfigInForce in_force;
    gint64 since_usec;
    gchar *problems;     /* (nullable) */
    gchar *consequence;  /* (nullable) */
    GPtrArray *warnings; /* of gchar *: what works, but should not stay so, when the files were read last */
    GThread *writer;     /* (nullable) */
};

const gchar *
config_in_force_name (ConfigInForce in_force)
{
    static const gchar *const names[] = {[CONFIG_IN_FORCE_CURRENT] = "current",
                                         [CONFIG_IN_FORCE_EARLIER] = "earlier",
                                         [CONFIG_IN_FORCE_NONE] = "none"};

    return names[in_force];
}

ConfigKeeper *
config_keeper_new (const ConfigSources *sources, const gchar *state_directory)
{
    ConfigKeeper *self = g_new0 (ConfigKeeper, 1);

    self->sources = sources;
    self->warnings = g_ptr_array_new_with_free_func (g_free);
    self->copy_path = g_build_filename (state_directory, COPY_NAME, NULL);
    return self;
}

void
config_keeper_free (ConfigKeeper *self)
{
    if (self->writer != NULL)
        g_thread_join (self->writer);
    g_free (self->copy_path);
    g_free (self->problems);
    g_free (self->consequence);
    g_ptr_array_unref (self->warnings);
    g_free (self);
}

/* ---- What is wrong ---- */

static void
set_trouble (ConfigKeeper *self, const gchar *problems, gchar *consequence)
{
    g_free (self->problems);
    self->problems = g_strdup (problems);
    g_free (self->consequence);
    self->consequence = consequence;
}

static gchar *
time_text (gint64 usec)
{
    g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (usec / G_USEC_PER_SEC);

    return g_date_time_format (time, "%Y-%m-%d %H:%M");
}

/* Returns: (transfer full): what is in force, for a sentence that tells that the configuration is bad */
static gchar *
describe (const ConfigKeeper *self)
{
    g_autofree gchar *time = time_text (self->since_usec);

    if (self->in_force == CONFIG_IN_FORCE_NONE)
        return g_strdup ("mail is taken in and waits until it is good");

    return g_strdup_printf ("the last good one is in force, that of %s", time);
}

/* Returns: (transfer full): the first of the problems, and how many more there are */
static gchar *
summarize (const gchar *problems)
{
    g_auto (GStrv) lines = g_strsplit (problems, "\n", -1);
    guint n = g_strv_length (lines);

    return n > 1 ? g_strdup_printf ("%s (and %u more, in the journal)", lines[0], n - 1) : g_strdup (lines[0]);
}

/* ---- Loading ---- */

static Config *
load (ConfigKeeper *self, GError **error)
{
    Config *config;

    g_ptr_array_set_size (self->warnings, 0);
    config = config_load (self->sources, self->warnings, error);
    for (guint i = 0; i < self->warnings->len; i++)
        log_event_configuration_warning (g_ptr_array_index (self->warnings, i));

    return config;
}

/* Returns: (transfer full) (nullable): what the copy says */
static Config *
load_copy (ConfigKeeper *self)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (Config) config = NULL;
    struct stat status;

    if (g_stat (self->copy_path, &status) != 0)
        return NULL;

    config = config_load_written (self->sources, self->copy_path, &error);
    if (config == NULL) {
        log_event_configuration_copy_bad (error);
        return NULL;
    }

    g_clear_pointer (&config->written, g_free);
    self->in_force = CONFIG_IN_FORCE_EARLIER;
    self->since_usec = (gint64) status.st_mtime * G_USEC_PER_SEC;
    return g_steal_pointer (&config);
}

static Config *
load_holding (ConfigKeeper *self, const gchar *problems)
{
    g_autofree gchar *summary = summarize (problems);
    g_autofree gchar *reason = g_strdup_printf (
        "the configuration is bad, and mail waits until it is good; correct it, then “postern reload”: %s", summary);

    self->in_force = CONFIG_IN_FORCE_NONE;
    self->since_usec = g_get_real_time ();
    return config_load_holding (self->sources, reason);
}

Config *
config_keeper_start (ConfigKeeper *self)
{
    g_autoptr (GError) error = NULL;
    Config *config = load (self, &error);

    if (config != NULL)
        return config;

    config = load_copy (self);
    if (config == NULL)
        config = load_holding (self, error->message);
    set_trouble (self, error->message, describe (self));
    log_event_configuration_bad (self->problems, self->consequence);
    return config;
}

Config *
config_keeper_reload (ConfigKeeper *self, GError **error)
{
    return load (self, error);
}

void
config_keeper_refuse (ConfigKeeper *self, const GError *reason)
{
    if (self->in_force == CONFIG_IN_FORCE_CURRENT)
        self->in_force = CONFIG_IN_FORCE_EARLIER;
    set_trouble (self, reason->message, describe (self));
    log_event_configuration_bad (self->problems, self->consequence);
}

/* ---- The copy ---- */

typedef struct {
    gchar *path;
    gchar *text;
    GThread *before; /* (nullable) writes an earlier one */
} Copy;

static gboolean
is_as_it_was (const Copy *copy)
{
    g_autofree gchar *there = NULL;

    return g_file_get_contents (copy->path, &there, NULL, NULL) && g_str_equal (there, copy->text);
}

static gpointer
write_copy (gpointer data)
{
    Copy *copy = data;
    g_autoptr (GError) error = NULL;

    if (copy->before != NULL)
        g_thread_join (copy->before);
    if (is_as_it_was (copy))
        utimensat (AT_FDCWD, copy->path, NULL, 0);
    else if (!g_file_set_contents_full (copy->path, copy->text, -1,
                                        G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &error))
        g_warning ("the good configuration could not be copied for a start with a bad one: %s", error->message);

    g_free (copy->path);
    g_free (copy->text);
    g_free (copy);
    return NULL;
}

void
config_keeper_settle (ConfigKeeper *self, Config *config)
{
    g_autofree gchar *written = g_steal_pointer (&config->written);
    Copy *copy;

    if (written == NULL)
        return;

    self->in_force = CONFIG_IN_FORCE_CURRENT;
    self->since_usec = g_get_real_time ();
    set_trouble (self, NULL, NULL);
    copy = g_new0 (Copy, 1);
    copy->path = g_strdup (self->copy_path);
    copy->text = g_strconcat (COPY_HEAD, written, NULL);
    copy->before = g_steal_pointer (&self->writer);
    self->writer = g_thread_new ("configuration", write_copy, copy);
}

/* ---- Looking ---- */

ConfigInForce
config_keeper_in_force (const ConfigKeeper *self)
{
    return self->in_force;
}

gint64
config_keeper_since (const ConfigKeeper *self)
{
    return self->since_usec;
}

const gchar *
config_keeper_problems (const ConfigKeeper *self)
{
    return self->problems;
}

const gchar *
config_keeper_consequence (const ConfigKeeper *self)
{
    return self->consequence;
}

const GPtrArray *
config_keeper_warnings (const ConfigKeeper *self)
{
    return self->warnings;
}
