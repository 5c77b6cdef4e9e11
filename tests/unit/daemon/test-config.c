/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The configuration as an administrator writes it, in real files. */

#include "config.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <unistd.h>

typedef struct {
    gchar *folder;
    gchar *path; /* of postern.conf */
    ConfigSources sources;
    GPtrArray *warnings;
    GError *error;
    Config *config;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *drop_ins = NULL;

    fixture->folder = g_dir_make_tmp ("postern-config-XXXXXX", NULL);
    fixture->path = g_build_filename (fixture->folder, "postern.conf", NULL);
    fixture->warnings = g_ptr_array_new_with_free_func (g_free);
    fixture->sources = (ConfigSources){
        .path = fixture->path, .may_be_missing = TRUE, .mail_name_file = "/nowhere", .host_name = "box.example.org"};

    drop_ins = g_strconcat (fixture->path, ".d", NULL);
    g_assert_no_errno (g_mkdir (drop_ins, 0700));
}

static void
remove_files (const gchar *folder)
{
    g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
    const gchar *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (folder, name, NULL);

        if (g_file_test (path, G_FILE_TEST_IS_DIR))
            remove_files (path);
        else
            g_unlink (path);
    }

    g_rmdir (folder);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    remove_files (fixture->folder);
    g_free (fixture->folder);
    g_free (fixture->path);
    g_ptr_array_unref (fixture->warnings);
    g_clear_error (&fixture->error);
    g_clear_pointer (&fixture->config, config_unref);
}

/* Writes a file into the fixture's folder; returns its path. */
static gchar *
write_file (Fixture *fixture, const gchar *name, const gchar *text)
{
    gchar *path = g_build_filename (fixture->folder, name, NULL);
    g_autoptr (GError) error = NULL;

    g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error);
    g_assert_no_error (error);
    return path;
}

static void
load (Fixture *fixture, const gchar *text)
{
    g_free (write_file (fixture, "postern.conf", text));
    g_clear_error (&fixture->error);
    g_clear_pointer (&fixture->config, config_unref);
    g_ptr_array_set_size (fixture->warnings, 0);
    fixture->config = config_load (&fixture->sources, fixture->warnings, &fixture->error);
}

static Config *
load_good (Fixture *fixture, const gchar *text)
{
    load (fixture, text);
    g_assert_no_error (fixture->error);
    g_assert_nonnull (fixture->config);
    return fixture->config;
}

/* Loads what is bad; each of the strings must be in the error. */
static void
assert_bad (Fixture *fixture, const gchar *text, ...)
{
    const gchar *part;
    va_list parts;

    load (fixture, text);
    if (fixture->config != NULL)
        g_error ("this configuration was taken:\n%s", text);
    g_assert_error (fixture->error, CONFIG_ERROR, CONFIG_ERROR_BAD);

    va_start (parts, text);
    while ((part = va_arg (parts, const gchar *)) != NULL)
        if (strstr (fixture->error->message, part) == NULL)
            g_error ("“%s” was expected in the error:\n%s", part, fixture->error->message);
    va_end (parts);
}

static gboolean
trusts (const Config *config, const gchar *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    g_assert_cmpint (inet_pton (AF_INET, text, &address.sin_addr), ==, 1);
    return networks_contain (config->trusted, (const struct sockaddr *) &address);
}

static DeliverySmarthost *
smarthost (const Config *config, guint index)
{
    g_assert_cmpuint (index, <, config->delivery->smarthosts->len);
    return g_ptr_array_index (config->delivery->smarthosts, index);
}

