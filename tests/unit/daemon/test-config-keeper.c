/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What is in force when the configuration is bad. A keeper that is freed has written its copy. */

#include "config-keeper.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    gchar *folder;
    gchar *path; /* of postern.conf */
    gchar *copy;
    ConfigSources sources;
    ConfigKeeper *keeper;
    Config *config;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    fixture->folder = g_dir_make_tmp ("postern-keeper-XXXXXX", NULL);
    fixture->path = g_build_filename (fixture->folder, "postern.conf", NULL);
    fixture->copy = g_build_filename (fixture->folder, "configuration", NULL);
    fixture->sources = (ConfigSources){.path = fixture->path,
                                       .credentials_folder = fixture->folder,
                                       .mail_name_file = "/nowhere",
                                       .host_name = "box.example.org"};
}

static void
stop (Fixture *fixture)
{
    g_clear_pointer (&fixture->config, config_unref);
    g_clear_pointer (&fixture->keeper, config_keeper_free);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GDir) dir = g_dir_open (fixture->folder, 0, NULL);
    const gchar *name;

    stop (fixture);
    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (fixture->folder, name, NULL);

        g_unlink (path);
    }
    g_rmdir (fixture->folder);
    g_free (fixture->folder);
    g_free (fixture->path);
    g_free (fixture->copy);
}

static void
write_file (Fixture *fixture, const gchar *name, const gchar *text)
{
    g_autofree gchar *path = g_build_filename (fixture->folder, name, NULL);
    g_autoptr (GError) error = NULL;

    g_file_set_contents (path, text, -1, &error);
    g_assert_no_error (error);
}

static void
remove_file (Fixture *fixture, const gchar *name)
{
    g_autofree gchar *path = g_build_filename (fixture->folder, name, NULL);

    g_assert_no_errno (g_unlink (path));
}

/* A start of the relay with what the files say now. */
static const Config *
start (Fixture *fixture)
{
    stop (fixture);
    fixture->keeper = config_keeper_new (&fixture->sources, fixture->folder);
    fixture->config = config_keeper_start (fixture->keeper);
    config_keeper_settle (fixture->keeper, fixture->config);
    return fixture->config;
}

static void
assert_in_force (const Fixture *fixture, ConfigInForce in_force, const gchar *problem)
{
    g_assert_cmpstr (config_in_force_name (config_keeper_in_force (fixture->keeper)), ==,
                     config_in_force_name (in_force));
    if (problem == NULL)
        g_assert_cmpstr (config_keeper_problems (fixture->keeper), ==, NULL);
    else
        g_assert_nonnull (strstr (config_keeper_problems (fixture->keeper), problem));
}

/* What is wrong is in the log as a warning; that is not what these tests are about. */
static GLogWriterOutput
no_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    return G_LOG_WRITER_HANDLED;
}

#define GOOD                                                                                                         \
    "[Relay]\nHostName=good.example.org\n[Smarthost]\nHost=a.example.org\nUser=me\nPasswordCredential=secret\n"      \
    "[Smarthost two]\nHost=b.example.org\n[Route r]\nRecipients=*\nSmarthosts=two\n"

static void
begin_well (Fixture *fixture)
{
    write_file (fixture, "secret", "open sesame\n");
    write_file (fixture, "postern.conf", GOOD);
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_CURRENT, NULL);
}

static void
test_a_bad_start_goes_by_the_last_good_one (Fixture *fixture, gconstpointer data)
{
    const Config *config;
    const DeliverySmarthost *first;

    begin_well (fixture);
    write_file (fixture, "postern.conf", "[Smarthost]\nHots=c.example.org\n");
    config = start (fixture);

    assert_in_force (fixture, CONFIG_IN_FORCE_EARLIER, "postern.conf:2: [Smarthost] Hots=");
    g_assert_cmpstr (config->host_name, ==, "good.example.org");
    g_assert_cmpuint (config->delivery->smarthosts->len, ==, 2);
    g_assert_cmpuint (config->delivery->routes->len, ==, 1);
    first = g_ptr_array_index (config->delivery->smarthosts, 0);
    g_assert_cmpstr (first->host, ==, "a.example.org");
    g_assert_cmpstr (first->password, ==, "open sesame");
    g_assert_nonnull (strstr (config_keeper_consequence (fixture->keeper), "the last good one is in force"));
}

