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

#include "config-kind.h"
#include "config-value.h"

#include <string.h>

#define KIB  (G_GUINT64_CONSTANT (1) << 10)
#define TIB  (G_GUINT64_CONSTANT (1) << 40)
#define DAYS (24 * 3600)

/* A relay that sleeps only after a day never does. */
#define IDLE_EXIT_MOST_MSEC (DAYS * 1000)

/* A value in a complaint is cut here. */
#define SHOWN_MOST_CHARACTERS 60

typedef enum { IN_CONFIG, IN_DELIVERY, IN_SMARTHOST, IN_ROUTE } Target;

typedef struct {
    const gchar *group;
    const gchar *key;
    ConfigKind kind;
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
#define SPAN(least)      least, CONFIG_SPAN_MOST_SECONDS

/* clang-format off */
static const Key keys[] = {
    {"Relay", "HostName",     KIND_DOMAIN,    CONFIG (host_name)},
    {"Relay", "Domain",       KIND_DOMAIN,    CONFIG (domain)},
    {"Relay", "ParentDomain", KIND_DOMAIN,    CONFIG (parent_domain)},
    {"Relay", "AdminAddress", KIND_MAILBOXES, CONFIG (admin_addresses)},
    {"Relay", "LocalDomains", KIND_DOMAINS,   CONFIG (local_domains)},
    {"Relay", "IdleExit",     KIND_SHORT_SPAN, CONFIG (idle_exit_msec), 0, IDLE_EXIT_MOST_MSEC, "1min"},

    {"Aliases", "File", KIND_FILE, CONFIG (aliases_file), 0, 0, "/etc/aliases"},

    {"Rewrite", "Sender",           KIND_MAILBOX, CONFIG (sender)},
    {"Rewrite", "SenderTable",      KIND_TABLE,   CONFIG (sender_table_file)},
    {"Rewrite", "RecipientTable",   KIND_TABLE,   CONFIG (recipient_table_file)},
    {"Rewrite", "Masquerade",       KIND_PARENTS, CONFIG (masquerade)},
    {"Rewrite", "MasqueradeExcept", KIND_WORDS,   CONFIG (masquerade_except)},
    {"Rewrite", "ReplyTo",          KIND_BOOLEAN, CONFIG (rewrites_reply_to), 0, 0, "yes"},
    {"Rewrite", "OriginalField",    KIND_FIELD,   CONFIG (original_field)},
    {"Rewrite", "SenderFromReturnPath", KIND_BOOLEAN, CONFIG (sender_from_return_path), 0, 0, "no"},

    {"Server", "TrustedNetworks", KIND_NETWORKS, CONFIG (trusted), 0, 0, "127.0.0.0/8 ::1"},
    {"Server", "MaxMessageSize",  KIND_SIZE,     CONFIG (message_longest_bytes), 0, G_MAXINT64, "128M"},
    {"Server", "MaxRecipients",   KIND_COUNT,    CONFIG (recipients_most), 1, 1000000, "10000"},
    {"Server", "MaxSessions",     KIND_COUNT,    CONFIG (sessions_most), 1, 1000000, "2048"},
    {"Server", "MaxErrors",       KIND_COUNT,    CONFIG (errors_most), 1, 1000000, "20"},
    {"Server", "IdleTimeout",     KIND_SPAN,     CONFIG (idle_seconds), SPAN (1), "5min"},
    {"Server", "StrictLineEnds",  KIND_BOOLEAN,  CONFIG (strict_line_ends), 0, 0, "no"},
    {"Server", "TLSCertificate",  KIND_PATH,     CONFIG (tls_certificate)},
    {"Server", "TLSKey",          KIND_PATH,     CONFIG (tls_key)},

    {"Queue", "GenerationSize",  KIND_SIZE,    CONFIG (queue.generation_bytes), 64 * KIB, TIB, "64M"},
    {"Queue", "ReserveSpace",    KIND_SIZE,    CONFIG (queue.reserve_bytes), 0, G_MAXINT64, "64M"},
    {"Queue", "MaxMessages",     KIND_COUNT64, CONFIG (queue.messages_most), 0, G_MAXINT64, "0"},
    {"Queue", "MaxUserMessages", KIND_COUNT64, CONFIG (queue.user_messages_most), 0, G_MAXINT64, "0"},
    {"Queue", "MaxUserBytes",    KIND_SIZE,    CONFIG (queue.user_bytes_most), 0, G_MAXINT64, "0"},
    {"Queue", "MaxUserRate",     KIND_RATE,    CONFIG (queue.user_rate), 0, 0, "0"},
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
    {"Delivery", "PauseOnMetered",  KIND_BOOLEAN, CONFIG (pauses_on_metered), 0, 0, "no"},

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
    {"Smarthost", "MaxRecipients",      KIND_COUNT,    SMARTHOST (recipients_most), 0, 1000000},
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
    "Relay", "Server", "Queue", "Delivery", "Aliases", "Rewrite", CONFIG_SMARTHOST_GROUP, CONFIG_ROUTE_GROUP, NULL};

void
config_schema_complain (GPtrArray *problems, const gchar *place, const gchar *group, const gchar *key,
                        const gchar *format, ...)
{
    g_autofree gchar *text = NULL;
    va_list arguments;

    va_start (arguments, format);
    text = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    g_ptr_array_add (problems, g_strdup_printf ("%s: [%s] %s=: %s", place, group, key, text));
}

static void
complain_value (GPtrArray *problems, const gchar *group, const ConfigEntry *entry, const gchar *wanted)
{
    g_autofree gchar *cut =
        g_utf8_substring (entry->value, 0, MIN (g_utf8_strlen (entry->value, -1), SHOWN_MOST_CHARACTERS));
    g_autofree gchar *shown = g_strescape (cut, NULL);

    g_ptr_array_add (
        problems,
        g_strdup_printf ("%s: [%s] %s=%s: expected %s%s", entry->place, group, entry->key, shown, wanted,
                         strchr (entry->value, '#') != NULL ? ", and a comment only on a line of its own" : ""));
}

/* A URL may have a password in it, so the value is not shown. Returns: whether it could be explained */
static gboolean
explain_host (GPtrArray *problems, const gchar *group, const Key *key, const ConfigEntry *entry)
{
    gboolean is_name = key->kind == KIND_HOST || key->kind == KIND_DOMAIN;
    g_autofree gchar *meant = is_name ? config_value_explain_host (key->key, entry->value) : NULL;

    if (meant != NULL)
        config_schema_complain (problems, entry->place, group, entry->key, "expected %s", meant);
    return meant != NULL;
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

/* Returns: (transfer full) (nullable): what was expected, if it was not that */
static gchar *
read_value (const Key *key, const gchar *text, const ConfigTargets *targets)
{
    const ConfigBounds bounds = {.least = key->least, .most = key->most};

    return config_kind_read (key->kind, text, &bounds, field_of (key, targets));
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
                                                    group->place, group->name));

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
            wrong = read_value (&keys[i], keys[i].fallback, targets);
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
        config_schema_complain (problems, entry->place, group->name, entry->key,
                                "unknown key; it belongs into the group [%s]", elsewhere->group);
    else if (nearest != NULL)
        config_schema_complain (problems, entry->place, group->name, entry->key, "unknown key; did you mean %s=?",
                                nearest);
    else
        config_schema_complain (problems, entry->place, group->name, entry->key,
                                "unknown key; expected one of those that postern.conf(5) lists for [%s]", kind);
}

static void
complain_unknown_group (GPtrArray *problems, const ConfigGroup *group)
{
    const gchar *nearest = config_value_nearest (group->name, group_names);
    g_autofree gchar *known = g_strjoinv ("], [", (gchar **) group_names);

    if (nearest != NULL)
        g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: unknown group; did you mean [%s]?", group->place,
                                                    group->name, nearest));
    else
        g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: unknown group; expected one of [%s]", group->place,
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

    wanted = read_value (key, entry->value, targets);
    if (wanted != NULL && !explain_host (problems, group->name, key, entry))
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
