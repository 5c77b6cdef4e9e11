/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * A configuration that is to be written: groups of keys in their order, passwords, and tables. What `postern setup` and
 * `postern import` make.
 */

typedef struct _ConfigPlan ConfigPlan;

/* @folder: where tables will be, the configuration's own. @title: one line, for the head of the file. */
ConfigPlan *config_plan_new (const gchar *folder, const gchar *title);
void config_plan_free (ConfigPlan *plan);

/* A value of before is replaced; an empty @value takes the key away. A newline cannot be in a value and becomes a space. */
void config_plan_set (ConfigPlan *plan, const gchar *group, const gchar *key, const gchar *value);

/* Adds @value to those that the key has, separated by @separator, unless it is there. */
void config_plan_append (ConfigPlan *plan, const gchar *group, const gchar *key, const gchar *separator,
                         const gchar *value);

/* Returns: (nullable) (transfer none) */
const gchar *config_plan_get (const ConfigPlan *plan, const gchar *group, const gchar *key);
gboolean config_plan_has_group (const ConfigPlan *plan, const gchar *group);

/* A line of comment in front of the group, which is made if there is none. */
void config_plan_comment (ConfigPlan *plan, const gchar *group, const gchar *comment);

/* Sets PasswordCredential= of @group, and remembers the password for it. */
void config_plan_set_password (ConfigPlan *plan, const gchar *group, const gchar *credential, const gchar *password);

/* Adds the line "@pattern @replacement" to the table @file, which @key of @group will name. */
void config_plan_add_row (ConfigPlan *plan, const gchar *group, const gchar *key, const gchar *file,
                          const gchar *pattern, const gchar *replacement);

/* Returns: (transfer full): the text of postern.conf; no password is in it */
gchar *config_plan_text (const ConfigPlan *plan);

/* A file that goes with the configuration. */
typedef struct {
    gchar *name;   /* without a folder */
    GString *text; /* of a password: with a newline */
} ConfigPlanFile;

/* (element-type ConfigPlanFile) (transfer none): */
GPtrArray *config_plan_passwords (const ConfigPlan *plan);
GPtrArray *config_plan_tables (const ConfigPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ConfigPlan, config_plan_free)
