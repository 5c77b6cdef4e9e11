/* SPDX-License-Identifier: GPL-3.0-or-later */

/* An alias file on the disk, what it includes, and whom mail reaches by it. */

#include "mill.h"
#include "recipients.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <string.h>

#define KEPT "*so the aliases that were read before stay in force"

typedef struct {
    gchar *path;
    Config *config;
    Mill *mill;
} Fixture;

/* Patterns of warnings that are to come, in their order. */
static GQueue warnings = G_QUEUE_INIT;

/* A GLogWriterFunc */
static GLogWriterOutput
check_warning (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    const gchar *message = NULL;
    g_autofree gchar *pattern = NULL;

    for (gsize i = 0; i < n_fields; i++)
        if (strcmp (fields[i].key, "MESSAGE") == 0)
            message = fields[i].value;
    if (level != G_LOG_LEVEL_WARNING)
        return g_log_writer_default (level, fields, n_fields, user_data);

    pattern = g_queue_pop_head (&warnings);
    if (pattern == NULL || !g_pattern_match_simple (pattern, message))
        g_error ("“%s” was expected, and this came: %s", pattern != NULL ? pattern : "nothing", message);
    return G_LOG_WRITER_HANDLED;
}

static void
expect_warning (const gchar *pattern)
{
    g_queue_push_tail (&warnings, g_strdup (pattern));
}

static void
assert_all_told (void)
{
    g_assert_cmpuint (warnings.length, ==, 0);
}

static void
set_up (Fixture *fixture, gconstpointer configuration)
{
    fixture->mill = mill_new (configuration != NULL ? configuration : "");
    fixture->config = config_ref (fixture->mill->config);
    fixture->config->aliases = aliases_new ();
    fixture->path = g_build_filename (fixture->mill->folder, "aliases", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    config_unref (fixture->config);
    mill_free (fixture->mill);
    g_free (fixture->path);
}

static gchar *
write_file (Fixture *fixture, const gchar *name, const gchar *text)
{
    gchar *path = g_build_filename (fixture->mill->folder, name, NULL);

    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    return path;
}

static void
write_aliases (Fixture *fixture, const gchar *text)
{
    g_free (write_file (fixture, "aliases", text));
}

static void
use_aliases (Fixture *fixture, const gchar *text)
{
    write_aliases (fixture, text);
    aliases_set_file (fixture->config->aliases, fixture->path, FALSE);
}

/* @expected: the addresses that mail to @recipient reaches, with blanks between them */
static void
expect (Fixture *fixture, const gchar *recipient, const gchar *expected)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("me@example.org");
    g_autoptr (MessageEnvelope) resolved = message_envelope_new ("me@example.org");
    g_autoptr (GString) text = g_string_new (NULL);

    message_envelope_add (envelope, recipient);
    recipients_resolve (envelope, fixture->config, resolved);
    for (guint i = 0; i < resolved->recipients->len; i++)
        g_string_append_printf (text, "%s%s", i > 0 ? " " : "", message_envelope_recipient (resolved, i)->address);
    g_assert_cmpstr (text->str, ==, expected);
}

static void
test_local_names_are_looked_up (Fixture *fixture, gconstpointer data)
{
    use_aliases (fixture, "root: jane, \"x y\"@x.example\njane: j@x.example\n\"two words\": w@x.example\n");
    expect (fixture, "root", "j@x.example \"x y\"@x.example");
    expect (fixture, "ROOT@localhost", "j@x.example \"x y\"@x.example");
    expect (fixture, "jane@relay.example.org", "j@x.example");
    expect (fixture, "\"two words\"", "w@x.example");
    expect (fixture, "pi", "pi@example.org");
    expect (fixture, "root@example.org", "root@example.org");
    expect (fixture, "root@x.example", "root@x.example");
}

static void
test_the_default_takes_the_rest (Fixture *fixture, gconstpointer data)
{
    use_aliases (fixture, "root: jane@x.example\n*: root, rest@x.example\n");
    expect (fixture, "root", "jane@x.example");
    expect (fixture, "pi", "jane@x.example rest@x.example");
}

