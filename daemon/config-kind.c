/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Kinds of configuration values
 *
 * Each kind of key has a type of field that it fills in, a way to read it, and words for what was expected where
 * something else stood. A value is stored only when it is right, so a field always has one that is.
 */

#include "config-kind.h"

#include "config-value.h"
#include "config.h"
#include "message/address-list.h"
#include "message/address.h"

#include <string.h>
#include <unistd.h>

static const gchar *
expected (ConfigKind kind)
{
    switch (kind) {
    case KIND_SPAN:
    case KIND_SHORT_SPAN:
        return "a span of time such as 30s, 5min, 1h 30min, 5d";
    case KIND_SIZE:
        return "a number of bytes, or one with K, M or G such as 64M";
    case KIND_COUNT:
    case KIND_COUNT64:
        return "a whole number";
    case KIND_RATE:
        return "a whole number of messages and a span of time such as 100/1h, or 0";
    case KIND_PORT:
        return "a port number";
    case KIND_BOOLEAN:
        return "yes or no";
    case KIND_DOMAIN:
        return "a domain name such as mail.example.org";
    case KIND_HOST:
        return "a host name or an IP address (the port goes to Port=)";
    case KIND_PATH:
    case KIND_TABLE:
        return "the absolute path of a file";
    case KIND_FILE:
        return "the absolute path of a file, or " CONFIG_NO_FILE;
    case KIND_DOMAINS:
        return "domain names such as example.org, separated by spaces";
    case KIND_MAILBOX:
        return "an address such as me@example.org";
    case KIND_MAILBOXES:
        return "an address such as me@example.org, or several, separated by commas";
    case KIND_PARENTS:
        return "domain names such as example.org, separated by spaces, those behind an exclamation mark to be left alone";
    case KIND_WORDS:
        return "names, separated by spaces";
    case KIND_FIELD:
        return "the name of a header field that starts with X-, such as X-Original-From";
    case KIND_SECURITY:
        return "none, opportunistic, starttls or implicit";
    case KIND_NETWORKS:
        return "networks such as 192.0.2.0/24 or 2001:db8::/32, separated by spaces, with no bits beyond the prefix";
    case KIND_PATTERNS:
        return "patterns such as user@example.org, example.org, *.example.org, user@, <> or *, separated by spaces";
    case KIND_ACTION:
        return "relay, discard or hold";
    case KIND_NAMES:
    case KIND_TEXT:
    case KIND_SECRET:
        return "text without control characters";
    }

    g_assert_not_reached ();
}

static void
set_text (gchar **field, gchar *text)
{
    g_free (*field);
    *field = text;
}

static gboolean
has_control (const gchar *text)
{
    for (const gchar *at = text; *at != '\0'; at++)
        if (g_ascii_iscntrl (*at))
            return TRUE;

    return FALSE;
}

static gboolean
read_security (const gchar *text, SmtpSecurity *security)
{
    static const gchar *const names[] = {[SMTP_SECURITY_NONE] = "none",
                                         [SMTP_SECURITY_OPPORTUNISTIC] = "opportunistic",
                                         [SMTP_SECURITY_STARTTLS] = "starttls",
                                         [SMTP_SECURITY_IMPLICIT] = "implicit"};

    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        if (g_ascii_strcasecmp (text, names[i]) == 0) {
            *security = (SmtpSecurity) i;
            return TRUE;
        }

    return FALSE;
}

static gboolean
read_action (const gchar *text, DeliveryRouteAction *action)
{
    for (guint i = DELIVERY_ROUTE_RELAY; i <= DELIVERY_ROUTE_HOLD; i++)
        if (g_ascii_strcasecmp (text, delivery_route_action_name ((DeliveryRouteAction) i)) == 0) {
            *action = (DeliveryRouteAction) i;
            return TRUE;
        }

    return FALSE;
}

/* Numbers of all kinds; @number is what @text says. */
static gboolean
parse_number (ConfigKind kind, const gchar *text, guint64 *number)
{
    switch (kind) {
    case KIND_SPAN:
        return config_value_span (text, number);
    case KIND_SHORT_SPAN:
        return config_value_short_span (text, number);
    case KIND_SIZE:
        return config_value_size (text, number);
    default:
        return config_value_number (text, number);
    }
}