static void
test_an_empty_file_is_a_configuration (Fixture *fixture, gconstpointer data)
{
    const Config *config = load_good (fixture, "");

    g_assert_cmpstr (config->host_name, ==, "box.example.org");
    g_assert_cmpstr (config->domain, ==, "box.example.org");
    g_assert_cmpstr (config->delivery->host_name, ==, "box.example.org");
    g_assert_cmpstr (config->delivery->domain, ==, "box.example.org");
    g_assert_true (trusts (config, "127.0.0.1"));
    g_assert_false (trusts (config, "192.0.2.1"));
    g_assert_cmpuint (config->message_longest_bytes, ==, 128 * 1024 * 1024);
    g_assert_cmpuint (config->recipients_most, ==, 10000);
    g_assert_cmpuint (config->sessions_most, ==, 2048);
    g_assert_cmpuint (config->errors_most, ==, 20);
    g_assert_cmpuint (config->idle_seconds, ==, 300);
    g_assert_false (config->strict_line_ends);
    g_assert_null (config->tls);
    g_assert_cmpuint (config->queue.generation_bytes, ==, 64 * 1024 * 1024);
    g_assert_cmpuint (config->queue.reserve_bytes, ==, 64 * 1024 * 1024);
    g_assert_cmpuint (config->queue.messages_most, ==, 0);
    g_assert_cmpuint (config->queue.user_messages_most, ==, 0);
    g_assert_cmpuint (config->delivery->smarthosts->len, ==, 0);
    g_assert_nonnull (strstr (config->delivery->no_smarthost, fixture->path));
}

static void
test_every_key_of_the_relay_is_read (Fixture *fixture, gconstpointer data)
{
    const Config *config =
        load_good (fixture, "[Relay]\nHostName=Mail.Example.net\nDomain=example.net\n"
                            "[Server]\nTrustedNetworks=10.0.0.0/8\nMaxMessageSize=1M\n"
                            "MaxRecipients=5\nMaxSessions=6\nMaxErrors=7\nIdleTimeout=8s\nStrictLineEnds=yes\n"
                            "[Queue]\nGenerationSize=2M\nReserveSpace=3M\nMaxMessages=4\n"
                            "MaxUserMessages=5\nMaxUserBytes=6M\nMaxUserRate=100/1h\n");

    g_assert_cmpstr (config->host_name, ==, "mail.example.net");
    g_assert_cmpstr (config->domain, ==, "example.net");
    g_assert_true (trusts (config, "10.1.2.3"));
    g_assert_false (trusts (config, "127.0.0.1"));
    g_assert_cmpuint (config->message_longest_bytes, ==, 1024 * 1024);
    g_assert_cmpuint (config->recipients_most, ==, 5);
    g_assert_cmpuint (config->sessions_most, ==, 6);
    g_assert_cmpuint (config->errors_most, ==, 7);
    g_assert_cmpuint (config->idle_seconds, ==, 8);
    g_assert_true (config->strict_line_ends);
    g_assert_cmpuint (config->queue.generation_bytes, ==, 2 * 1024 * 1024);
    g_assert_cmpuint (config->queue.reserve_bytes, ==, 3 * 1024 * 1024);
    g_assert_cmpuint (config->queue.messages_most, ==, 4);
    g_assert_cmpuint (config->queue.user_messages_most, ==, 5);
    g_assert_cmpuint (config->queue.user_bytes_most, ==, 6 * 1024 * 1024);
    g_assert_cmpuint (config->queue.user_rate.messages, ==, 100);
    g_assert_cmpuint (config->queue.user_rate.seconds, ==, 3600);
    g_assert_cmpstr (config->delivery->host_name, ==, "mail.example.net");
    g_assert_cmpstr (config->delivery->domain, ==, "example.net");
}

