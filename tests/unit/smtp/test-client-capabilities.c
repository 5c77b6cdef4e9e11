/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What a server says to EHLO.
 */

#include "smtp/client-capabilities.h"

typedef SmtpCapabilities Capabilities;

static void
capabilities_clear (Capabilities *capabilities)
{
    smtp_capabilities_clear (capabilities);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Capabilities, capabilities_clear)

static void
read_text (Capabilities *capabilities, const gchar *text)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (250, NULL, "%s", text);

    smtp_capabilities_read (capabilities, reply);
}

static void
test_all_that_matter_are_known (void)
{
    g_auto (Capabilities) found = {0};

    read_text (&found, "mx.example\nSTARTTLS\nPIPELINING\nCHUNKING\nDSN\n8BITMIME\nSMTPUTF8\nSIZE 1000\nAUTH PLAIN");
    g_assert_true (found.starttls && found.pipelining && found.chunking && found.dsn);
    g_assert_true (found.eightbitmime && found.smtputf8 && found.size);
    g_assert_cmpuint (found.size_most_bytes, ==, 1000);
    g_assert_cmpstr (found.auth, ==, "PLAIN");
}

static void
test_case_does_not_matter (void)
{
    g_auto (Capabilities) found = {0};

    read_text (&found, "mx.example\nStartTLS\npipelining\nsize 5");
    g_assert_true (found.starttls && found.pipelining && found.size);
}

static void
test_the_name_of_the_server_is_no_capability (void)
{
    g_auto (Capabilities) found = {0};

    read_text (&found, "PIPELINING\nX-SOMETHING");
    g_assert_false (found.pipelining);
}

static void
test_similar_names_are_others (void)
{
    g_auto (Capabilities) found = {0};

    read_text (&found, "mx.example\nXPIPELINING\nPIPELININGS\nSTART TLS\nDSN2\nAUTHINFO PLAIN");
    g_assert_false (found.pipelining || found.starttls || found.dsn);
    g_assert_null (found.auth);
}

static void
test_size_without_a_limit (void)
{
    g_auto (Capabilities) found = {0};

    read_text (&found, "mx.example\nSIZE");
    g_assert_true (found.size);
    g_assert_cmpuint (found.size_most_bytes, ==, 0);
    read_text (&found, "mx.example\nSIZE 0");
    g_assert_cmpuint (found.size_most_bytes, ==, 0);
    read_text (&found, "mx.example\nSIZE lots");
    g_assert_cmpuint (found.size_most_bytes, ==, 0);
    read_text (&found, "mx.example\nSIZE 99999999999999999999999");
    g_assert_cmpuint (found.size_most_bytes, ==, G_MAXUINT64);
}

static void
test_limits_may_tell_the_recipients (void)
{
    static const struct {
        const gchar *line;
        guint expected;
    } cases[] = {
        {"LIMITS RCPTMAX=100", 100},
        {"limits MAILMAX=5 rcptmax=7 RCPTDOMAINMAX=1", 7},
        {"LIMITS MAILMAX=5", 0},
        {"LIMITS", 0},
        {"LIMITS RCPTMAX", 0},
        {"LIMITS RCPTMAX=0", 0},
        {"LIMITS RCPTMAX=-1", 0},
        {"LIMITS RCPTMAX=1x", 0},
        {"LIMITS RCPTMAX=99999999999999999999", 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_auto (Capabilities) found = {0};
        g_autofree gchar *text = g_strconcat ("mx.example\n", cases[i].line, NULL);

        read_text (&found, text);
        g_assert_cmpuint (found.recipients_most, ==, cases[i].expected);
    }
}

static void
test_both_forms_of_auth_add_up (void)
{
    g_auto (Capabilities) found = {0};

    read_text (&found, "mx.example\nAUTH PLAIN CRAM-MD5\nAUTH=LOGIN");
    g_assert_cmpstr (found.auth, ==, "PLAIN CRAM-MD5 LOGIN");
}

static void
test_the_earlier_ones_are_forgotten (void)
{
    g_auto (Capabilities) found = {0};

    read_text (&found, "mx.example\nAUTH PLAIN\nDSN\nSIZE 5");
    read_text (&found, "mx.example");
    g_assert_null (found.auth);
    g_assert_false (found.dsn || found.size);
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

#define ADD(name, test) g_test_add_func ("/smtp/client/capabilities/" name, test)
    ADD ("all-that-matter-are-known", test_all_that_matter_are_known);
    ADD ("case-does-not-matter", test_case_does_not_matter);
    ADD ("the-name-of-the-server-is-no-capability", test_the_name_of_the_server_is_no_capability);
    ADD ("similar-names-are-others", test_similar_names_are_others);
    ADD ("size-without-a-limit", test_size_without_a_limit);
    ADD ("limits-may-tell-the-recipients", test_limits_may_tell_the_recipients);
    ADD ("both-forms-of-auth-add-up", test_both_forms_of_auth_add_up);
    ADD ("the-earlier-ones-are-forgotten", test_the_earlier_ones_are_forgotten);

    return g_test_run ();
}
