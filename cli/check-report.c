/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Reports of checks
 *
 * The daemon's code is the only reader of the configuration and the only one that talks to smarthosts; this command is
 * built on what it says. A relay that runs is asked over the bus. Without one, the daemon's program is run for the check
 * alone, and prints the same report.
 *
 * What is wrong comes in the daemon's words; what to do about it is added here, by the kind of failure.
 */

#include "check-report.h"

#include <stdlib.h>
#include <string.h>

#include "postern-json.h"
#include "postern-remotes.h"
#include "postern-style.h"
#include "postern-text.h"

#define ROW_FORMAT "(&s&sq&s&s&s&s&s)"

/* ---- Where it comes from ---- */

GVariant *
check_report_ask (const Client *client, gboolean connect, const gchar *sender, GError **error)
{
    return client_call_manager (client, "Check", g_variant_new ("(bs)", connect, sender), CHECK_REPORT_TYPE, error);
}

/* Tests run the daemon of their build. */
static const gchar *
daemon_path (void)
{
    const gchar *path = g_getenv ("POSTERN_DAEMON");

    return path != NULL && *path != '\0' ? path : POSTERN_LIBEXECDIR "/posternd";
}

static GVariant *
parse_report (const gchar *text, GError **error)
{
    g_autoptr (GVariant) report = g_variant_parse (G_VARIANT_TYPE (CHECK_REPORT_TYPE), text, NULL, NULL, NULL);

    if (report == NULL)
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                     "%s makes no report that this command understands; is it of another version?", daemon_path ());
    return g_steal_pointer (&report);
}

GVariant *
check_report_run (GSubprocessLauncher *launcher, const gchar *const *arguments, GError **error)
{
    g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
    g_autoptr (GSubprocess) process = NULL;
    g_autofree gchar *output = NULL;
    g_auto (GStrv) argv = NULL;

    g_strv_builder_add_many (builder, daemon_path (), "--check", "--machine", NULL);
    g_strv_builder_addv (builder, (const gchar **) arguments);
    argv = g_strv_builder_end (builder);

    g_subprocess_launcher_set_flags (launcher, G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    process = g_subprocess_launcher_spawnv (launcher, (const gchar *const *) argv, error);
    if (process == NULL || !g_subprocess_communicate_utf8 (process, NULL, NULL, &output, NULL, error))
        return NULL;

    if (!g_subprocess_get_if_exited (process) || g_subprocess_get_exit_status (process) != EXIT_SUCCESS) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s could not make a check", daemon_path ());
        return NULL;
    }

    return parse_report (output, error);
}

/* ---- What it says ---- */

static gboolean
is_failure (const CheckedSmarthost *smarthost)
{
    return !g_str_equal (smarthost->fault, "") && !g_str_equal (smarthost->fault, "untried");
}

guint
check_report_count (GVariant *report)
{
    g_autoptr (GVariant) rows = g_variant_get_child_value (report, 2);

    return (guint) g_variant_n_children (rows);
}

void
check_report_smarthost (GVariant *report, guint index, CheckedSmarthost *smarthost)
{
    g_autoptr (GVariant) rows = g_variant_get_child_value (report, 2);

    g_variant_get_child (rows, index, ROW_FORMAT, &smarthost->name, &smarthost->host, &smarthost->port,
                         &smarthost->tls, &smarthost->user, &smarthost->fault, &smarthost->error,
                         &smarthost->transcript);
}

gboolean
check_report_has_problems (GVariant *report)
{
    g_autoptr (GVariant) problems = g_variant_get_child_value (report, 0);

    return g_variant_n_children (problems) > 0;
}

/* How many smarthosts failed. */
static guint
count_failures (GVariant *report)
{
    guint failures = 0;

    for (guint i = 0; i < check_report_count (report); i++) {
        CheckedSmarthost smarthost;

        check_report_smarthost (report, i, &smarthost);
        failures += is_failure (&smarthost);
    }

    return failures;
}

gboolean
check_report_is_good (GVariant *report)
{
    return !check_report_has_problems (report) && check_report_count (report) > 0 && count_failures (report) == 0;
}

/* ---- For people ---- */

