/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A scripted smarthost
 *
 * Speaks just enough SMTP to take mail over clear text with PIPELINING and AUTH, keeps what it took, and misbehaves by
 * rules: the first rule that fits a moment and is not used up decides what is answered.
 */

#include "smarthost.h"

#include <string.h>

typedef struct {
    gchar *verb;
    gchar *match;
    guint times;
    guint used;
    gchar *reply;
} Rule;

struct _Smarthost {
    GSocket *socket; /* bound; listens while it is up */
    GSource *source;
    guint16 port;
    gchar *extensions;
    GPtrArray *rules;
    GPtrArray *sessions;
    GPtrArray *messages;
    GHashTable *counts;
    guint connections;
    guint most_open;
    guint recipients_most; /* 0: no limit */
    gchar *too_many;
};

typedef struct {
    Smarthost *smarthost;
    GSocket *socket;
    GSource *source;
    GString *input;
    gboolean in_content;
    gboolean over;
    SmarthostMessage *message;
    guint number;
} Session;

static void
rule_free (gpointer data)
{
    Rule *rule = data;

    g_free (rule->verb);
    g_free (rule->match);
    g_free (rule->reply);
    g_free (rule);
}

static SmarthostMessage *
message_new (guint connection)
{
    SmarthostMessage *message = g_new0 (SmarthostMessage, 1);

    message->recipients = g_ptr_array_new_with_free_func (g_free);
    message->content = g_string_new (NULL);
    message->connection = connection;
    return message;
}

static void
message_free (gpointer data)
{
    SmarthostMessage *message = data;

    g_free (message->sender);
    g_ptr_array_unref (message->recipients);
    g_string_free (message->content, TRUE);
    g_free (message);
}

static void
session_free (gpointer data)
{
    Session *session = data;

    g_source_destroy (session->source);
    g_source_unref (session->source);
    g_socket_close (session->socket, NULL);
    g_object_unref (session->socket);
    g_string_free (session->input, TRUE);
    message_free (session->message);
    g_free (session);
}

static const gchar *
decide (Smarthost *self, const gchar *verb, const gchar *text, const gchar *usual)
{
    g_hash_table_insert (self->counts, g_strdup (verb),
                         GUINT_TO_POINTER (GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, verb)) + 1));

    for (guint i = 0; i < self->rules->len; i++) {
        Rule *rule = g_ptr_array_index (self->rules, i);

        if (!g_str_equal (rule->verb, verb) || (rule->match && !strstr (text, rule->match)) ||
            (rule->times && rule->used == rule->times))
            continue;

        rule->used++;
        return rule->reply;
    }

    return usual;
}

static void
say (Session *session, const gchar *reply)
{
    g_autofree gchar *line = NULL;

    if (g_str_equal (reply, SMARTHOST_SILENT))
        return;
    if (g_str_equal (reply, SMARTHOST_DROP)) {
        session->over = TRUE;
        return;
    }

    line = g_strdup_printf ("%s\r\n", reply);
    g_socket_send (session->socket, line, strlen (line), NULL, NULL);
    session->over = g_str_has_prefix (reply, "421") || g_str_has_prefix (reply, "221");
}

static void
greet_back (Session *session)
{
    g_auto (GStrv) lines = g_strsplit (session->smarthost->extensions, "\n", -1);
    g_autoptr (GString) reply = g_string_new ("250");

    g_string_append (reply, lines[0] ? "-smarthost.example" : " smarthost.example");
    for (guint i = 0; lines[i]; i++)
        g_string_append_printf (reply, "\r\n250%c%s", lines[i + 1] ? '-' : ' ', lines[i]);

    say (session, decide (session->smarthost, "EHLO", "", reply->str));
}

static void
reset (Session *session)
{
    message_free (session->message);
    session->message = message_new (session->number);
}

