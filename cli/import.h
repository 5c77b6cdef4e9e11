/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/config-plan.h"

/*
 * Moving in from another mail system: what its files say, line by line, becomes a plan and an account of what was taken.
 */

typedef enum {
    IMPORT_TAKEN,   /* a key of ours says the same */
    IMPORT_SAME,    /* it is what happens anyway */
    IMPORT_CHANGED, /* taken, but not quite as it was; or something has to be done by hand */
    IMPORT_LOST     /* it has no counterpart */
} ImportOutcome;

typedef struct {
    ImportOutcome outcome;
    gchar *file;
    guint line;  /* 0: the file as a whole */
    gchar *text; /* of the line, without secrets */
    gchar *told;
} ImportNote;

typedef struct {
    gchar *root; /* "" or a folder that everything is below */
    ConfigPlan *plan;
    GPtrArray *notes;  /* of ImportNote */
    GPtrArray *missed; /* of gchar: the groups whose password is not in the files */
} Import;

/* One line of a file. */
typedef struct {
    const gchar *file; /* as the system itself names it; belongs to the lines */
    guint number;
    gchar *text; /* without spaces at its ends, never empty */
} ImportLine;

/* @root: (nullable): see above. @plan: must outlive the import */
Import *import_new (const gchar *root, ConfigPlan *plan);
void import_free (Import *import);

/* Returns: (transfer full): where @path of the system is to be read */
gchar *import_path (const Import *import, const gchar *path);
gboolean import_has (const Import *import, const gchar *path);

/**
 * import_read:
 * @keep_indented: whether spaces in front of a line stay, since they mean something
 *
 * Returns: (transfer full) (element-type ImportLine): lines of @path that are neither empty nor comments ("#" in front);
 *   none if it cannot be read, which is noted unless there is no such file
 */
GPtrArray *import_read (Import *import, const gchar *path, gboolean keep_indented);

/* Returns: (transfer full) (nullable): the first line of @path without spaces around it; %NULL if it is empty, or not there */
gchar *import_read_first (Import *import, const gchar *path);

/* Notes an outcome. @line: (nullable): for nothing in particular. @shown: (nullable): in place of the line's text, without
 * its secrets */
void import_note (Import *import, ImportOutcome outcome, const ImportLine *line, const gchar *shown,
                  const gchar *format, ...) G_GNUC_PRINTF (5, 6);

/* Sets a key and notes that. */
void import_take (Import *import, const ImportLine *line, const gchar *group, const gchar *key, const gchar *value);

/* Sets TrustFile= unless @path is the system's own store, or cannot be used. */
void import_take_trust_file (Import *import, const ImportLine *line, const gchar *group, const gchar *path);

/* Sets a span of time from @text, a number of seconds. Returns: whether it is one */
gboolean import_take_seconds (Import *import, const ImportLine *line, const gchar *group, const gchar *key,
                              const gchar *text);

/* Returns: (transfer full): "[Smarthost]" for the first, then "[Smarthost NAME]", NAME made of @wanted and not taken yet;
 * the group is not made */
gchar *import_smarthost_group (const Import *import, const gchar *wanted);

/* Returns: (transfer none): what [Route] calls the smarthost of @group: "default", or what follows "Smarthost" */
const gchar *import_smarthost_name (const gchar *group);

/* The same for a route; @wanted is made a name. */
gchar *import_route_group (const Import *import, const gchar *wanted);

/* The password of @group, which becomes a credential named after it. Logs in without TLS where that was done before. */
void import_set_password (Import *import, const gchar *group, const gchar *password);

/* A password that is not in the files: tells where it has to be put. */
void import_miss_password (Import *import, const ImportLine *line, const gchar *group, const gchar *why);

/* ---- The mail systems ---- */

typedef struct {
    const gchar *name;
    const gchar *file; /* or folder; what --file= replaces */
    const gchar *sign; /* that it is there; packages leave empty folders behind */
    void (*run) (Import *import, const gchar *file);
} ImportKind;

void import_nullmailer (Import *import, const gchar *folder);
void import_msmtp (Import *import, const gchar *file);
void import_ssmtp (Import *import, const gchar *file);
void import_dma (Import *import, const gchar *file);
void import_postfix (Import *import, const gchar *file);

/* Returns: (nullable) (transfer none) */
const ImportKind *import_kind_get (guint index);
const ImportKind *import_kind_find (const gchar *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Import, import_free)