static void
test_every_key_of_the_delivery_is_read (Fixture *fixture, gconstpointer data)
{
    const DeliverySettings *delivery =
        load_good (fixture, "[Queue]\nLifetime=1h\nDelayNotice=0\nRetryFirst=2s\nRetryLongest=3s\n"
                            "[Delivery]\nConnectTimeout=4s\nGreetingTimeout=5s\nCommandTimeout=6s\nDataTimeout=7s\n"
                            "BlockTimeout=8s\nEndTimeout=9s\nKeepConnection=0\nNoticeContent=10K\n")
            ->delivery;

    g_assert_cmpuint (delivery->expire_seconds, ==, 3600);
    g_assert_cmpuint (delivery->delay_notice_seconds, ==, 0);
    g_assert_cmpuint (delivery->retry_first_seconds, ==, 2);
    g_assert_cmpuint (delivery->retry_longest_seconds, ==, 3);
    g_assert_cmpuint (delivery->connect_seconds, ==, 4);
    g_assert_cmpuint (delivery->greeting_seconds, ==, 5);
    g_assert_cmpuint (delivery->command_seconds, ==, 6);
    g_assert_cmpuint (delivery->data_seconds, ==, 7);
    g_assert_cmpuint (delivery->block_seconds, ==, 8);
    g_assert_cmpuint (delivery->end_seconds, ==, 9);
    g_assert_cmpuint (delivery->idle_seconds, ==, 0);
    g_assert_cmpuint (delivery->notice_content_bytes, ==, 10240);
}

static void
test_every_key_of_a_smarthost_is_read (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *password = write_file (fixture, "password", "pass word\n");
    g_autofree gchar *trust = write_file (fixture, "trust.pem", "");
    g_autofree gchar *text = g_strdup_printf (
        "[Smarthost]\nHost=Relay.Example.com\nPort=2525\nTLS=opportunistic\nVerify=no\nTrustFile=%s\n"
        "User=me\nPasswordFile=%s\nMechanisms=PLAIN LOGIN\nAuthWithoutTLS=yes\nMaxConnections=9\nMaxRecipients=50\n",
        trust, password);
    const DeliverySmarthost *host = smarthost (load_good (fixture, text), 0);

    g_assert_cmpstr (host->name, ==, "default");
    g_assert_cmpstr (host->host, ==, "relay.example.com");
    g_assert_cmpuint (host->port, ==, 2525);
    g_assert_cmpint (host->security, ==, SMTP_SECURITY_OPPORTUNISTIC);
    g_assert_false (host->verify);
    g_assert_cmpstr (host->trust_file, ==, trust);
    g_assert_cmpstr (host->user, ==, "me");
    g_assert_cmpstr (host->password, ==, "pass word");
    g_assert_cmpstr (host->mechanisms, ==, "PLAIN LOGIN");
    g_assert_true (host->auth_without_tls);
    g_assert_cmpuint (host->connections_most, ==, 9);
    g_assert_cmpuint (host->recipients_most, ==, 50);
    g_assert_cmpuint (fixture->warnings->len, ==, 0);
}

static void
test_the_port_follows_from_tls (Fixture *fixture, gconstpointer data)
{
    const Config *config = load_good (fixture, "[Smarthost a]\nHost=a\n"
                                               "[Smarthost b]\nHost=b\nTLS=implicit\n"
                                               "[Smarthost c]\nHost=c\nTLS=none\n"
                                               "[Smarthost d]\nHost=d\nTLS=opportunistic\n"
                                               "[Smarthost e]\nHost=e\nTLS=implicit\nPort=10025\n");

    g_assert_cmpint (smarthost (config, 0)->security, ==, SMTP_SECURITY_STARTTLS);
    g_assert_cmpuint (smarthost (config, 0)->port, ==, 587);
    g_assert_cmpuint (smarthost (config, 1)->port, ==, 465);
    g_assert_cmpuint (smarthost (config, 2)->port, ==, 25);
    g_assert_cmpuint (smarthost (config, 3)->port, ==, 25);
    g_assert_cmpuint (smarthost (config, 4)->port, ==, 10025);
}

static void
test_smarthosts_keep_their_order (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *drop_in = write_file (fixture, "postern.conf.d/third.conf", "[Smarthost third]\nHost=c\n");
    const Config *config = load_good (fixture, "[Smarthost zebra]\nHost=a\n[Smarthost]\nHost=b\n");

    g_assert_cmpuint (config->delivery->smarthosts->len, ==, 3);
    g_assert_cmpstr (smarthost (config, 0)->name, ==, "zebra");
    g_assert_cmpstr (smarthost (config, 1)->name, ==, "default");
    g_assert_cmpstr (smarthost (config, 2)->name, ==, "third");
}

