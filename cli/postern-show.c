/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern show
 *
 * One message: why it is here, who is to have it and what each remote said last, and what happened so far. Or, with
 * --content, the message itself, as it would be in a file: line ends are LF.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "postern-command.h"
#include "postern-id.h"
#include "postern-json.h"
#include "postern-properties.h"
#include "postern-style.h"
#include "postern-text.h"

typedef struct {
    CommandLine *line;
    gboolean content;
    gint64 now_usec;
} Show;

static void G_GNUC_PRINTF (2, 3) print_field (const gchar *name, const gchar *format, ...)
{
    g_autofree gchar *value = NULL;
    va_list arguments;

    va_start (arguments, format);
    value = g_strdup_vprintf (format, arguments);
    va_end (arguments);
    g_print ("%s%-11s%s %s\n", style_begin (STYLE_HEADING), name, style_end (), value);
}

static void
print_text (const gchar *name, const gchar *text)
{
    g_autofree gchar *escaped = text_escape (text);

    if (*escaped != '\0')
        print_field (name, "%s", escaped);
}

static void
print_time (const Show *show, const gchar *name, guint64 usec)
{
    g_autofree gchar *relative = text_relative ((gint64) usec, show->now_usec);
    g_autofree gchar *absolute = text_time ((gint64) usec, show->now_usec);

    print_field (name, "%s (%s)", relative, absolute);
}

static void
print_state (const Show *show, GVariant *properties)
{
    const gchar *state = properties_text (properties, "State");
    guint64 next = properties_number (properties, "NextAttempt");
    g_autofree gchar *relative = text_relative ((gint64) next, show->now_usec);

    if (next > (guint64) show->now_usec)
        print_field ("State", "%s%s%s, next attempt %s", style_begin (style_of_state (state)), state, style_end (),
                     relative);
    else
        print_field ("State", "%s%s%s", style_begin (style_of_state (state)), state, style_end ());
}

static void
print_origin (GVariant *properties)
{
    g_autofree gchar *user = text_user (properties_user (properties, "User"));
    g_autofree gchar *peer = text_escape (properties_text (properties, "Peer"));
    g_autofree gchar *helo = text_escape (properties_text (properties, "Helo"));
    g_autofree gchar *protocol = text_escape (properties_text (properties, "Protocol"));

    if (*peer != '\0' && properties_user (properties, "User") >= 0)
        print_field ("Came", "from user %s at %s (%s) by %s", user, peer, helo, protocol);
    else if (*peer != '\0')
        print_field ("Came", "from %s (%s) by %s", peer, helo, protocol);
    else if (properties_user (properties, "User") >= 0)
        print_field ("Came", "from user %s by %s", user, protocol);
    else
        print_field ("Came", "by %s", protocol);
}

/* What stands in front of a reply, so that nobody takes for a server's what is the relay's. */
static const gchar *
words_before_reply (const gchar *state, const gchar *decided_by)
{
    if (g_str_equal (decided_by, "remote"))
        return "answered: ";

    /* Why it has to wait needs no judge. */
    return g_str_equal (decided_by, "relay") && !g_str_equal (state, "pending") ? "decided here: " : "";
}

/* Returns: whose word the reply of that recipient is; "" if it is not known, from a relay of an older version */
static const gchar *
find_decider (GVariant *properties, gsize index)
{
    g_autoptr (GVariant) deciders = g_variant_lookup_value (properties, "DecidedBy", G_VARIANT_TYPE_STRING_ARRAY);
    const gchar *decider = "";

    if (deciders != NULL && index < g_variant_n_children (deciders))
        g_variant_get_child (deciders, index, "&s", &decider);

    return decider;
}

static void
print_recipient (const Show *show, GVariant *recipient, const gchar *decided_by)
{
    const gchar *address, *state, *remote, *status, *reply;
    guint32 attempts;
    guint64 last;
    g_autofree gchar *escaped = NULL;

    g_variant_get (recipient, "(&s&sut&s&s&s)", &address, &state, &attempts, &last, &remote, &status, &reply);
    escaped = text_escape (address);
    g_print ("  %s  %s%s%s", escaped, style_begin (style_of_state (state)), state, style_end ());
    if (attempts > 0) {
        g_autofree gchar *relative = text_relative ((gint64) last, show->now_usec);
        g_autofree gchar *escaped_remote = text_escape (remote);

        g_print (", %u attempt%s, last %s%s%s", attempts, attempts == 1 ? "" : "s", relative,
                 *remote == '\0' ? "" : " at ", escaped_remote);
    }
    g_print ("\n");
    if (*reply != '\0') {
        g_autofree gchar *escaped_reply = text_escape (reply);

        g_print ("      %s%s\n", words_before_reply (state, decided_by), escaped_reply);
    }
}