static void
test_the_administrator_gets_what_has_no_alias (Fixture *fixture, gconstpointer data)
{
    use_aliases (fixture, "root: jane, pi@x.example\nold: \\root\n");
    expect (fixture, "root", "admin@example.com pi@x.example");
    expect (fixture, "nobody", "admin@example.com");
    expect (fixture, "old", "admin@example.com");
}

static void
test_commands_and_files_lead_nowhere (Fixture *fixture, gconstpointer data)
{
    expect_warning ("*/aliases:1: “|/bin/x” is left out: mail is not piped into commands*");
    expect_warning ("*/aliases:2: “/var/x” is left out: mail is not written to files*");
    expect_warning ("*/aliases:1: “robot” leads nowhere, and is treated as if it had no alias*");
    use_aliases (fixture, "robot: |/bin/x\nnobody: /var/x, pi@x.example\n");
    assert_all_told ();
    expect (fixture, "robot", "robot@example.org");
    expect (fixture, "nobody", "pi@x.example");
}

static void
test_what_is_thrown_away_has_a_recipient_of_its_own (Fixture *fixture, gconstpointer data)
{
    use_aliases (fixture, "noise: /dev/null\nboth: noise, pi@x.example\n");
    expect (fixture, "noise", "/dev/null");
    expect (fixture, "both", "/dev/null pi@x.example");
    expect (fixture, "/dev/null", "/dev/null@example.org");
    expect (fixture, "/dev/null@example.net", "/dev/null@example.net");
}

static void
test_loops_are_told_and_lose_no_mail (Fixture *fixture, gconstpointer data)
{
    expect_warning ("*/aliases:1: a loop: a, b, a; mail that comes round is treated as if “a” had no alias*");
    use_aliases (fixture, "a: b\nb: a, jane@x.example\nself: self, pi@x.example\n");
    assert_all_told ();
    expect (fixture, "a", "a@example.org jane@x.example");
    expect (fixture, "b", "b@example.org jane@x.example");
    expect (fixture, "self", "self@example.org pi@x.example");
}

static void
test_a_name_is_followed_once (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GString) text = g_string_new (NULL);

    /* Each level doubles: followed every time, the last would be reached a thousand million times. */
    for (guint i = 0; i < 30; i++)
        g_string_append_printf (text, "a%u: a%u, b%u\nb%u: a%u, b%u\n", i, i + 1, i + 1, i, i + 1, i + 1);
    g_string_append (text, "a30: jane@x.example\nb30: pi@x.example\n");
    use_aliases (fixture, text->str);
    expect (fixture, "a0", "jane@x.example pi@x.example");
}

static void
test_files_are_included (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *inner = write_file (fixture, "inner", "c@x.example\n");
    g_autofree gchar *all_text = g_strdup_printf ("a@x.example\n# none\nb@x.example, :include:%s\n", inner);
    g_autofree gchar *all = write_file (fixture, "all", all_text);
    g_autofree gchar *text = g_strdup_printf ("all: :include:%s, z@x.example\n", all);

    use_aliases (fixture, text);
    expect (fixture, "all", "z@x.example a@x.example b@x.example c@x.example");

    g_free (write_file (fixture, "inner", "new@x.example\n"));
    expect (fixture, "all", "z@x.example a@x.example b@x.example new@x.example");
}

static void
test_a_file_that_includes_itself_ends (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = g_build_filename (fixture->mill->folder, "all", NULL);
    g_autofree gchar *text = g_strdup_printf ("a@x.example, :include:%s\n", path);
    g_autofree gchar *aliases = g_strdup_printf ("all: :include:%s\n", path);

    g_free (write_file (fixture, "all", text));
    expect_warning ("*/all:1: */all cannot be included: *files within files deeper than*");
    use_aliases (fixture, aliases);
    assert_all_told ();
    expect (fixture, "all", "a@x.example");
}

static void
test_a_change_counts_for_the_next_message (Fixture *fixture, gconstpointer data)
{
    use_aliases (fixture, "root: one@x.example\n");
    expect (fixture, "root", "one@x.example");
    write_aliases (fixture, "root: two@x.example\n");
    expect (fixture, "root", "two@x.example");
}