static const struct {
    const gchar *fault;
    const gchar *advice;
} advices[] = {
    {"lookup", "Is Host= spelt right? “getent hosts NAME” tells whether this machine can look up names at all."},
    {"connect",
     "Are Host= and Port= right? Many networks let nothing out on port 25; providers take mail on port 587 "
     "(TLS=starttls) or 465 (TLS=implicit)."},
    {"tls", "Do Port= and TLS= fit together? 587 goes with TLS=starttls, 465 with TLS=implicit."},
    {"login",
     "Are User= and the password right? Many providers want an app password here, which their web site makes, "
     "and not the one that you log in with yourself. systemd hands over passwords when the service starts: "
     "after a change, “systemctl restart postern”."},
    {"refused", "It may want a login (User=), or take mail only from senders of yours (try --sender=ADDRESS), or not "
                "want mail from this machine at all."},
    {"closed", "It may be busy, or expect TLS from the first byte (TLS=implicit), or not want this machine."},
    {"timeout", "A firewall may swallow what is sent, or the server expects TLS from the first byte (TLS=implicit)."},
    {"protocol", "That may be no mail server, or one that expects TLS from the first byte (TLS=implicit)."},
};

static const gchar *
advice_for (const gchar *fault)
{
    for (guint i = 0; i < G_N_ELEMENTS (advices); i++)
        if (g_str_equal (advices[i].fault, fault))
            return advices[i].advice;

    return NULL;
}

/* @place: (nullable): of what was tried as a file in memory */
static void
print_lines (GVariant *lines, const gchar *place)
{
    GVariantIter iter;
    const gchar *line;

    g_variant_iter_init (&iter, lines);
    while (g_variant_iter_next (&iter, "&s", &line)) {
        g_autoptr (GString) text = g_string_new (line);
        g_autofree gchar *escaped = NULL;

        if (place != NULL)
            g_string_replace (text, CHECK_CONFIGURATION, place, 0);
        escaped = text_escape (text->str);
        g_print ("  %s\n", escaped);
    }
}

gboolean
check_transcript_repeats (const gchar *line, const gchar *error)
{
    return g_str_has_prefix (line, "* ") && g_str_equal (line + 2, error);
}

static void
print_transcript (const gchar *transcript, const gchar *error)
{
    g_auto (GStrv) lines = g_strsplit (transcript, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree gchar *escaped = text_escape (g_strchomp (lines[i]));

        if (*escaped != '\0' && !check_transcript_repeats (lines[i], error))
            g_print ("    %s%s%s\n", style_begin (STYLE_FAINT), escaped, style_end ());
    }
}

static gchar *
describe (const CheckedSmarthost *smarthost)
{
    g_autofree gchar *name = text_escape (smarthost->name);
    g_autofree gchar *host = text_escape (smarthost->host);
    g_autofree gchar *user = text_escape (smarthost->user);

    return g_strdup_printf ("Smarthost %s (%s, port %u, TLS=%s%s%s)", name, host, smarthost->port, smarthost->tls,
                            *user != '\0' ? ", as " : ", without a login", user);
}

static void
print_advice (const CheckedSmarthost *smarthost)
{
    const gchar *advice = advice_for (smarthost->fault);

    if (advice != NULL)
        g_print ("  %s\n", advice);
}

static void
print_failure (const CheckedSmarthost *smarthost)
{
    g_autofree gchar *error = text_escape (smarthost->error);

    g_print ("  %s\n", error);
    print_transcript (smarthost->transcript, smarthost->error);
    print_advice (smarthost);
}

static void
print_smarthost (const CheckedSmarthost *smarthost, gboolean verbose)
{
    g_autofree gchar *what = describe (smarthost);

    if (g_str_equal (smarthost->fault, "untried")) {
        g_print ("%s: not tried.\n", what);
    } else if (is_failure (smarthost)) {
        g_print ("%s: %stakes no mail.%s\n", what, style_begin (STYLE_BAD), style_end ());
        print_failure (smarthost);
    } else {
        g_print ("%s: %stakes mail.%s\n", what, style_begin (STYLE_GOOD), style_end ());
        if (verbose)
            print_transcript (smarthost->transcript, smarthost->error);
    }
}

static gboolean
names_credential (GVariant *problems)
{
    GVariantIter iter;
    const gchar *line;

    g_variant_iter_init (&iter, problems);
    while (g_variant_iter_next (&iter, "&s", &line))
        if (strstr (line, "] PasswordCredential=: no password can be read") != NULL)
            return TRUE;

    return FALSE;
}

static void
print_problems (GVariant *problems)
{
    g_print ("%sThe configuration is bad%s:\n", style_begin (STYLE_BAD), style_end ());
    print_lines (problems, NULL);
    if (names_credential (problems))
        g_print ("  systemd hands over passwords when the service starts: put it there, then “systemctl restart "
                 "postern”.\n");
}

