/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of the configuration
 *
 * A file of any bytes is either a configuration, or it is told what is wrong with it, in lines that begin with a file: this
 * one, or one that it names. The same file comes to the same a second time.
 */

#include "config.h"
#include "fuzz.h"

static gchar *
load (const gchar *path)
{
    const ConfigSources sources = {.path = path,
                                   .credentials_folder = "/nowhere",
                                   .mail_name_file = "/nowhere/mailname",
                                   .host_name = "host.example"};
    g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GError) error = NULL;
    g_autoptr (Config) config = config_load (&sources, warnings, &error);
    GString *told = g_string_new (NULL);

    if (config == NULL) {
        g_assert_error (error, CONFIG_ERROR, CONFIG_ERROR_BAD);
        g_assert_cmpint (error->message[0], ==, '/');
        g_string_append (told, error->message);
    } else {
        g_assert_no_error (error);
        g_assert_nonnull (config->delivery);
        g_string_append_printf (told, "%s %s %u", config->host_name, config->domain,
                                config->delivery->smarthosts->len);
    }
    for (guint i = 0; i < warnings->len; i++)
        g_string_append_printf (told, "\n%s", (const gchar *) g_ptr_array_index (warnings, i));

    return g_string_free (told, FALSE);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const gchar *path;
    g_autofree gchar *first = NULL;
    g_autofree gchar *second = NULL;

    fuzz_file (data, size, &path);
    first = load (path);
    second = load (path);
    g_assert_cmpstr (first, ==, second);

    return 0;
}
