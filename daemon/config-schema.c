/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The configuration's schema
 *
 * One table says everything about a key: its group, its kind, its bounds, its default, and the field that it fills in. Reading,
 * complaining and guessing what an unknown key was meant to be all go by the table, so a key that is added there
 * is complete. Defaults of the delivery are its own (delivery/settings.h), those of the rest are here.
 *
 * A value that is not known is never shown in a complaint: it may be a password that somebody put where none belongs.
 */

#include "config-schema.h"

#include "config-value.h"
#include "message/address-list.h"
#include "message/address.h"

#include <string.h>
#include <unistd.h>

#define KIB  (G_GUINT64_CONSTANT (1) << 10)
#define TIB  (G_GUINT64_CONSTANT (1) << 40)
#define DAYS (24 * 3600)

/* Longer is a slip of the pen, and sums of such spans stay far from any overflow. */
#define SPAN_MOST_SECONDS (3650 * DAYS)

/* A value in a complaint is cut here. */
#define SHOWN_MOST_CHARACTERS 60

typedef enum {
    KIND_SPAN,      /* guint, seconds */
    KIND_SIZE,      /* guint64, bytes */
    KIND_COUNT,     /* guint */
    KIND_COUNT64,   /* guint64 */
    KIND_PORT,      /* guint16 */
    KIND_BOOLEAN,   /* gboolean */
    KIND_TEXT,      /* gchar * */
    KIND_DOMAIN,    /* gchar * */
    KIND_HOST,      /* gchar * */
    KIND_PATH,      /* gchar *, of a file that can be read */
    KIND_FILE,      /* gchar *, of a file that may come later, or CONFIG_NO_FILE */
    KIND_DOMAINS,   /* GStrv */
    KIND_MAILBOXES, /* GStrv, of canonical addresses with a domain */
    KIND_SECURITY,  /* SmtpSecurity */
    KIND_NETWORKS,  /* Networks * */
    KIND_PATTERNS,  /* DeliveryPatterns * */
    KIND_ACTION,    /* DeliveryRouteAction */
    KIND_NAMES,     /* read elsewhere */
    KIND_SECRET     /* read elsewhere */
} Kind;

typedef enum { IN_CONFIG, IN_DELIVERY, IN_SMARTHOST, IN_ROUTE } Target;

typedef struct {
    const gchar *group;
    const gchar *key;
    Kind kind;
    Target target;
    gsize offset;
    guint64 least;
    guint64 most;
    const gchar *fallback; /* (nullable) the default, as somebody would write it */
} Key;

#define CONFIG(field)    IN_CONFIG, G_STRUCT_OFFSET (Config, field)
#define DELIVERY(field)  IN_DELIVERY, G_STRUCT_OFFSET (DeliverySettings, field)
#define SMARTHOST(field) IN_SMARTHOST, G_STRUCT_OFFSET (DeliverySmarthost, field)
#define ROUTE(field)     IN_ROUTE, G_STRUCT_OFFSET (DeliveryRoute, field)
#define SPAN(least)      least, SPAN_MOST_SECONDS