static void
test_later_drop_ins_win (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *second = write_file (fixture, "postern.conf.d/20.conf", "[Server]\nMaxErrors=3\n");
    g_autofree gchar *first =
        write_file (fixture, "postern.conf.d/10.conf", "[Server]\nMaxErrors=2\nMaxSessions=2\n");
    g_autofree gchar *other = write_file (fixture, "postern.conf.d/99.conf.bak", "[Server]\nMaxErrors=4\n");
    g_autofree gchar *hidden = write_file (fixture, "postern.conf.d/.99.conf", "[Server]\nMaxErrors=5\n");
    const Config *config = load_good (fixture, "[Server]\nMaxErrors=1\nMaxSessions=1\nMaxRecipients=1\n");

    g_assert_cmpuint (config->errors_most, ==, 3);
    g_assert_cmpuint (config->sessions_most, ==, 2);
    g_assert_cmpuint (config->recipients_most, ==, 1);
}

static void
test_an_empty_value_is_the_default (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *drop_in = write_file (fixture, "postern.conf.d/10.conf",
                                            "[Server]\nMaxErrors=\n[Smarthost]\nPort=\n[Relay]\nDomain=\n");
    const Config *config = load_good (fixture, "[Server]\nMaxErrors=1\n[Relay]\nDomain=example.net\n"
                                               "[Smarthost]\nHost=a\nPort=26\n");

    g_assert_cmpuint (config->errors_most, ==, 20);
    g_assert_cmpuint (smarthost (config, 0)->port, ==, 587);
    g_assert_cmpstr (config->domain, ==, "box.example.org");
}

static void
test_no_networks_means_nobody (Fixture *fixture, gconstpointer data)
{
    g_assert_false (trusts (load_good (fixture, "[Server]\nTrustedNetworks=\n"), "127.0.0.1"));
}

static void
test_the_mail_name_is_the_domain (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *mail_name = write_file (fixture, "mailname", "Example.ORG\nignored\n");

    fixture->sources.mail_name_file = mail_name;
    g_assert_cmpstr (load_good (fixture, "")->domain, ==, "example.org");
    g_assert_cmpstr (load_good (fixture, "[Relay]\nDomain=other.example\n")->domain, ==, "other.example");

    g_free (write_file (fixture, "mailname", "no domain at all\n"));
    g_assert_cmpstr (load_good (fixture, "")->domain, ==, "box.example.org");
}

static void
test_the_better_name_is_taken (Fixture *fixture, gconstpointer data)
{
    static const struct {
        const gchar *mail_name, *machine, *configuration;
        const gchar *domain, *host_name;
        guint warnings;
    } cases[] = {
        {"localhost", "box.example.org", "", "box.example.org", "box.example.org", 0},
        {"box", "box.example.org", "", "box.example.org", "box.example.org", 0},
        {"example.org.", "box", "", "example.org", "example.org", 0},
        {"example.org", "localhost.localdomain", "", "example.org", "example.org", 0},
        {"localhost", "box", "", "box", "box", 2},
        {"box", "localhost.localdomain", "", "box", "box", 2},
        {"localhost", "localhost.localdomain", "", "localhost", "localhost.localdomain", 2},
        {"localhost", "box", "[Relay]\nDomain=example.org.\n", "example.org", "example.org", 0},
        {"localhost", "box", "[Relay]\nHostName=box.example.org.\n", "box.example.org", "box.example.org", 0},
        {"example.org", "box.example.org", "[Relay]\nDomain=localhost\n", "localhost", "box.example.org", 1},
    };
    g_autofree gchar *mail_name = g_build_filename (fixture->folder, "mailname", NULL);

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        const Config *config;

        g_free (write_file (fixture, "mailname", cases[i].mail_name));
        fixture->sources.mail_name_file = mail_name;
        fixture->sources.host_name = cases[i].machine;
        config = load_good (fixture, cases[i].configuration);
        g_assert_cmpstr (config->domain, ==, cases[i].domain);
        g_assert_cmpstr (config->host_name, ==, cases[i].host_name);
        g_assert_cmpuint (fixture->warnings->len, ==, cases[i].warnings);
    }
}