static void
print_recipients (const Show *show, GVariant *properties)
{
    g_autoptr (GVariant) recipients =
        g_variant_lookup_value (properties, "Recipients", G_VARIANT_TYPE ("a(ssutsss)"));
    gsize count = recipients == NULL ? 0 : g_variant_n_children (recipients);

    print_field ("Recipients", "%" G_GSIZE_FORMAT ", of which %" G_GUINT64_FORMAT " pending", count,
                 properties_number (properties, "Pending"));
    for (gsize i = 0; i < count; i++) {
        g_autoptr (GVariant) recipient = g_variant_get_child_value (recipients, i);

        print_recipient (show, recipient, find_decider (properties, i));
    }
}

static void
print_history (const Show *show, GVariant *properties)
{
    g_autoptr (GVariant) history = g_variant_lookup_value (properties, "History", G_VARIANT_TYPE ("a(ts)"));
    gsize count = history == NULL ? 0 : g_variant_n_children (history);

    if (count > 0)
        g_print ("%sHistory%s\n", style_begin (STYLE_HEADING), style_end ());
    for (gsize i = 0; i < count; i++) {
        guint64 usec;
        const gchar *text;
        g_autofree gchar *time = NULL;
        g_autofree gchar *escaped = NULL;

        g_variant_get_child (history, i, "(t&s)", &usec, &text);
        time = text_time ((gint64) usec, show->now_usec);
        escaped = text_escape (text);
        g_print ("  %s  %s\n", time, escaped);
    }
}

static void
print_message (const Show *show, GVariant *properties)
{
    const gchar *sender = properties_text (properties, "Sender");
    g_autofree gchar *size = text_size (properties_number (properties, "Size"));

    print_text ("Message", properties_text (properties, "Id"));
    print_state (show, properties);
    print_text ("Reason", properties_text (properties, "Reason"));
    print_text ("From", *sender == '\0' ? "<>" : sender);
    print_field ("Size", "%s", size);
    print_time (show, "Arrived", properties_number (properties, "Arrived"));
    print_origin (properties);
    print_field ("Attempts", "%" G_GUINT64_FORMAT, properties_number (properties, "Attempts"));
    print_text ("Envelope id", properties_text (properties, "EnvelopeId"));
    print_recipients (show, properties);
    print_history (show, properties);
}

static void
add_json_recipients (JsonBuilder *builder, GVariant *properties)
{
    g_autoptr (GVariant) recipients =
        g_variant_lookup_value (properties, "Recipients", G_VARIANT_TYPE ("a(ssutsss)"));
    gsize count = recipients == NULL ? 0 : g_variant_n_children (recipients);

    json_builder_set_member_name (builder, "recipients");
    json_builder_begin_array (builder);
    for (gsize i = 0; i < count; i++) {
        const gchar *address, *state, *remote, *status, *reply;
        guint32 attempts;
        guint64 last;

        g_variant_get_child (recipients, i, "(&s&sut&s&s&s)", &address, &state, &attempts, &last, &remote, &status,
                             &reply);
        json_builder_begin_object (builder);
        json_add_text (builder, "address", address);
        json_add_text (builder, "state", state);
        json_add_number (builder, "attempts", attempts);
        json_add_time (builder, "last", last);
        json_add_text (builder, "remote", remote);
        json_add_text (builder, "status", status);
        json_add_text (builder, "reply", reply);
        json_add_text (builder, "decided-by", find_decider (properties, i));
        json_builder_end_object (builder);
    }
    json_builder_end_array (builder);
}

static void
add_json_history (JsonBuilder *builder, GVariant *properties)
{
    g_autoptr (GVariant) history = g_variant_lookup_value (properties, "History", G_VARIANT_TYPE ("a(ts)"));
    gsize count = history == NULL ? 0 : g_variant_n_children (history);

    json_builder_set_member_name (builder, "history");
    json_builder_begin_array (builder);
    for (gsize i = 0; i < count; i++) {
        guint64 usec;
        const gchar *text;

        g_variant_get_child (history, i, "(t&s)", &usec, &text);
        json_builder_begin_object (builder);
        json_add_time (builder, "time", usec);
        json_add_text (builder, "text", text);
        json_builder_end_object (builder);
    }
    json_builder_end_array (builder);
}