/* clang-format off */
static const Key keys[] = {
    {"Relay", "HostName",     KIND_DOMAIN,    CONFIG (host_name)},
    {"Relay", "Domain",       KIND_DOMAIN,    CONFIG (domain)},
    {"Relay", "AdminAddress", KIND_MAILBOXES, CONFIG (admin_addresses)},
    {"Relay", "LocalDomains", KIND_DOMAINS,   CONFIG (local_domains)},

    {"Aliases", "File", KIND_FILE, CONFIG (aliases_file), 0, 0, "/etc/aliases"},

    {"Server", "TrustedNetworks", KIND_NETWORKS, CONFIG (trusted), 0, 0, "127.0.0.0/8 ::1"},
    {"Server", "MaxMessageSize",  KIND_SIZE,     CONFIG (message_longest_bytes), 0, G_MAXINT64, "128M"},
    {"Server", "MaxRecipients",   KIND_COUNT,    CONFIG (recipients_most), 1, 1000000, "10000"},
    {"Server", "MaxSessions",     KIND_COUNT,    CONFIG (sessions_most), 1, 1000000, "2048"},
    {"Server", "MaxErrors",       KIND_COUNT,    CONFIG (errors_most), 1, 1000000, "20"},
    {"Server", "IdleTimeout",     KIND_SPAN,     CONFIG (idle_seconds), SPAN (1), "5min"},
    {"Server", "TLSCertificate",  KIND_PATH,     CONFIG (tls_certificate)},
    {"Server", "TLSKey",          KIND_PATH,     CONFIG (tls_key)},

    {"Queue", "GenerationSize",  KIND_SIZE,    CONFIG (queue.generation_bytes), 64 * KIB, TIB, "64M"},
    {"Queue", "ReserveSpace",    KIND_SIZE,    CONFIG (queue.reserve_bytes), 0, G_MAXINT64, "64M"},
    {"Queue", "MaxMessages",     KIND_COUNT64, CONFIG (queue.messages_most), 0, G_MAXINT64, "0"},
    {"Queue", "MaxUserMessages", KIND_COUNT64, CONFIG (queue.user_messages_most), 0, G_MAXINT64, "0"},
    {"Queue", "Lifetime",        KIND_SPAN,    DELIVERY (expire_seconds), SPAN (1)},
    {"Queue", "DelayNotice",     KIND_SPAN,    DELIVERY (delay_notice_seconds), SPAN (0)},
    {"Queue", "RetryFirst",      KIND_SPAN,    DELIVERY (retry_first_seconds), SPAN (1)},
    {"Queue", "RetryLongest",    KIND_SPAN,    DELIVERY (retry_longest_seconds), SPAN (1)},

    {"Delivery", "ConnectTimeout",  KIND_SPAN, DELIVERY (connect_seconds), SPAN (1)},
    {"Delivery", "GreetingTimeout", KIND_SPAN, DELIVERY (greeting_seconds), SPAN (1)},
    {"Delivery", "CommandTimeout",  KIND_SPAN, DELIVERY (command_seconds), SPAN (1)},
    {"Delivery", "DataTimeout",     KIND_SPAN, DELIVERY (data_seconds), SPAN (1)},
    {"Delivery", "BlockTimeout",    KIND_SPAN, DELIVERY (block_seconds), SPAN (1)},
    {"Delivery", "EndTimeout",      KIND_SPAN, DELIVERY (end_seconds), SPAN (1)},
    {"Delivery", "KeepConnection",  KIND_SPAN, DELIVERY (idle_seconds), SPAN (0)},
    {"Delivery", "NoticeContent",   KIND_SIZE, DELIVERY (notice_content_bytes), 0, G_MAXINT64},

    {"Smarthost", "Host",               KIND_HOST,     SMARTHOST (host)},
    {"Smarthost", "Port",               KIND_PORT,     SMARTHOST (port), 1, G_MAXUINT16},
    {"Smarthost", "TLS",                KIND_SECURITY, SMARTHOST (security)},
    {"Smarthost", "Verify",             KIND_BOOLEAN,  SMARTHOST (verify)},
    {"Smarthost", "TrustFile",          KIND_PATH,     SMARTHOST (trust_file)},
    {"Smarthost", "User",               KIND_TEXT,     SMARTHOST (user)},
    {"Smarthost", "PasswordFile",       KIND_SECRET,   SMARTHOST (password)},
    {"Smarthost", "PasswordCredential", KIND_SECRET,   SMARTHOST (password)},
    {"Smarthost", "Mechanisms",         KIND_TEXT,     SMARTHOST (mechanisms)},
    {"Smarthost", "AuthWithoutTLS",     KIND_BOOLEAN,  SMARTHOST (auth_without_tls)},
    {"Smarthost", "MaxConnections",     KIND_COUNT,    SMARTHOST (connections_most), 1, 10000},
    {"Smarthost", "Weight",             KIND_COUNT,    SMARTHOST (weight), 1, 1000},

    {"Route", "Recipients", KIND_PATTERNS, ROUTE (recipients)},
    {"Route", "Senders",    KIND_PATTERNS, ROUTE (senders)},
    {"Route", "Users",      KIND_NAMES,    ROUTE (users)},
    {"Route", "Action",     KIND_ACTION,   ROUTE (action)},
    {"Route", "Smarthosts", KIND_NAMES,    ROUTE (smarthosts)},
    {"Route", "Share",      KIND_BOOLEAN,  ROUTE (share)},
};
/* clang-format on */