typedef struct {
    const gchar *group;
    const gchar *key;
    const gchar *value;
    const gchar *expected;
} Bad;

static const Bad bad_values[] = {
    {"Relay", "HostName", "my host", "a domain name"},
    {"Relay", "Domain", "example..org", "a domain name"},
    {"Server", "TrustedNetworks", "10.0.0.1/8", "10.0.0.1/8"},
    {"Server", "TrustedNetworks", "loopback", "networks such as"},
    {"Server", "MaxMessageSize", "10 apples", "a number of bytes"},
    {"Server", "MaxRecipients", "0", "at least 1"},
    {"Server", "MaxRecipients", "many", "a whole number"},
    {"Server", "MaxSessions", "99999999999", "at most 1000000"},
    {"Server", "MaxErrors", "-1", "a whole number"},
    {"Server", "IdleTimeout", "soon", "a span of time"},
    {"Server", "IdleTimeout", "0", "at least 1 seconds"},
    {"Server", "TLSCertificate", "cert.pem", "the absolute path of a file"},
    {"Server", "TLSKey", "/nowhere/key.pem", "a file that can be read"},
    {"Queue", "GenerationSize", "1K", "at least 65536 bytes"},
    {"Queue", "ReserveSpace", "64MB", "a number of bytes"},
    {"Queue", "MaxMessages", "1K", "a whole number"},
    {"Queue", "MaxUserMessages", "yes", "a whole number"},
    {"Queue", "MaxUserBytes", "much", "a number of bytes"},
    {"Queue", "MaxUserRate", "100", "a whole number of messages and a span"},
    {"Queue", "MaxUserRate", "100/0", "a whole number of messages and a span"},
    {"Queue", "MaxUserRate", "0/1h", "a whole number of messages and a span"},
    {"Queue", "MaxUserRate", "99999999999/1h", "a whole number of messages and a span"},
    {"Queue", "Lifetime", "5 months", "a span of time"},
    {"Queue", "DelayNotice", "never", "a span of time"},
    {"Queue", "RetryFirst", "0", "at least 1 seconds"},
    {"Queue", "RetryLongest", "20y", "a span of time"},
    {"Queue", "RetryLongest", "99999d", "at most 315360000 seconds"},
    {"Delivery", "ConnectTimeout", "0", "at least 1 seconds"},
    {"Delivery", "GreetingTimeout", "x", "a span of time"},
    {"Delivery", "CommandTimeout", "x", "a span of time"},
    {"Delivery", "DataTimeout", "x", "a span of time"},
    {"Delivery", "BlockTimeout", "x", "a span of time"},
    {"Delivery", "EndTimeout", "x", "a span of time"},
    {"Delivery", "KeepConnection", "x", "a span of time"},
    {"Delivery", "NoticeContent", "x", "a number of bytes"},
    {"Delivery", "PauseOnMetered", "maybe", "yes or no"},
    {"Smarthost", "Host", "mail.example.org:587", "and Port=587 in a line of its own"},
    {"Smarthost", "Port", "0", "at least 1"},
    {"Smarthost", "Port", "65536", "at most 65535"},
    {"Smarthost", "TLS", "yes", "none, opportunistic, starttls or implicit"},
    {"Smarthost", "Verify", "maybe", "yes or no"},
    {"Smarthost", "TrustFile", "ca.pem", "the absolute path of a file"},
    {"Smarthost", "AuthWithoutTLS", "on", "yes or no"},
    {"Smarthost", "MaxConnections", "0", "at least 1"},
    {"Smarthost", "User", "a\\tb", "text without control characters"},
    {"Smarthost", "Mechanisms", "a\\nb", "text without control characters"},
    {"Smarthost", "PasswordFile", "relative", "absolute path"},
    {"Smarthost", "PasswordCredential", "../secret", "the name of a credential"},
};