static void
print_warnings (GVariant *report, const gchar *place)
{
    g_autoptr (GVariant) warnings = g_variant_get_child_value (report, 1);

    if (g_variant_n_children (warnings) > 0) {
        g_print ("%sThis works, but should not stay so:%s\n", style_begin (STYLE_WAITING), style_end ());
        print_lines (warnings, place);
    }
}

/* What it comes to, in one sentence: a file without faults is not good as long as no mail can leave. */
static void
print_verdict (GVariant *report)
{
    guint count = check_report_count (report), failures = count_failures (report);

    if (check_report_is_good (report))
        g_print ("%sThe configuration is good.%s\n", style_begin (STYLE_GOOD), style_end ());
    else if (count == 0)
        g_print ("%sNo mail can leave%s: there is no smarthost, so mail is taken and waits. " REMOTES_NONE_ADVICE
                 ".\n",
                 style_begin (STYLE_BAD), style_end ());
    else if (failures == count)
        g_print ("%sNo mail can leave%s: the configuration has no faults, but no smarthost takes mail.\n",
                 style_begin (STYLE_BAD), style_end ());
    else
        g_print ("%sThe configuration has no faults, but not every smarthost takes mail.%s\n",
                 style_begin (STYLE_WAITING), style_end ());
}

void
check_report_print (GVariant *report, gboolean verbose)
{
    g_autoptr (GVariant) problems = g_variant_get_child_value (report, 0);

    if (check_report_has_problems (report))
        print_problems (problems);
    else
        print_verdict (report);
    print_warnings (report, NULL);

    for (guint i = 0; i < check_report_count (report); i++) {
        CheckedSmarthost smarthost;

        check_report_smarthost (report, i, &smarthost);
        print_smarthost (&smarthost, verbose);
    }
}

/* Who is asked for another password wants the reason, and not what led to it. */
void
check_report_print_trial (GVariant *report, const gchar *place)
{
    g_autoptr (GVariant) problems = g_variant_get_child_value (report, 0);

    print_lines (problems, place);
    for (guint i = 0; i < check_report_count (report); i++) {
        CheckedSmarthost smarthost;
        g_autofree gchar *error = NULL;

        check_report_smarthost (report, i, &smarthost);
        error = text_escape (smarthost.error);
        if (is_failure (&smarthost)) {
            g_print ("%sIt takes no mail%s: %s\n", style_begin (STYLE_BAD), style_end (), error);
            print_advice (&smarthost);
        } else {
            g_print ("%sIt takes mail.%s\n", style_begin (STYLE_GOOD), style_end ());
        }
    }
    print_warnings (report, place);
}

/* ---- For programs ---- */

static void
add_json_lines (JsonBuilder *builder, const gchar *name, GVariant *lines)
{
    GVariantIter iter;
    const gchar *line;

    json_builder_set_member_name (builder, name);
    json_builder_begin_array (builder);
    g_variant_iter_init (&iter, lines);
    while (g_variant_iter_next (&iter, "&s", &line))
        json_builder_add_string_value (builder, line);
    json_builder_end_array (builder);
}

static void
add_json_smarthost (JsonBuilder *builder, const CheckedSmarthost *smarthost)
{
    json_builder_begin_object (builder);
    json_add_text (builder, "name", smarthost->name);
    json_add_text (builder, "host", smarthost->host);
    json_add_number (builder, "port", smarthost->port);
    json_add_text (builder, "tls", smarthost->tls);
    json_add_text (builder, "user", smarthost->user);
    json_add_text (builder, "fault", smarthost->fault);
    json_add_text (builder, "error", smarthost->error);
    json_add_text (builder, "transcript", smarthost->transcript);
    json_builder_end_object (builder);
}

void
check_report_add_json (JsonBuilder *builder, GVariant *report)
{
    g_autoptr (GVariant) problems = g_variant_get_child_value (report, 0);
    g_autoptr (GVariant) warnings = g_variant_get_child_value (report, 1);

    json_builder_begin_object (builder);
    json_add_boolean (builder, "good", check_report_is_good (report));
    add_json_lines (builder, "problems", problems);
    add_json_lines (builder, "warnings", warnings);
    json_builder_set_member_name (builder, "smarthosts");
    json_builder_begin_array (builder);
    for (guint i = 0; i < check_report_count (report); i++) {
        CheckedSmarthost smarthost;

        check_report_smarthost (report, i, &smarthost);
        add_json_smarthost (builder, &smarthost);
    }
    json_builder_end_array (builder);
    json_builder_end_object (builder);
}