static void
take_message (Session *session)
{
    const gchar *reply = decide (session->smarthost, "END", session->message->sender, "250 2.0.0 taken");

    session->in_content = FALSE;
    if (reply[0] == '2')
        g_ptr_array_add (session->smarthost->messages, g_steal_pointer (&session->message));
    else
        message_free (session->message);
    session->message = message_new (session->number);
    say (session, reply);
    if (!session->over)
        say (session, decide (session->smarthost, "TAKEN", "", SMARTHOST_SILENT));
}

static void
content_line (Session *session, const gchar *line)
{
    if (g_str_equal (line, "."))
        take_message (session);
    else
        g_string_append_printf (session->message->content, "%s\r\n", line[0] == '.' ? line + 1 : line);
}

static void
command_line (Session *session, const gchar *line)
{
    g_autofree gchar *verb = g_ascii_strup (line, (gssize) strcspn (line, " "));
    const gchar *reply;

    if (g_str_equal (verb, "EHLO")) {
        greet_back (session);
        return;
    }

    reply = decide (session->smarthost, verb, line,
                    g_str_equal (verb, "DATA")   ? "354 go on"
                    : g_str_equal (verb, "QUIT") ? "221 2.0.0 bye"
                    : g_str_equal (verb, "AUTH") ? "235 2.7.0 welcome"
                                                 : "250 2.0.0 fine");
    if (g_str_equal (verb, "RCPT") && reply[0] == '2' && session->smarthost->recipients_most > 0 &&
        session->message->recipients->len >= session->smarthost->recipients_most)
        reply = session->smarthost->too_many;
    if (g_str_equal (verb, "MAIL") && reply[0] == '2') {
        g_free (session->message->sender);
        session->message->sender = g_strdup (line + strlen ("MAIL FROM:"));
    }
    if (g_str_equal (verb, "RCPT") && reply[0] == '2')
        g_ptr_array_add (session->message->recipients, g_strdup (line + strlen ("RCPT TO:")));
    if (g_str_equal (verb, "DATA") && reply[0] == '3' && session->message->recipients->len == 0)
        reply = "554 5.5.1 no recipients";
    if (g_str_equal (verb, "RSET"))
        reset (session);

    session->in_content = g_str_has_prefix (reply, "354");
    say (session, reply);
}

/* Takes the lines off the input all at once: one by one would take a large message's bytes from hand to hand. */
static void
obey (Session *session)
{
    gsize taken = 0;
    const gchar *end;

    while (!session->over && (end = memmem (session->input->str + taken, session->input->len - taken, "\r\n", 2))) {
        const gchar *start = session->input->str + taken;
        g_autofree gchar *line = g_strndup (start, (gsize) (end - start));

        taken += (gsize) (end + 2 - start);
        if (session->in_content)
            content_line (session, line);
        else
            command_line (session, line);
    }

    g_string_erase (session->input, 0, (gssize) taken);
}