static void
test_a_bad_value_is_named_with_what_was_expected (Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS (bad_values); i++) {
        const Bad *bad = &bad_values[i];
        g_autofree gchar *text = g_strdup_printf ("[%s]\n%s=%s\n", bad->group, bad->key, bad->value);
        g_autofree gchar *place = g_strdup_printf ("%s:2: [%s] %s=", fixture->path, bad->group, bad->key);

        assert_bad (fixture, text, place, bad->expected, NULL);
    }
}

static void
test_the_error_names_the_drop_in (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = write_file (fixture, "postern.conf.d/10.conf", "[Server]\nMaxErrors=x\n");
    g_autofree gchar *place = g_strdup_printf ("%s:2: [Server] MaxErrors=x: expected", path);

    assert_bad (fixture, "[Server]\nMaxErrors=1\n", place, NULL);
}

static void
test_all_problems_are_told_at_once (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = write_file (fixture, "postern.conf.d/10.conf", "this is no key file\n");

    assert_bad (fixture, "[Server]\nMaxErrors=x\nMaxSessions=y\nNothing=z\n[Nowhere]\n[Smarthost]\nUser=me\n",
                "MaxErrors=x", "MaxSessions=y", "Nothing=", "[Nowhere]", "Host=: missing", "User=", path, NULL);
}

static void
test_an_unknown_key_is_guessed (Fixture *fixture, gconstpointer data)
{
    assert_bad (fixture, "[Server]\nMaxErors=1\n", "[Server] MaxErors=: unknown key; did you mean MaxErrors=?", NULL);
    assert_bad (fixture, "[Server]\nHostName=a\n", "belongs into the group [Relay]", NULL);
    assert_bad (fixture, "[Smarthost x]\nHots=a\n", "[Smarthost x] Hots=: unknown key", NULL);
    assert_bad (fixture, "[Server]\nColour=blue\n", "postern.conf(5)", NULL);
}

static void
test_an_unknown_group_is_guessed (Fixture *fixture, gconstpointer data)
{
    assert_bad (fixture, "[Sever]\nMaxErrors=1\n", "[Sever]: unknown group; did you mean [Server]?", NULL);
    assert_bad (fixture, "[smarthost]\nHost=a\n", "did you mean [Smarthost]?", NULL);
    assert_bad (fixture, "[Painting]\nColour=blue\n", "[Painting]: unknown group; expected one of [Relay], [Server]",
                NULL);
}

static void
test_a_secret_in_the_wrong_place_is_not_shown (Fixture *fixture, gconstpointer data)
{
    static const gchar *const texts[] = {"[Smarthost]\nHost=a\nPassword=hunter2\n",
                                         "[Smarthost]\nHost=a\nUser=me\nPasswordFile=hunter2\n",
                                         "[Smarthost]\nHost=a\nUser=me\nPasswordCredential=hunter2\n"};

    for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
        assert_bad (fixture, texts[i], "Password", NULL);
        g_assert_null (strstr (fixture->error->message, "hunter2"));
    }
}

static void
test_a_file_that_cannot_be_read_is_named (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *folder = g_build_filename (fixture->folder, "postern.conf.d", "10.conf", NULL);

    g_assert_no_errno (g_mkdir (folder, 0700));
    assert_bad (fixture, "", folder, "cannot be read", NULL);
}

static void
test_a_named_file_must_exist (Fixture *fixture, gconstpointer data)
{
    fixture->config = config_load (&fixture->sources, fixture->warnings, &fixture->error);
    g_assert_no_error (fixture->error);

    fixture->sources.may_be_missing = FALSE;
    g_assert_null (config_load (&fixture->sources, fixture->warnings, &fixture->error));
    g_assert_error (fixture->error, CONFIG_ERROR, CONFIG_ERROR_BAD);
    g_assert_nonnull (strstr (fixture->error->message, fixture->path));
}

