/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The text of the configuration: the main file with its drop-ins laid over it, each value with the line it came from.
 */

typedef struct {
    gchar *key;
    gchar *value; /* without spaces at its ends */
    gchar *place; /* where the value that counts stands, "FILE:LINE" */
} ConfigEntry;

typedef struct {
    gchar *name;
    gchar *place;       /* where the group was first named, "FILE:LINE" */
    GPtrArray *entries; /* of ConfigEntry, in the order in which the keys first came */
} ConfigGroup;

typedef struct {
    GPtrArray *groups;   /* of ConfigGroup, in the order in which they first came */
    GHashTable *copies;  /* key to the text of the file that it names */
    gboolean is_written; /* by config_file_write (): what it names counts as it was copied */
} ConfigFile;

/**
 * config_file_read:
 * @path: the main file; its drop-ins are the files *.conf in the folder "@path.d", in the order of their names
 * @may_be_missing: whether no main file is an empty one
 * @problems: (element-type utf8): a line is added for each file that cannot be read or understood
 *
 * Returns: (transfer full): what could be read
 */
ConfigFile *config_file_read (const gchar *path, gboolean may_be_missing, GPtrArray *problems);
void config_file_free (ConfigFile *file);

/* Returns: (transfer full): all of it as one text; it has no secret that the files themselves do not have */
gchar *config_file_write (const ConfigFile *file);

/**
 * config_file_read_written:
 * @path: a file with what config_file_write () made
 *
 * Returns: (transfer full): what could be read
 */
ConfigFile *config_file_read_written (const gchar *path, GPtrArray *problems);

/* The text, UTF-8, of the file that @key names. */
void config_file_keep_copy (ConfigFile *file, const gchar *key, const gchar *text);
const gchar *config_file_copy (const ConfigFile *file, const gchar *key); /* (nullable) (transfer none) */

/* Returns: (nullable) (transfer none) */
const ConfigGroup *config_file_group (const ConfigFile *file, const gchar *name);
const ConfigEntry *config_group_entry (const ConfigGroup *group, const gchar *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ConfigFile, config_file_free)