static void
test_it_is_the_last_good_one_after_any_number_of_bad_starts (Fixture *fixture, gconstpointer data)
{
    begin_well (fixture);
    write_file (fixture, "postern.conf", "[Rely]\n");
    for (guint i = 0; i < 3; i++) {
        start (fixture);
        assert_in_force (fixture, CONFIG_IN_FORCE_EARLIER, "[Rely]");
        g_assert_cmpstr (fixture->config->host_name, ==, "good.example.org");
    }
}

static void
test_a_missing_file_is_a_bad_one (Fixture *fixture, gconstpointer data)
{
    begin_well (fixture);
    remove_file (fixture, "postern.conf");
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_EARLIER, "postern.conf: cannot be read");
}

static void
test_tables_count_as_they_were (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *text =
        g_strdup_printf ("[Rewrite]\nSenderTable=%s/senders\n[Relay]\nDomain=example.org\n", fixture->folder);
    g_autofree gchar *address = NULL;

    write_file (fixture, "senders", "root  me@example.net\n");
    write_file (fixture, "postern.conf", text);
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_CURRENT, NULL);

    write_file (fixture, "senders", "root  me@example.net\nnobody\n");
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_EARLIER, "senders:2");
    address = message_address_map_find (fixture->config->sender_table, "root@example.org", MESSAGE_MAP_LOCAL);
    g_assert_cmpstr (address, ==, "me@example.net");

    remove_file (fixture, "senders");
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_EARLIER, "senders cannot be read");
    g_assert_nonnull (fixture->config->sender_table);
}

static void
assert_holds (const Fixture *fixture, const gchar *reason)
{
    g_assert_cmpuint (fixture->config->delivery->smarthosts->len, ==, 0);
    g_assert_cmpuint (fixture->config->delivery->routes->len, ==, 0);
    g_assert_cmpuint (fixture->config->delivery->expire_seconds, >=, 365 * 24 * 3600);
    g_assert_nonnull (strstr (fixture->config->delivery->no_smarthost, reason));
}

static void
test_a_secret_that_is_gone_holds_mail (Fixture *fixture, gconstpointer data)
{
    begin_well (fixture);
    remove_file (fixture, "secret");
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_NONE, "PasswordCredential=: no password can be read");
    assert_holds (fixture, "PasswordCredential=");
}

static void
test_without_an_earlier_one_mail_is_held (Fixture *fixture, gconstpointer data)
{
    write_file (fixture, "postern.conf",
                "[Relay]\nHostName=taken.example.org\nDomian=x\n[Server]\nMaxErrors=7\nMaxSessions=many\n"
                "[Smarthost]\nHost=a.example.org\n");
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_NONE, "postern.conf:3: [Relay] Domian=");
    assert_holds (fixture, "postern.conf:3: [Relay] Domian=");
    assert_holds (fixture, "and 1 more");
    g_assert_cmpstr (fixture->config->host_name, ==, "taken.example.org");
    g_assert_cmpuint (fixture->config->errors_most, ==, 7);
    g_assert_cmpuint (fixture->config->sessions_most, ==, 2048);
    g_assert_false (g_file_test (fixture->copy, G_FILE_TEST_EXISTS));
}

static void
test_a_copy_that_is_of_no_use_holds_mail (Fixture *fixture, gconstpointer data)
{
    static const gchar *const copies[] = {"[Relay]\nOfALaterVersion=1\n", "\1\2\3", "[Smarthost]\n"};

    for (guint i = 0; i < G_N_ELEMENTS (copies); i++) {
        write_file (fixture, "configuration", copies[i]);
        write_file (fixture, "postern.conf", "[Rely]\n");
        start (fixture);
        assert_in_force (fixture, CONFIG_IN_FORCE_NONE, "[Rely]");
    }
}