static void
print_json (GVariant *properties)
{
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    json_builder_begin_object (builder);
    json_add_text (builder, "id", properties_text (properties, "Id"));
    json_add_text (builder, "state", properties_text (properties, "State"));
    json_add_text (builder, "reason", properties_text (properties, "Reason"));
    json_builder_set_member_name (builder, "sender"); /* "" is an address, the null one */
    json_builder_add_string_value (builder, properties_text (properties, "Sender"));
    json_add_number (builder, "pending", properties_number (properties, "Pending"));
    json_add_number (builder, "size", properties_number (properties, "Size"));
    json_add_time (builder, "arrived", properties_number (properties, "Arrived"));
    json_add_time (builder, "next", properties_number (properties, "NextAttempt"));
    json_add_number (builder, "attempts", properties_number (properties, "Attempts"));
    json_add_user (builder, "user", properties_user (properties, "User"));
    json_add_text (builder, "peer", properties_text (properties, "Peer"));
    json_add_text (builder, "helo", properties_text (properties, "Helo"));
    json_add_text (builder, "protocol", properties_text (properties, "Protocol"));
    json_add_text (builder, "envelope-id", properties_text (properties, "EnvelopeId"));
    json_add_boolean (builder, "smtputf8", properties_boolean (properties, "SmtpUtf8"));
    add_json_recipients (builder, properties);
    add_json_history (builder, properties);
    json_builder_end_object (builder);
    json_print (builder);
}

/* Writes @data without the CR of each CRLF. @held: a CR that the piece before ended with. */
static void
write_lines (const gchar *data, gsize length, gboolean *held)
{
    for (gsize i = 0; i < length; i++) {
        if (*held && data[i] != '\n')
            putc_unlocked ('\r', stdout);
        *held = data[i] == '\r';
        if (!*held)
            putc_unlocked (data[i], stdout);
    }
}

/* Returns: how many bytes came; -1 with errno */
static gint64
copy_content (int fd)
{
    gchar data[64 * 1024];
    gboolean held = FALSE;
    gint64 total = 0;

    for (;;) {
        ssize_t count = read (fd, data, sizeof data);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        write_lines (data, (gsize) count, &held);
        total += count;
    }

    if (held)
        putc_unlocked ('\r', stdout);
    return fflush (stdout) == 0 ? total : -1;
}

static ExitCode
show_content (const Show *show, const gchar *path, GVariant *properties)
{
    g_autoptr (GError) error = NULL;
    int fd = client_open (show->line->client, path, RELAY_MESSAGE_INTERFACE, "OpenContent", NULL, &error);
    gint64 size = (gint64) properties_number (properties, "Size");
    gint64 copied;

    if (fd < 0)
        return client_explain (show->line->client, error);

    copied = copy_content (fd);
    if (copied < 0)
        g_printerr ("postern: cannot copy the content: %s\n", g_strerror (errno));
    else if (copied != size)
        g_printerr ("postern: the content ended after %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                    " bytes; the journal of posternd tells why\n",
                    copied, size);
    close (fd);
    return copied == size ? EXIT_OK : EXIT_FAILED;
}

static ExitCode
run_show (const Show *show)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = NULL;
    g_autoptr (GVariant) properties = NULL;
    ExitCode code = ids_complete (show->line, FALSE);
    const gchar *path;

    if (code != EXIT_OK)
        return code;

    reply = client_call_manager (show->line->client, "GetMessage", g_variant_new ("(s)", show->line->words[0]), "(o)",
                                 &error);
    if (reply == NULL)
        return client_explain (show->line->client, error);

    g_variant_get (reply, "(&o)", &path);
    properties = client_get_properties (show->line->client, path, RELAY_MESSAGE_INTERFACE, &error);
    if (properties == NULL)
        return client_explain (show->line->client, error);

    if (show->content)
        return show_content (show, path, properties);
    if (show->line->json)
        print_json (properties);
    else
        print_message (show, properties);
    return EXIT_OK;
}

ExitCode
command_show (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "show", "ID", "Shows one message: its envelope, what servers said, and what happened so far.", bus);
    Show show = {.line = line, .now_usec = g_get_real_time ()};
    const GOptionEntry entries[] = {
        {"content", 'c', 0, G_OPTION_ARG_NONE, &show.content, "Print the message itself, header and body", NULL},
        {NULL},
    };
    ExitCode code;

    command_line_add (line, entries, TRUE);
    if (!command_line_parse (line, argc, argv))
        return EXIT_USAGE;
    if (command_line_count_words (line) != 1)
        return command_line_complain (line, "one id is needed, as “postern list” shows it");
    if (show.content && line->json)
        return command_line_complain (line, "--content and --json do not go together");

    code = command_line_connect (line);
    return code == EXIT_OK ? run_show (&show) : code;
}