static void
store_number (ConfigKind kind, gpointer field, guint64 number)
{
    if (kind == KIND_SIZE || kind == KIND_COUNT64)
        *(guint64 *) field = number;
    else if (kind == KIND_PORT)
        *(guint16 *) field = (guint16) number;
    else
        *(guint *) field = (guint) number;
}

static const gchar *
unit_of (ConfigKind kind)
{
    switch (kind) {
    case KIND_SPAN:
        return " seconds";
    case KIND_SHORT_SPAN:
        return " milliseconds";
    case KIND_SIZE:
        return " bytes";
    default:
        return "";
    }
}

/* Returns: (transfer full) (nullable): what was expected, if it was not that */
static gchar *
read_number (ConfigKind kind, const gchar *text, const ConfigBounds *bounds, gpointer field)
{
    const gchar *unit = unit_of (kind);
    guint64 number;

    if (!parse_number (kind, text, &number))
        return g_strdup (expected (kind));
    if (number < bounds->least)
        return g_strdup_printf ("at least %" G_GUINT64_FORMAT "%s", bounds->least, unit);
    if (number > bounds->most)
        return g_strdup_printf ("at most %" G_GUINT64_FORMAT "%s", bounds->most, unit);

    store_number (kind, field, number);
    return NULL;
}

static gchar *
read_name (ConfigKind kind, const gchar *text, gpointer field)
{
    gchar *name = kind == KIND_HOST ? config_value_host (text) : config_value_domain (text);

    if (name == NULL)
        return g_strdup (expected (kind));

    set_text (field, name);
    return NULL;
}

static gchar *
read_path (ConfigKind kind, const gchar *text, gpointer field)
{
    if (!g_path_is_absolute (text))
        return g_strdup (expected (kind));
    if (kind == KIND_PATH && access (text, R_OK) != 0)
        return g_strdup_printf ("a file that can be read: %s", g_strerror (errno));

    set_text (field, g_strdup (text));
    return NULL;
}

static gchar *
read_file (const gchar *text, gpointer field)
{
    if (!g_path_is_absolute (text) && g_ascii_strcasecmp (text, CONFIG_NO_FILE) != 0)
        return g_strdup (expected (KIND_FILE));

    set_text (field, g_path_is_absolute (text) ? g_strdup (text) : g_strdup (CONFIG_NO_FILE));
    return NULL;
}

static void
set_list (GStrv *field, GPtrArray *list)
{
    g_ptr_array_add (list, NULL);
    g_strfreev (*field);
    *field = (GStrv) g_ptr_array_steal (list, NULL);
}

/* A word of a list, as it is to be kept; NULL if it is none. */
static gchar *
read_word (ConfigKind kind, const gchar *word)
{
    g_autofree gchar *domain = NULL;

    if (kind == KIND_WORDS)
        return has_control (word) ? NULL : g_strdup (word);
    if (kind != KIND_PARENTS || word[0] != '!')
        return config_value_domain (word);

    domain = config_value_domain (word + 1);
    return domain != NULL ? g_strconcat ("!", domain, NULL) : NULL;
}

static gchar *
read_words (ConfigKind kind, const gchar *text, gpointer field)
{
    g_auto (GStrv) words = g_strsplit_set (text, " \t,", -1);
    g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);

    for (guint i = 0; words[i] != NULL; i++) {
        gchar *word = words[i][0] != '\0' ? read_word (kind, words[i]) : NULL;

        if (words[i][0] != '\0' && word == NULL)
            return g_strdup_printf ("%s; “%s” is none", expected (kind), words[i]);
        if (word != NULL)
            g_ptr_array_add (list, word);
    }

    set_list (field, list);
    return NULL;
}

/* Returns: (transfer full) (nullable) */
static gchar *
parse_mailbox (const gchar *text, GError **error)
{
    gchar *mailbox = message_address_parse (text, MESSAGE_PATH_UTF8, error);

    if (mailbox != NULL && message_address_domain (mailbox) == NULL)
        g_clear_pointer (&mailbox, g_free);

    return mailbox;
}

static gchar *
read_mailbox (const gchar *text, gpointer field)
{
    g_autoptr (GError) error = NULL;
    gchar *mailbox = parse_mailbox (text, &error);

    if (mailbox == NULL)
        return error != NULL ? g_strdup_printf ("%s; %s", expected (KIND_MAILBOX), error->message)
                             : g_strdup (expected (KIND_MAILBOX));

    set_text (field, mailbox);
    return NULL;
}

