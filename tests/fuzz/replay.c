/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Plays a fuzzer's corpus without a fuzzer
 *
 * Each file that is named as an argument, and each file in a folder that is, is given to the fuzzer's function once and
 * reported as one test. So every build checks what the fuzzer once learned, and a crash that it found can be
 * looked at with any compiler.
 */

#include <glib.h>

#include "fuzz.h"

static guint
replay_file (const gchar *path, guint number)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *data = NULL;
    g_autofree gchar *name = g_path_get_basename (path);
    gsize length;

    if (!g_file_get_contents (path, &data, &length, &error))
        g_error ("%s", error->message);

    LLVMFuzzerTestOneInput ((const uint8_t *) data, length);
    g_print ("ok %u /fuzz/%s\n", ++number, name);

    return number;
}

static guint
replay (const gchar *path, guint number)
{
    g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
    const gchar *name;

    if (folder == NULL)
        return replay_file (path, number);

    while ((name = g_dir_read_name (folder)) != NULL) {
        g_autofree gchar *file = g_build_filename (path, name, NULL);

        number = replay_file (file, number);
    }

    return number;
}

int
main (int argc, char **argv)
{
    guint number = 0;

    LLVMFuzzerInitialize (&argc, &argv);
    for (int i = 1; i < argc; i++)
        number = replay (argv[i], number);
    g_print ("1..%u\n", number);

    return number > 0 ? 0 : 1;
}