static const gchar *const group_names[] = {
    "Relay", "Server", "Queue", "Delivery", "Aliases", CONFIG_SMARTHOST_GROUP, CONFIG_ROUTE_GROUP, NULL};

static const gchar *
expected (Kind kind)
{
    switch (kind) {
    case KIND_SPAN:
        return "a span of time such as 30s, 5min, 1h 30min, 5d";
    case KIND_SIZE:
        return "a number of bytes, or one with K, M or G such as 64M";
    case KIND_COUNT:
    case KIND_COUNT64:
        return "a whole number";
    case KIND_PORT:
        return "a port number";
    case KIND_BOOLEAN:
        return "yes or no";
    case KIND_DOMAIN:
        return "a domain name such as mail.example.org";
    case KIND_HOST:
        return "a host name or an IP address (the port goes to Port=)";
    case KIND_PATH:
        return "the absolute path of a file";
    case KIND_FILE:
        return "the absolute path of a file, or " CONFIG_NO_FILE;
    case KIND_DOMAINS:
        return "domain names such as example.org, separated by spaces";
    case KIND_MAILBOXES:
        return "an address such as me@example.org, or several, separated by commas";
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

void
config_schema_complain (GPtrArray *problems, const gchar *file, const gchar *group, const gchar *key,
                        const gchar *format, ...)
{
    g_autofree gchar *text = NULL;
    va_list arguments;

    va_start (arguments, format);
    text = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    g_ptr_array_add (problems, g_strdup_printf ("%s: [%s] %s=: %s", file, group, key, text));
}

static void
complain_value (GPtrArray *problems, const gchar *group, const ConfigEntry *entry, const gchar *wanted)
{
    g_autofree gchar *cut =
        g_utf8_substring (entry->value, 0, MIN (g_utf8_strlen (entry->value, -1), SHOWN_MOST_CHARACTERS));
    g_autofree gchar *shown = g_strescape (cut, NULL);

    g_ptr_array_add (
        problems,
        g_strdup_printf ("%s: [%s] %s=%s: expected %s%s", entry->file, group, entry->key, shown, wanted,
                         strchr (entry->value, '#') != NULL ? ", and a comment only on a line of its own" : ""));
}

static gpointer
field_of (const Key *key, const ConfigTargets *targets)
{
    gpointer bases[] = {[IN_CONFIG] = targets->config,
                        [IN_DELIVERY] = targets->delivery,
                        [IN_SMARTHOST] = targets->smarthost,
                        [IN_ROUTE] = targets->route};

    g_assert (bases[key->target] != NULL);
    return G_STRUCT_MEMBER_P (bases[key->target], key->offset);
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
parse_number (Kind kind, const gchar *text, guint64 *number)
{
    switch (kind) {
    case KIND_SPAN:
        return config_value_span (text, number);
    case KIND_SIZE:
        return config_value_size (text, number);
    default:
        return config_value_number (text, number);
    }
}

static void
store_number (const Key *key, gpointer field, guint64 number)
{
    if (key->kind == KIND_SIZE || key->kind == KIND_COUNT64)
        *(guint64 *) field = number;
    else if (key->kind == KIND_PORT)
        *(guint16 *) field = (guint16) number;
    else
        *(guint *) field = (guint) number;
}

/* Returns: (transfer full) (nullable): what was expected, if it was not that */
static gchar *
read_number (const Key *key, const gchar *text, gpointer field)
{
    const gchar *unit = key->kind == KIND_SPAN ? " seconds" : key->kind == KIND_SIZE ? " bytes" : "";
    guint64 number;

    if (!parse_number (key->kind, text, &number))
        return g_strdup (expected (key->kind));
    if (number < key->least)
        return g_strdup_printf ("at least %" G_GUINT64_FORMAT "%s", key->least, unit);
    if (number > key->most)
        return g_strdup_printf ("at most %" G_GUINT64_FORMAT "%s", key->most, unit);

    store_number (key, field, number);
    return NULL;
}

static gchar *
read_name (const Key *key, const gchar *text, gpointer field)
{
    gchar *name = key->kind == KIND_HOST ? config_value_host (text) : config_value_domain (text);

    if (name == NULL)
        return g_strdup (expected (key->kind));

    set_text (field, name);
    return NULL;
}

static gchar *
read_path (const gchar *text, gpointer field)
{
    if (!g_path_is_absolute (text))
        return g_strdup (expected (KIND_PATH));
    if (access (text, R_OK) != 0)
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

static gchar *
read_domains (const gchar *text, gpointer field)
{
    g_auto (GStrv) words = g_strsplit_set (text, " \t,", -1);
    g_autoptr (GPtrArray) domains = g_ptr_array_new_with_free_func (g_free);

    for (guint i = 0; words[i] != NULL; i++) {
        gchar *domain = words[i][0] != '\0' ? config_value_domain (words[i]) : NULL;

        if (words[i][0] != '\0' && domain == NULL)
            return g_strdup_printf ("%s; “%s” is none", expected (KIND_DOMAINS), words[i]);
        if (domain != NULL)
            g_ptr_array_add (domains, domain);
    }

    set_list (field, domains);
    return NULL;
}

static gchar *
read_mailboxes (const gchar *text, gpointer field)
{
    g_autoptr (GArray) entries = message_address_list_parse (text);
    g_autoptr (GPtrArray) mailboxes = g_ptr_array_new_with_free_func (g_free);

    for (guint i = 0; i < entries->len; i++) {
        const MessageListEntry *entry = &g_array_index (entries, MessageListEntry, i);
        gchar *mailbox =
            entry->address != NULL ? message_address_parse (entry->address, MESSAGE_PATH_UTF8, NULL) : NULL;

        if (mailbox == NULL || message_address_domain (mailbox) == NULL) {
            g_free (mailbox);
            return g_strdup (expected (KIND_MAILBOXES));
        }
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

static gchar *
read_value (const Key *key, const gchar *text, gpointer field)
{
    switch (key->kind) {
    case KIND_SPAN:
    case KIND_SIZE:
    case KIND_COUNT:
    case KIND_COUNT64:
    case KIND_PORT:
        return read_number (key, text, field);
    case KIND_DOMAIN:
    case KIND_HOST:
        return read_name (key, text, field);
    case KIND_PATH:
        return read_path (text, field);
    case KIND_FILE:
        return read_file (text, field);
    case KIND_DOMAINS:
        return read_domains (text, field);
    case KIND_MAILBOXES:
        return read_mailboxes (text, field);
    case KIND_NETWORKS:
        return read_networks (text, field);
    case KIND_PATTERNS:
        return read_patterns (text, field);
    case KIND_ACTION:
        return read_action (text, field) ? NULL : g_strdup (expected (key->kind));
    case KIND_BOOLEAN:
        return config_value_boolean (text, field) ? NULL : g_strdup (expected (key->kind));
    case KIND_SECURITY:
        return read_security (text, field) ? NULL : g_strdup (expected (key->kind));
    case KIND_TEXT:
        if (has_control (text))
            return g_strdup (expected (key->kind));
        set_text (field, g_strdup (text));
        return NULL;
    case KIND_NAMES:
    case KIND_SECRET:
        return has_control (text) ? g_strdup (expected (key->kind)) : NULL;
    }

    g_assert_not_reached ();
}

gboolean
config_schema_is_smarthost (const ConfigGroup *group)
{
    return g_str_equal (group->name, CONFIG_SMARTHOST_GROUP) ||
           g_str_has_prefix (group->name, CONFIG_SMARTHOST_GROUP " ");
}

gboolean
config_schema_is_route (const ConfigGroup *group)
{
    return g_str_equal (group->name, CONFIG_ROUTE_GROUP) || g_str_has_prefix (group->name, CONFIG_ROUTE_GROUP " ");
}

gchar *
config_schema_name (const ConfigGroup *group, const gchar *kind, GPtrArray *problems)
{
    gchar *name = g_strstrip (g_strdup (group->name + strlen (kind)));

    if (strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.") != strlen (name))
        g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: expected a name of letters, digits, “-”, “_” and “.”",
                                                    group->file, group->name));

    return name;
}

/* The name that the table has for the group. */
static const gchar *
kind_of (const ConfigGroup *group)
{
    if (config_schema_is_smarthost (group))
        return CONFIG_SMARTHOST_GROUP;
    if (config_schema_is_route (group))
        return CONFIG_ROUTE_GROUP;

    return group->name;
}

void
config_schema_set_defaults (const ConfigTargets *targets)
{
    for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
        g_autofree gchar *wrong = NULL;

        if (keys[i].fallback != NULL)
            wrong = read_value (&keys[i], keys[i].fallback, field_of (&keys[i], targets));
        g_assert (wrong == NULL);
    }
}

static const Key *
find_key (const gchar *group, const gchar *name)
{
    for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
        if ((group == NULL || g_str_equal (keys[i].group, group)) && g_str_equal (keys[i].key, name))
            return &keys[i];

    return NULL;
}

/* Says what an unknown key was probably meant to be. */
static void
complain_unknown_key (GPtrArray *problems, const ConfigGroup *group, const gchar *kind, const ConfigEntry *entry)
{
    const gchar *candidates[G_N_ELEMENTS (keys) + 1] = {NULL};
    const Key *elsewhere = find_key (NULL, entry->key);
    const gchar *nearest;
    guint n = 0;

    for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
        if (g_str_equal (keys[i].group, kind))
            candidates[n++] = keys[i].key;

    nearest = config_value_nearest (entry->key, candidates);
    if (elsewhere != NULL)
        config_schema_complain (problems, entry->file, group->name, entry->key,
                                "unknown key; it belongs into the group [%s]", elsewhere->group);
    else if (nearest != NULL)
        config_schema_complain (problems, entry->file, group->name, entry->key, "unknown key; did you mean %s=?",
                                nearest);
    else
        config_schema_complain (problems, entry->file, group->name, entry->key,
                                "unknown key; expected one of those that postern.conf(5) lists for [%s]", kind);
}

static void
complain_unknown_group (GPtrArray *problems, const ConfigGroup *group)
{
    const gchar *nearest = config_value_nearest (group->name, group_names);
    g_autofree gchar *known = g_strjoinv ("], [", (gchar **) group_names);

    if (nearest != NULL)
        g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: unknown group; did you mean [%s]?", group->file,
                                                    group->name, nearest));
    else
        g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: unknown group; expected one of [%s]", group->file,
                                                    group->name, known));
}