static void
test_a_bad_file_keeps_the_old_one (Fixture *fixture, gconstpointer data)
{
    use_aliases (fixture, "root: one@x.example\n");
    expect_warning ("*/aliases:2: “half a li”: expected NAME: TARGET*");
    expect_warning (KEPT "*");
    write_aliases (fixture, "root: two@x.example\nhalf a li");
    expect (fixture, "root", "one@x.example");
    assert_all_told ();

    /* It is told once, and not for each message. */
    expect (fixture, "root", "one@x.example");
    write_aliases (fixture, "root: three@x.example\n");
    expect (fixture, "root", "three@x.example");
}

static void
test_a_file_that_goes_away_keeps_the_old_one (Fixture *fixture, gconstpointer data)
{
    use_aliases (fixture, "root: one@x.example\n");
    g_assert_no_errno (g_unlink (fixture->path));
    expect_warning ("*/aliases: the aliases cannot be read: No such file or directory*");
    expect_warning (KEPT "*");
    expect (fixture, "root", "one@x.example");
    assert_all_told ();
}

static void
test_at_the_start_what_is_right_counts (Fixture *fixture, gconstpointer data)
{
    expect_warning ("*/aliases:1: *expected NAME: TARGET*");
    use_aliases (fixture, "nonsense\nroot: one@x.example\n");
    assert_all_told ();
    expect (fixture, "root", "one@x.example");
}

static void
test_the_default_file_may_be_missing (Fixture *fixture, gconstpointer data)
{
    aliases_set_file (fixture->config->aliases, fixture->path, TRUE);
    expect (fixture, "root", "root@example.org");
    write_aliases (fixture, "root: one@x.example\n");
    expect (fixture, "root", "one@x.example");
    g_assert_no_errno (g_unlink (fixture->path));
    expect (fixture, "root", "root@example.org");
}

static void
test_pipes_and_floods_are_not_read (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GString) flood = g_string_new (NULL);

    g_assert_no_errno (mkfifo (fixture->path, 0600));
    expect_warning ("*the aliases cannot be read: it is not a regular file*");
    aliases_set_file (fixture->config->aliases, fixture->path, FALSE);
    assert_all_told ();
    g_assert_no_errno (g_unlink (fixture->path));

    while (flood->len <= 4 * 1024 * 1024)
        g_string_append (flood, "# nothing but words, and no end of them\n");
    expect_warning ("*the aliases cannot be read: it has more than the 4194304 bytes that are read*");
    expect_warning (KEPT "*");
    use_aliases (fixture, flood->str);
    assert_all_told ();
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer), const gchar *configuration)
{
    g_autofree gchar *path = g_strconcat ("/daemon/aliases/", name, NULL);

    g_test_add (path, Fixture, configuration, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (check_warning, NULL, NULL);

    add ("local-names-are-looked-up", test_local_names_are_looked_up, NULL);
    add ("the-default-takes-the-rest", test_the_default_takes_the_rest, NULL);
    add ("the-administrator-gets-what-has-no-alias", test_the_administrator_gets_what_has_no_alias,
         "AdminAddress=admin@example.com\n");
    add ("commands-and-files-lead-nowhere", test_commands_and_files_lead_nowhere, NULL);
    add ("what-is-thrown-away-has-a-recipient-of-its-own", test_what_is_thrown_away_has_a_recipient_of_its_own, NULL);
    add ("loops-are-told-and-lose-no-mail", test_loops_are_told_and_lose_no_mail, NULL);
    add ("a-name-is-followed-once", test_a_name_is_followed_once, NULL);
    add ("files-are-included", test_files_are_included, NULL);
    add ("a-file-that-includes-itself-ends", test_a_file_that_includes_itself_ends, NULL);
    add ("a-change-counts-for-the-next-message", test_a_change_counts_for_the_next_message, NULL);
    add ("a-bad-file-keeps-the-old-one", test_a_bad_file_keeps_the_old_one, NULL);
    add ("a-file-that-goes-away-keeps-the-old-one", test_a_file_that_goes_away_keeps_the_old_one, NULL);
    add ("at-the-start-what-is-right-counts", test_at_the_start_what_is_right_counts, NULL);
    add ("the-default-file-may-be-missing", test_the_default_file_may_be_missing, NULL);
    add ("pipes-and-floods-are-not-read", test_pipes_and_floods_are_not_read, NULL);

    return g_test_run ();
}