static void
test_what_is_no_key_file_is_refused (Fixture *fixture, gconstpointer data)
{
    assert_bad (fixture, "MaxErrors=1\n", fixture->path, NULL);
    assert_bad (fixture, "[Server\n", fixture->path, NULL);
    assert_bad (fixture, "[Server]\nMaxErrors\n", fixture->path, NULL);
    assert_bad (fixture, "[Relay]\nDomain=a\\qb\n", "[Relay] Domain=", "backslash", NULL);
    assert_bad (fixture, "[Server]\nMaxErrors=1 # one\n", "a comment only on a line of its own", NULL);
}

static void
test_smarthosts_have_names_of_their_own (Fixture *fixture, gconstpointer data)
{
    assert_bad (fixture, "[Smarthost]\nHost=a\n[Smarthost default]\nHost=b\n",
                "[Smarthost default]: there is another", NULL);
    assert_bad (fixture, "[Smarthost a/b]\nHost=a\n", "[Smarthost a/b]: expected a name of letters", NULL);
}

static void
test_a_user_and_a_password_go_together (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *password = write_file (fixture, "password", "secret");
    g_autofree gchar *lonely = g_strdup_printf ("[Smarthost]\nHost=a\nPasswordFile=%s\n", password);
    g_autofree gchar *both =
        g_strdup_printf ("[Smarthost]\nHost=a\nUser=me\nPasswordFile=%s\nPasswordCredential=x\n", password);

    assert_bad (fixture, "[Smarthost]\nHost=a\nUser=me\n", "User=: expected PasswordCredential=", NULL);
    assert_bad (fixture, lonely, "User=: missing", NULL);
    assert_bad (fixture, both, "only one of", NULL);
}

static void
test_a_password_is_one_line (Fixture *fixture, gconstpointer data)
{
    static const gchar *const texts[] = {"", "\n", "one\ntwo\n", "one\n\n"};
    g_autofree gchar *path = g_build_filename (fixture->folder, "password", NULL);
    g_autofree gchar *text = g_strdup_printf ("[Smarthost]\nHost=a\nUser=me\nPasswordFile=%s\n", path);

    assert_bad (fixture, text, "no password can be read from it: No such file", NULL);
    for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
        g_free (write_file (fixture, "password", texts[i]));
        assert_bad (fixture, text, "expected a password in one line", NULL);
    }

    g_free (write_file (fixture, "password", "secret \r\n"));
    g_assert_cmpstr (smarthost (load_good (fixture, text), 0)->password, ==, "secret ");
}

static void
test_a_credential_is_a_password (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = write_file (fixture, "smarthost", "secret\n");
    const gchar *text = "[Smarthost]\nHost=a\nUser=me\nPasswordCredential=smarthost\n";

    assert_bad (fixture, text, "LoadCredential=", NULL);

    fixture->sources.credentials_folder = fixture->folder;
    g_assert_cmpstr (smarthost (load_good (fixture, text), 0)->password, ==, "secret");
}

static void
test_a_credential_may_come_in_a_folder (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = write_file (fixture, "postern_smarthost", "secret\n");

    fixture->sources.credentials_folder = fixture->folder;
    load_good (fixture, "[Smarthost]\nHost=a\nUser=me\nPasswordCredential=smarthost\n");
    g_assert_cmpstr (smarthost (fixture->config, 0)->password, ==, "secret");
}

static void
test_a_password_for_everybody_is_warned_of (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = write_file (fixture, "password", "secret");
    g_autofree gchar *text = g_strdup_printf ("[Smarthost]\nHost=a\nUser=me\nPasswordFile=%s\n", path);

    g_assert_no_errno (g_chmod (path, 0644));
    load_good (fixture, text);
    g_assert_cmpuint (fixture->warnings->len, ==, 1);
    g_assert_nonnull (strstr (g_ptr_array_index (fixture->warnings, 0), "chmod o-r"));
    g_assert_null (strstr (g_ptr_array_index (fixture->warnings, 0), "secret"));
}

