/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A Received field tells what the relay knows, and what the client says without letting it say more.
 */

#include <string.h>
#include <time.h>

#include "message/trace.h"

#define USEC (G_GINT64_CONSTANT (1795315321) * G_USEC_PER_SEC)

static void
network_client (void)
{
    const MessageTrace trace = {.helo = "client.example",
                                .peer = "192.0.2.7",
                                .uid = -1,
                                .by = "relay.example.org",
                                .protocol = "ESMTPS",
                                .tls = "TLS1.3, AES-256-GCM",
                                .id = "4bz7",
                                .recipient = "user@example.net",
                                .usec = USEC};
    g_autofree gchar *body = message_trace_format (&trace);

    g_assert_cmpstr (body, ==,
                     "from client.example ([192.0.2.7])\r\n"
                     "\tby relay.example.org (Postern) with ESMTPS\r\n"
                     "\t(TLS1.3, AES-256-GCM) id 4bz7\r\n"
                     "\tfor <user@example.net>;\r\n"
                     "\tSun, 22 Nov 2026 02:42:01 +0000");
}

static void
local_user_is_named (void)
{
    const MessageTrace trace = {
        .user = "www-data", .uid = 33, .by = "relay.example.org", .protocol = "local", .id = "4bz7", .usec = USEC};
    g_autofree gchar *body = message_trace_format (&trace);

    g_assert_cmpstr (body, ==,
                     "from localhost (user www-data, uid 33)\r\n"
                     "\tby relay.example.org (Postern) with local id 4bz7;\r\n"
                     "\tSun, 22 Nov 2026 02:42:01 +0000");
}

static void
user_without_a_name_has_a_number (void)
{
    const MessageTrace trace = {.uid = 61184, .by = "relay.example.org", .protocol = "local", .usec = USEC};
    g_autofree gchar *body = message_trace_format (&trace);

    g_assert_true (g_str_has_prefix (body, "from localhost (uid 61184)\r\n"));
}

static void
client_without_a_name_has_its_address (void)
{
    const MessageTrace trace = {
        .peer = "2001:db8::1", .uid = -1, .by = "relay.example.org", .protocol = "SMTP", .usec = USEC};
    g_autofree gchar *body = message_trace_format (&trace);

    g_assert_true (g_str_has_prefix (body, "from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"));
}

static void
client_cannot_forge_more_than_its_name (void)
{
    g_autofree gchar *endless = g_strnfill (100000, 'x');
    const gchar *const names[] = {"a (trusted [127.0.0.1])\r\nX-Forged: yes", "a\"\\<>;\x1b", "bücher", endless};

    for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
        const MessageTrace trace = {.helo = names[i],
                                    .peer = "192.0.2.7",
                                    .uid = -1,
                                    .by = "relay.example.org",
                                    .protocol = "ESMTP",
                                    .usec = USEC};
        g_autofree gchar *body = message_trace_format (&trace);
        const gchar *comment = strchr (body, '(');

        g_assert_true (g_str_has_prefix (comment, "([192.0.2.7])\r\n"));
        g_assert_cmpuint ((gsize) (comment - body), <, 300);
        g_assert_true (g_str_is_ascii (body));
    }
}

static void
user_name_cannot_leave_its_comment (void)
{
    const MessageTrace trace = {
        .user = "ev)il\r\n(\\", .uid = 1000, .by = "relay.example.org", .protocol = "local", .usec = USEC};
    g_autofree gchar *body = message_trace_format (&trace);

    g_assert_true (g_str_has_prefix (body, "from localhost (user ev?il????, uid 1000)\r\n"));
}

gint
main (gint argc, gchar **argv)
{
    g_setenv ("TZ", "UTC", TRUE);
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/trace/network-client", network_client);
    g_test_add_func ("/message/trace/local-user-is-named", local_user_is_named);
    g_test_add_func ("/message/trace/user-without-a-name-has-a-number", user_without_a_name_has_a_number);
    g_test_add_func ("/message/trace/client-without-a-name-has-its-address", client_without_a_name_has_its_address);
    g_test_add_func ("/message/trace/client-cannot-forge-more-than-its-name", client_cannot_forge_more_than_its_name);
    g_test_add_func ("/message/trace/user-name-cannot-leave-its-comment", user_name_cannot_leave_its_comment);

    return g_test_run ();
}