/* A name of our own choosing must not be one that means something. */
static gchar *
read_field (const gchar *text, gpointer field)
{
    if (g_ascii_strncasecmp (text, "X-", 2) != 0 || text[2] == '\0' ||
        strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_") != strlen (text))
        return g_strdup (expected (KIND_FIELD));

    set_text (field, g_strdup (text));
    return NULL;
}

static gchar *
read_mailboxes (const gchar *text, gpointer field)
{
    g_autoptr (GArray) entries = message_address_list_parse (text);
    g_autoptr (GPtrArray) mailboxes = g_ptr_array_new_with_free_func (g_free);

    for (guint i = 0; i < entries->len; i++) {
        const MessageListEntry *entry = &g_array_index (entries, MessageListEntry, i);
        gchar *mailbox = entry->address != NULL ? parse_mailbox (entry->address, NULL) : NULL;

        if (mailbox == NULL)
            return g_strdup (expected (KIND_MAILBOXES));
        g_ptr_array_add (mailboxes, mailbox);
    }

    if (mailboxes->len == 0)
        return g_strdup (expected (KIND_MAILBOXES));
    set_list (field, mailboxes);
    return NULL;
}

static gchar *
read_networks (const gchar *text, gpointer field)
{
    Networks **networks = field;
    g_autofree gchar *bad = NULL;
    Networks *read = networks_new (text, &bad);

    if (read == NULL)
        return g_strdup_printf ("%s; “%s” is none", expected (KIND_NETWORKS), bad);

    g_clear_pointer (networks, networks_free);
    *networks = read;
    return NULL;
}

static gboolean
read_rate (const gchar *text, gpointer field)
{
    QueueRate *rate = field;

    return config_value_rate (text, &rate->messages, &rate->seconds);
}

static gchar *
read_patterns (const gchar *text, gpointer field)
{
    DeliveryPatterns **patterns = field;
    g_autofree gchar *bad = NULL;
    DeliveryPatterns *read = delivery_patterns_new (text, &bad);

    if (read == NULL)
        return g_strdup_printf ("%s; “%s” is none", expected (KIND_PATTERNS), bad);

    g_clear_pointer (patterns, delivery_patterns_free);
    *patterns = read;
    return NULL;
}

gchar *
config_kind_read (ConfigKind kind, const gchar *text, const ConfigBounds *bounds, gpointer field)
{
    switch (kind) {
    case KIND_SPAN:
    case KIND_SHORT_SPAN:
    case KIND_SIZE:
    case KIND_COUNT:
    case KIND_COUNT64:
    case KIND_PORT:
        return read_number (kind, text, bounds, field);
    case KIND_RATE:
        return read_rate (text, field) ? NULL : g_strdup (expected (kind));
    case KIND_DOMAIN:
    case KIND_HOST:
        return read_name (kind, text, field);
    case KIND_PATH:
    case KIND_TABLE:
        return read_path (kind, text, field);
    case KIND_FILE:
        return read_file (text, field);
    case KIND_DOMAINS:
    case KIND_PARENTS:
    case KIND_WORDS:
        return read_words (kind, text, field);
    case KIND_MAILBOX:
        return read_mailbox (text, field);
    case KIND_FIELD:
        return read_field (text, field);
    case KIND_MAILBOXES:
        return read_mailboxes (text, field);
    case KIND_NETWORKS:
        return read_networks (text, field);
    case KIND_PATTERNS:
        return read_patterns (text, field);
    case KIND_ACTION:
        return read_action (text, field) ? NULL : g_strdup (expected (kind));
    case KIND_BOOLEAN:
        return config_value_boolean (text, field) ? NULL : g_strdup (expected (kind));
    case KIND_SECURITY:
        return read_security (text, field) ? NULL : g_strdup (expected (kind));
    case KIND_TEXT:
        if (has_control (text))
            return g_strdup (expected (kind));
        set_text (field, g_strdup (text));
        return NULL;
    case KIND_NAMES:
    case KIND_SECRET:
        return has_control (text) ? g_strdup (expected (kind)) : NULL;
    }

    g_assert_not_reached ();
}