static void
test_a_password_that_never_leaves_is_warned_of (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = write_file (fixture, "password", "secret");
    g_autofree gchar *text = g_strdup_printf ("[Smarthost]\nHost=a\nTLS=none\nUser=me\nPasswordFile=%s\n", path);

    load_good (fixture, text);
    g_assert_cmpuint (fixture->warnings->len, ==, 1);
    g_assert_nonnull (strstr (g_ptr_array_index (fixture->warnings, 0), "AuthWithoutTLS=yes"));
}

static void
test_certificate_and_key_go_together (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *pem = write_file (fixture, "some.pem", "no certificate");
    g_autofree gchar *lonely = g_strdup_printf ("[Server]\nTLSCertificate=%s\n", pem);
    g_autofree gchar *both = g_strdup_printf ("[Server]\nTLSCertificate=%s\nTLSKey=%s\n", pem, pem);

    assert_bad (fixture, lonely, "TLSKey=: missing", NULL);
    assert_bad (fixture, both, "[Server] TLSCertificate=", pem, NULL);
}

static void
test_retries_do_not_grow_downwards (Fixture *fixture, gconstpointer data)
{
    assert_bad (fixture, "[Queue]\nRetryFirst=2h\nRetryLongest=1h\n", "RetryFirst=: expected no more than", NULL);
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer))
{
    g_autofree gchar *path = g_strconcat ("/daemon/config/", name, NULL);

    g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    add ("an-empty-file-is-a-configuration", test_an_empty_file_is_a_configuration);
    add ("every-key-of-the-relay-is-read", test_every_key_of_the_relay_is_read);
    add ("every-key-of-the-delivery-is-read", test_every_key_of_the_delivery_is_read);
    add ("every-key-of-a-smarthost-is-read", test_every_key_of_a_smarthost_is_read);
    add ("the-port-follows-from-tls", test_the_port_follows_from_tls);
    add ("smarthosts-keep-their-order", test_smarthosts_keep_their_order);
    add ("later-drop-ins-win", test_later_drop_ins_win);
    add ("an-empty-value-is-the-default", test_an_empty_value_is_the_default);
    add ("no-networks-means-nobody", test_no_networks_means_nobody);
    add ("the-mail-name-is-the-domain", test_the_mail_name_is_the_domain);
    add ("the-better-name-is-taken", test_the_better_name_is_taken);
    add ("a-bad-value-is-named-with-what-was-expected", test_a_bad_value_is_named_with_what_was_expected);
    add ("the-error-names-the-drop-in", test_the_error_names_the_drop_in);
    add ("all-problems-are-told-at-once", test_all_problems_are_told_at_once);
    add ("an-unknown-key-is-guessed", test_an_unknown_key_is_guessed);
    add ("an-unknown-group-is-guessed", test_an_unknown_group_is_guessed);
    add ("a-secret-in-the-wrong-place-is-not-shown", test_a_secret_in_the_wrong_place_is_not_shown);
    add ("a-file-that-cannot-be-read-is-named", test_a_file_that_cannot_be_read_is_named);
    add ("a-named-file-must-exist", test_a_named_file_must_exist);
    add ("what-is-no-key-file-is-refused", test_what_is_no_key_file_is_refused);
    add ("smarthosts-have-names-of-their-own", test_smarthosts_have_names_of_their_own);
    add ("a-user-and-a-password-go-together", test_a_user_and_a_password_go_together);
    add ("a-password-is-one-line", test_a_password_is_one_line);
    add ("a-credential-is-a-password", test_a_credential_is_a_password);
    add ("a-credential-may-come-in-a-folder", test_a_credential_may_come_in_a_folder);
    add ("a-password-for-everybody-is-warned-of", test_a_password_for_everybody_is_warned_of);
    add ("a-password-that-never-leaves-is-warned-of", test_a_password_that_never_leaves_is_warned_of);
    add ("certificate-and-key-go-together", test_certificate_and_key_go_together);
    add ("retries-do-not-grow-downwards", test_retries_do_not_grow_downwards);

    return g_test_run ();
}