static void
read_entry (const ConfigGroup *group, const gchar *kind, const ConfigEntry *entry, const ConfigTargets *targets,
            GPtrArray *problems)
{
    const Key *key = find_key (kind, entry->key);
    g_autofree gchar *wanted = NULL;

    if (key == NULL) {
        complain_unknown_key (problems, group, kind, entry);
        return;
    }

    /* No network is a set of networks; nothing else has an empty value. */
    if (entry->value[0] == '\0' && key->kind != KIND_NETWORKS)
        return;

    wanted = read_value (key, entry->value, field_of (key, targets));
    if (wanted != NULL)
        complain_value (problems, group->name, entry, wanted);
}

void
config_schema_read (const ConfigGroup *group, const ConfigTargets *targets, GPtrArray *problems)
{
    const gchar *kind = kind_of (group);

    if (!g_strv_contains (group_names, kind)) {
        complain_unknown_group (problems, group);
        return;
    }

    for (guint i = 0; i < group->entries->len; i++)
        read_entry (group, kind, g_ptr_array_index (group->entries, i), targets, problems);
}

const ConfigEntry *
config_schema_entry (const ConfigGroup *group, const gchar *key)
{
    const ConfigEntry *entry = config_group_entry (group, key);

    return entry != NULL && entry->value[0] != '\0' ? entry : NULL;
}
