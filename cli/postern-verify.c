/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern verify
 *
 * Has the relay read everything that it keeps, and tells what cannot be read. While no relay runs, posternd --verify does
 * the same.
 */

#include "postern-command.h"
#include "postern-json.h"
#include "postern-style.h"
#include "postern-text.h"

static guint64
number_of (GVariant *numbers, const gchar *key)
{
    guint64 number = 0;

    g_variant_lookup (numbers, key, "t", &number);
    return number;
}

static void
print_finding (const gchar *id, const gchar *file, const gchar *text)
{
    g_autofree gchar *safe_id = text_escape (id), *safe_file = text_escape (file), *safe_text = text_escape (text);

    g_print ("%s%s%s%s%s%s%s%s\n", style_begin (STYLE_BAD), *id == '\0' ? "" : "message ", safe_id,
             *id == '\0' ? "" : ": ", safe_file, *file == '\0' ? "" : ": ", safe_text, style_end ());
}

static void
print_report (GVariant *numbers, GVariant *findings)
{
    g_autofree gchar *size = text_size (number_of (numbers, "bytes"));
    guint64 n_findings = number_of (numbers, "findings"), n_told = g_variant_n_children (findings);
    guint64 messages = number_of (numbers, "messages"), damaged = number_of (numbers, "damaged");
    const gchar *id, *file, *text;
    GVariantIter iter;

    g_variant_iter_init (&iter, findings);
    while (g_variant_iter_next (&iter, "(&s&s&s)", &id, &file, &text))
        print_finding (id, file, text);
    if (n_findings > n_told)
        g_print ("and %" G_GUINT64_FORMAT " more\n", n_findings - n_told);
    if (damaged == 0)
        g_print ("%" G_GUINT64_FORMAT " message%s, all whole", messages, messages == 1 ? "" : "s");
    else
        g_print ("%" G_GUINT64_FORMAT " message%s, %" G_GUINT64_FORMAT " damaged", messages, messages == 1 ? "" : "s",
                 damaged);
    g_print ("; read %" G_GUINT64_FORMAT " records, %s, in %" G_GUINT64_FORMAT " files\n",
             number_of (numbers, "records"), size, number_of (numbers, "journals") + number_of (numbers, "sealed"));
}

static void
print_json (GVariant *numbers, GVariant *findings)
{
    static const gchar *const keys[] = {"journals", "sealed", "records", "bytes", "messages", "damaged"};
    g_autoptr (JsonBuilder) builder = json_builder_new ();
    const gchar *id, *file, *text;
    GVariantIter iter;

    json_builder_begin_object (builder);
    for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
        json_add_number (builder, keys[i], number_of (numbers, keys[i]));
    json_builder_set_member_name (builder, "findings");
    json_builder_begin_array (builder);
    g_variant_iter_init (&iter, findings);
    while (g_variant_iter_next (&iter, "(&s&s&s)", &id, &file, &text)) {
        json_builder_begin_object (builder);
        json_add_text (builder, "id", id);
        json_add_text (builder, "file", file);
        json_add_text (builder, "text", text);
        json_builder_end_object (builder);
    }
    json_builder_end_array (builder);
    json_builder_end_object (builder);
    json_print (builder);
}

ExitCode
command_verify (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "verify", NULL,
        "Has the relay read all that it keeps, and tells what cannot be read.\nWithout a relay that runs: " POSTERN_LIBEXECDIR
        "/posternd --verify",
        bus);
    g_autoptr (GVariant) reply = NULL, numbers = NULL, findings = NULL;
    g_autoptr (GError) error = NULL;
    ExitCode code;

    command_line_add (line, NULL, TRUE);
    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    code = command_line_connect (line);
    if (code != EXIT_OK)
        return code;

    reply = client_call_manager_for_long (line->client, "Verify", "(a{sv}a(sss))", &error);
    if (reply == NULL)
        return client_explain (line->client, error);

    g_variant_get (reply, "(@a{sv}@a(sss))", &numbers, &findings);
    if (line->json)
        print_json (numbers, findings);
    else
        print_report (numbers, findings);
    return number_of (numbers, "findings") > 0 ? EXIT_FAILED : EXIT_OK;
}