static gboolean
on_input (GSocket *socket, GIOCondition condition, gpointer user_data)
{
    Session *session = user_data;
    gchar data[65536];
    gssize length = g_socket_receive (socket, data, sizeof data, NULL, NULL);

    if (length > 0) {
        g_string_append_len (session->input, data, length);
        obey (session);
    }
    if (length == 0 || session->over)
        g_ptr_array_remove_fast (session->smarthost->sessions, session);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_accept (GSocket *socket, GIOCondition condition, gpointer user_data)
{
    Smarthost *self = user_data;
    Session *session = g_new0 (Session, 1);
    const gchar *greeting;

    session->smarthost = self;
    session->socket = g_socket_accept (socket, NULL, NULL);
    session->input = g_string_new (NULL);
    session->number = ++self->connections;
    session->message = message_new (session->number);
    session->source = g_socket_create_source (session->socket, G_IO_IN, NULL);
    g_source_set_callback (session->source, G_SOURCE_FUNC (on_input), session, NULL);
    g_source_attach (session->source, NULL);

    g_ptr_array_add (self->sessions, session);
    self->most_open = MAX (self->most_open, self->sessions->len);
    greeting = decide (self, "CONNECT", "", "220 smarthost.example ESMTP");
    say (session, greeting);
    if (session->over || (greeting[0] != '2' && !g_str_equal (greeting, SMARTHOST_SILENT)))
        g_ptr_array_remove_fast (self->sessions, session);
    return G_SOURCE_CONTINUE;
}

static void
bind_socket (Smarthost *self)
{
    g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
    g_autoptr (GSocketAddress) address = g_inet_socket_address_new (loopback, self->port);
    g_autoptr (GSocketAddress) bound = NULL;
    g_autoptr (GError) error = NULL;

    self->socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
    g_assert_no_error (error);
    g_socket_bind (self->socket, address, TRUE, &error);
    g_assert_no_error (error);
    bound = g_socket_get_local_address (self->socket, NULL);
    self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
}

void
smarthost_start (Smarthost *self)
{
    g_autoptr (GError) error = NULL;

    g_socket_set_listen_backlog (self->socket, 100);
    g_socket_listen (self->socket, &error);
    g_assert_no_error (error);
    self->source = g_socket_create_source (self->socket, G_IO_IN, NULL);
    g_source_set_callback (self->source, G_SOURCE_FUNC (on_accept), self, NULL);
    g_source_attach (self->source, NULL);
}

static void
close_socket (Smarthost *self)
{
    if (self->source) {
        g_source_destroy (self->source);
        g_clear_pointer (&self->source, g_source_unref);
    }
    g_socket_close (self->socket, NULL);
    g_clear_object (&self->socket);
}

void
smarthost_limit_recipients (Smarthost *self, guint most, const gchar *reply)
{
    self->recipients_most = most;
    g_free (self->too_many);
    self->too_many = g_strdup (reply);
}

void
smarthost_stop (Smarthost *self)
{
    close_socket (self);
    smarthost_hang_up (self);
    bind_socket (self);
}

void
smarthost_hang_up (Smarthost *self)
{
    g_ptr_array_set_size (self->sessions, 0);
}

Smarthost *
smarthost_new (const gchar *extensions)
{
    Smarthost *self = g_new0 (Smarthost, 1);

    self->extensions = g_strdup (extensions ? extensions : "");
    self->rules = g_ptr_array_new_with_free_func (rule_free);
    self->sessions = g_ptr_array_new_with_free_func (session_free);
    self->messages = g_ptr_array_new_with_free_func (message_free);
    self->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    bind_socket (self);
    smarthost_start (self);
    return self;
}

void
smarthost_free (Smarthost *self)
{
    close_socket (self);
    g_ptr_array_unref (self->sessions);
    g_ptr_array_unref (self->rules);
    g_ptr_array_unref (self->messages);
    g_hash_table_unref (self->counts);
    g_free (self->extensions);
    g_free (self->too_many);
    g_free (self);
}

guint16
smarthost_port (const Smarthost *self)
{
    return self->port;
}

void
smarthost_on (Smarthost *self, const gchar *verb, const gchar *match, guint times, const gchar *reply)
{
    Rule *rule = g_new0 (Rule, 1);

    rule->verb = g_strdup (verb);
    rule->match = g_strdup (match);
    rule->times = times;
    rule->reply = g_strdup (reply);
    g_ptr_array_add (self->rules, rule);
}

void
smarthost_behave (Smarthost *self)
{
    g_ptr_array_set_size (self->rules, 0);
}

guint
smarthost_messages (const Smarthost *self)
{
    return self->messages->len;
}

const SmarthostMessage *
smarthost_message (const Smarthost *self, guint index)
{
    g_assert_cmpuint (index, <, self->messages->len);
    return g_ptr_array_index (self->messages, index);
}

guint
smarthost_connections (const Smarthost *self)
{
    return self->connections;
}

guint
smarthost_open (const Smarthost *self)
{
    return self->sessions->len;
}

guint
smarthost_most_open (const Smarthost *self)
{
    return self->most_open;
}

guint
smarthost_count (const Smarthost *self, const gchar *verb)
{
    return GPOINTER_TO_UINT (g_hash_table_lookup (self->counts, verb));
}
