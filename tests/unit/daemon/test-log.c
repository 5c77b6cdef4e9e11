/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Lines of the log on standard error: whatever is logged, a line stays one and tells the truth. */

#include "log.h"

#include <string.h>
#include <unistd.h>

typedef struct {
    const gchar *bytes;
    const gchar *shown;
} Case;

static gchar *
format (GLogLevelFlags level, const gchar *domain, const gchar *message, const gchar *value, gssize length)
{
    GLogField fields[] = {{"MESSAGE", message, -1},
                          {"PRIORITY", "6", -1},
                          {"GLIB_DOMAIN", domain, -1},
                          {"POSTERN_SENDER", value, length}};
    GString *line = g_string_new (NULL);

    log_format (level, fields, value != NULL ? 4 : 3, line);
    return g_string_free (line, FALSE);
}

static void
assert_line (const gchar *message, const gchar *value, gssize length, const gchar *wanted)
{
    g_autofree gchar *line = format (G_LOG_LEVEL_INFO, G_LOG_DOMAIN, message, value, length);

    g_assert_cmpstr (line, ==, wanted);
}

static void
test_a_line_is_a_sentence_with_fields (void)
{
    assert_line ("queued mail of <me@example.org>", "me@example.org", -1,
                 "queued mail of <me@example.org> POSTERN_SENDER=me@example.org\n");
    assert_line ("hello", NULL, 0, "hello\n");
}

static void
test_severity_and_foreign_domains_stand_in_front (void)
{
    g_autofree gchar *warning = format (G_LOG_LEVEL_WARNING, "GLib-GIO", "oops", NULL, 0);
    g_autofree gchar *critical = format (G_LOG_LEVEL_CRITICAL, G_LOG_DOMAIN, "oops", NULL, 0);

    g_assert_cmpstr (warning, ==, "warning: GLib-GIO: oops\n");
    g_assert_cmpstr (critical, ==, G_LOG_DOMAIN "-CRITICAL: oops\n");
}

static void
test_the_priority_of_an_error_shows (void)
{
    GLogField fields[] = {{"MESSAGE", "oops", -1}, {"PRIORITY", "3", -1}, {"GLIB_DOMAIN", G_LOG_DOMAIN, -1}};
    g_autoptr (GString) line = g_string_new (NULL);

    log_format (G_LOG_LEVEL_WARNING, fields, G_N_ELEMENTS (fields), line);
    g_assert_cmpstr (line->str, ==, "error: oops\n");
}

static void
test_values_that_are_not_plain_are_quoted (void)
{
    static const Case cases[] = {
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"two\nlines", "\"two\\nlines\""},
        {"\r\t\033[31m\177", "\"\\x0d\\x09\\x1b[31m\\x7f\""},
        {"gr\303\274n", "\"gr\303\274n\""},
        {"not \377\376 utf-8", "\"not \\xff\\xfe utf-8\""},
        {"cut \303", "\"cut \\xc3\""},
        {"\342\200\250", "\"\\xe2\\x80\\xa8\""},     /* line separator */
        {"a\342\200\256b", "\"a\\xe2\\x80\\xaeb\""}, /* right-to-left override */
        {"\302\205", "\"\\xc2\\x85\""},              /* next line, of C1 */
        {"\300\200", "\"\\xc0\\x80\""},              /* overlong */
        {"\355\240\200", "\"\\xed\\xa0\\x80\""},     /* surrogate */
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *wanted = g_strdup_printf ("x POSTERN_SENDER=%s\n", cases[i].shown);

        assert_line ("x", cases[i].bytes, -1, wanted);
    }
}

static void
test_a_value_may_have_any_bytes (void)
{
    assert_line ("x", "a\0b", 3, "x POSTERN_SENDER=\"a\\x00b\"\n");
}

static void
test_a_sentence_cannot_end_its_line (void)
{
    assert_line ("refused\nqueued mail \r\033[2K", NULL, 0, "refused\\nqueued mail \\x0d\\x1b[2K\n");
}

