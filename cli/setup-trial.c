/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A trial before anything is written
 *
 * A configuration that does not work should not take the place of one that did, and a password that is wrong should not be
 * on disk at all. So both are handed to posternd as files in memory, by descriptors that it inherits.
 */

#include "cli/setup-trial.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/check-report.h"

/* Of the child: the first that are free, and one for each password. */
#define CONFIG_FD         3 /* of CHECK_CONFIGURATION */
#define FIRST_PASSWORD_FD 4

/* Returns: a file in memory with @length bytes from @data, -1 with an error */
static int
memory_file (const gchar *data, gsize length, GError **error)
{
    int fd = memfd_create ("postern-setup", MFD_CLOEXEC);

    if (fd < 0 || fchmod (fd, 0600) < 0 || write (fd, data, length) != (gssize) length) {
        g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "a file in memory cannot be made: %s",
                     g_strerror (errno));
        if (fd >= 0)
            close (fd);
        return -1;
    }

    return fd;
}

static gboolean
hand_over (GSubprocessLauncher *launcher, const gchar *data, gsize length, int target, GError **error)
{
    int fd = memory_file (data, length, error);

    if (fd < 0)
        return FALSE;

    g_subprocess_launcher_take_fd (launcher, fd, target);
    return TRUE;
}

/* The text of the plan, with passwords named by descriptors. */
static gchar *
trial_text (const ConfigPlan *plan)
{
    GPtrArray *passwords = config_plan_passwords (plan);
    g_autofree gchar *text = config_plan_text (plan);
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

    for (guint i = 0; i < passwords->len; i++) {
        const ConfigPlanFile *file = g_ptr_array_index (passwords, i);
        g_autofree gchar *line = g_strconcat ("PasswordCredential=", file->name, NULL);

        for (guint j = 0; lines[j] != NULL; j++)
            if (g_str_equal (lines[j], line)) {
                g_free (lines[j]);
                lines[j] = g_strdup_printf ("PasswordFile=/proc/self/fd/%u", FIRST_PASSWORD_FD + i);
            }
    }

    return g_strjoinv ("\n", lines);
}

static gboolean
hand_over_all (GSubprocessLauncher *launcher, const ConfigPlan *plan, GError **error)
{
    GPtrArray *passwords = config_plan_passwords (plan);
    g_autofree gchar *text = trial_text (plan);

    if (!hand_over (launcher, text, strlen (text), CONFIG_FD, error))
        return FALSE;

    for (guint i = 0; i < passwords->len; i++) {
        const ConfigPlanFile *file = g_ptr_array_index (passwords, i);

        if (!hand_over (launcher, file->text->str, file->text->len, (int) (FIRST_PASSWORD_FD + i), error))
            return FALSE;
    }

    return TRUE;
}

GVariant *
setup_try (const ConfigPlan *plan, const gchar *sender, GError **error)
{
    g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
    const gchar *const config = "--config=" CHECK_CONFIGURATION;
    g_autofree gchar *offered = g_strconcat ("--sender=", sender, NULL);
    const gchar *const arguments[] = {config, offered, NULL};

    if (!hand_over_all (launcher, plan, error))
        return NULL;

    return check_report_run (launcher, arguments, error);
}