static void
test_a_good_reload_ends_it (Fixture *fixture, gconstpointer data)
{
    g_autoptr (Config) config = NULL;
    g_autoptr (GError) error = NULL;

    write_file (fixture, "postern.conf", "[Rely]\n");
    start (fixture);
    assert_in_force (fixture, CONFIG_IN_FORCE_NONE, "[Rely]");

    g_assert_null (config_keeper_reload (fixture->keeper, &error));
    g_assert_error (error, CONFIG_ERROR, CONFIG_ERROR_BAD);
    config_keeper_refuse (fixture->keeper, error);
    assert_in_force (fixture, CONFIG_IN_FORCE_NONE, "[Rely]");

    write_file (fixture, "postern.conf", "[Relay]\n");
    config = config_keeper_reload (fixture->keeper, NULL);
    config_keeper_settle (fixture->keeper, config);
    assert_in_force (fixture, CONFIG_IN_FORCE_CURRENT, NULL);
}

static void
test_a_bad_reload_leaves_what_was_in_force (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GError) error = NULL;
    gint64 since_usec;

    begin_well (fixture);
    since_usec = config_keeper_since (fixture->keeper);
    write_file (fixture, "postern.conf", "[Rely]\n");
    g_assert_null (config_keeper_reload (fixture->keeper, &error));
    config_keeper_refuse (fixture->keeper, error);
    assert_in_force (fixture, CONFIG_IN_FORCE_EARLIER, "[Rely]");
    g_assert_cmpint (config_keeper_since (fixture->keeper), ==, since_usec);
}

static void
test_the_copy_is_the_daemons_alone_and_has_no_secret (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *text = NULL;
    struct stat status;

    begin_well (fixture);
    stop (fixture);
    g_assert_no_errno (g_stat (fixture->copy, &status));
    g_assert_cmpint (status.st_mode & 0777, ==, 0600);
    g_assert_true (g_file_get_contents (fixture->copy, &text, NULL, NULL));
    g_assert_null (strstr (text, "sesame"));
}

static void
test_a_copy_that_is_as_it_should_be_is_not_written_again (Fixture *fixture, gconstpointer data)
{
    struct stat before, after;

    begin_well (fixture);
    stop (fixture);
    g_assert_no_errno (g_stat (fixture->copy, &before));
    begin_well (fixture);
    stop (fixture);
    g_assert_no_errno (g_stat (fixture->copy, &after));
    g_assert_cmpuint (after.st_ino, ==, before.st_ino);
    g_assert_cmpint (after.st_mtim.tv_sec * 1000000000 + after.st_mtim.tv_nsec, >,
                     before.st_mtim.tv_sec * 1000000000 + before.st_mtim.tv_nsec);
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer))
{
    g_autofree gchar *path = g_strconcat ("/daemon/config-keeper/", name, NULL);

    g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (no_log, NULL, NULL);
    g_log_set_always_fatal (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);

    add ("a-bad-start-goes-by-the-last-good-one", test_a_bad_start_goes_by_the_last_good_one);
    add ("it-is-the-last-good-one-after-any-number-of-bad-starts",
         test_it_is_the_last_good_one_after_any_number_of_bad_starts);
    add ("a-missing-file-is-a-bad-one", test_a_missing_file_is_a_bad_one);
    add ("tables-count-as-they-were", test_tables_count_as_they_were);
    add ("a-secret-that-is-gone-holds-mail", test_a_secret_that_is_gone_holds_mail);
    add ("without-an-earlier-one-mail-is-held", test_without_an_earlier_one_mail_is_held);
    add ("a-copy-that-is-of-no-use-holds-mail", test_a_copy_that_is_of_no_use_holds_mail);
    add ("a-good-reload-ends-it", test_a_good_reload_ends_it);
    add ("a-bad-reload-leaves-what-was-in-force", test_a_bad_reload_leaves_what_was_in_force);
    add ("the-copy-is-the-daemons-alone-and-has-no-secret", test_the_copy_is_the_daemons_alone_and_has_no_secret);
    add ("a-copy-that-is-as-it-should-be-is-not-written-again",
         test_a_copy_that_is_as_it_should_be_is_not_written_again);
    return g_test_run ();
}