static void
test_a_sentence_cannot_forge_a_field (void)
{
    assert_line ("from <\" POSTERN_QUEUE_ID=1 POSTERN_SIZE=2\"@x>", "y", -1,
                 "from <\" POSTERN\\x5fQUEUE_ID=1 POSTERN\\x5fSIZE=2\"@x> POSTERN_SENDER=y\n");
}

static void
test_a_value_cannot_forge_a_field (void)
{
    assert_line ("x", "a POSTERN_SIZE=2", -1, "x POSTERN_SENDER=\"a POSTERN_SIZE=2\"\n");
    assert_line ("x", "a\" POSTERN_SIZE=2", -1, "x POSTERN_SENDER=\"a\\\" POSTERN_SIZE=2\"\n");
}

static void
test_any_bytes_make_one_printable_line (void)
{
    for (guint round = 0; round < 2000; round++) {
        gchar bytes[32];
        g_autofree gchar *line = NULL;

        for (guint i = 0; i < sizeof bytes; i++)
            bytes[i] = (gchar) g_test_rand_int_range (0, 256);
        bytes[sizeof bytes - 1] = '\0';

        line = format (G_LOG_LEVEL_INFO, G_LOG_DOMAIN, bytes, bytes, sizeof bytes);
        g_assert_true (g_utf8_validate (line, -1, NULL));
        for (gchar *at = line; *at != '\0'; at++)
            g_assert_true (!g_ascii_iscntrl (*at) || (*at == '\n' && at[1] == '\0'));
    }
}

static void
test_a_reader_that_stops_holds_nothing_up (void)
{
    g_autoptr (GString) heard = g_string_new (NULL);
    gchar buffer[65536];
    gssize length;
    int fds[2];

    if (!g_test_subprocess ()) {
        g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
        g_test_trap_assert_passed ();
        return;
    }

    g_assert_no_errno (pipe (fds));
    g_assert_no_errno (dup2 (fds[1], STDERR_FILENO));
    close (fds[1]);
    log_install ();

    /* A pipe holds fewer: without the rule this would never end. */
    for (guint i = 0; i < 10000; i++)
        g_message ("line %u", i);

    length = read (fds[0], buffer, sizeof buffer);
    g_assert_cmpint (length, >, 0);
    g_message ("the last line");
    close (STDERR_FILENO);

    while ((length = read (fds[0], buffer, sizeof buffer)) > 0)
        g_string_append_len (heard, buffer, length);
    g_assert_nonnull (strstr (heard->str, "lines of this log are missing here"));
    g_assert_true (g_str_has_suffix (heard->str, "the last line\n"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/daemon/log/a-line-is-a-sentence-with-fields", test_a_line_is_a_sentence_with_fields);
    g_test_add_func ("/daemon/log/severity-and-foreign-domains-stand-in-front",
                     test_severity_and_foreign_domains_stand_in_front);
    g_test_add_func ("/daemon/log/the-priority-of-an-error-shows", test_the_priority_of_an_error_shows);
    g_test_add_func ("/daemon/log/values-that-are-not-plain-are-quoted", test_values_that_are_not_plain_are_quoted);
    g_test_add_func ("/daemon/log/a-value-may-have-any-bytes", test_a_value_may_have_any_bytes);
    g_test_add_func ("/daemon/log/a-sentence-cannot-end-its-line", test_a_sentence_cannot_end_its_line);
    g_test_add_func ("/daemon/log/a-sentence-cannot-forge-a-field", test_a_sentence_cannot_forge_a_field);
    g_test_add_func ("/daemon/log/a-value-cannot-forge-a-field", test_a_value_cannot_forge_a_field);
    g_test_add_func ("/daemon/log/any-bytes-make-one-printable-line", test_any_bytes_make_one_printable_line);

    g_test_add_func ("/daemon/log/a-reader-that-stops-holds-nothing-up", test_a_reader_that_stops_holds_nothing_up);

    return g_test_run ();
}
