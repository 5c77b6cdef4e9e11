/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The options of sendmail
 *
 * Thirty years of programs call sendmail with whatever some sendmail once understood. What still means something is
 * obeyed; what only steered a daemon that is not here (-C, -O, -X, -p, -d, most of -o) is accepted, for refusing it
 * would lose mail for nothing. Three things are refused: a letter that nobody knows, a value that makes no sense
 * where it matters (-N, -R, -V, -B), and the modes that this program has not (-bd, -bt, -bv): whoever asks for these
 * would wait for what never comes. Of long options there are the two that people try on every program.
 *
 * The error modes: -oem and -oee would mail an error back and -oew write it to a terminal. There is nobody to mail
 * it by when the relay cannot be reached, so as with -oep the error is printed and the exit status tells; only -oeq
 * keeps it from being printed. -oee never turns a failure into exit status 0: then mail could be lost unnoticed.
 */

#include <string.h>

#include "cli/sendmail-error.h"
#include "cli/sendmail-options.h"
#include "message/error.h"

/* RFC 3461 4.4 */
#define ENVID_LONGEST_BYTES 100

#define NOTIFY_WANTED "it is never, or a list of success, failure and delay"

/* How an option takes a value. */
typedef enum {
    VALUE_NONE,
    VALUE_NEEDED,  /* the rest of the argument, or else the next argument */
    VALUE_ATTACHED /* the rest of the argument, which may be empty */
} ValueKind;

static gboolean
fail (GError **error, gchar letter, const gchar *value, const gchar *reason)
{
    g_autofree gchar *quoted = message_error_quote (value, strlen (value));

    g_set_error (error, SENDMAIL_ERROR, EX_USAGE, "-%c%s: %s", letter, quoted, reason);
    return FALSE;
}

static gboolean
value_kind (gchar letter, ValueKind *kind)
{
    if (strchr ("cEGiImnstUvx", letter) != NULL)
        *kind = VALUE_NONE;
    else if (strchr ("AbBCDeFfhLMNoOprRVX", letter) != NULL)
        *kind = VALUE_NEEDED;
    else if (strchr ("dqQ", letter) != NULL)
        *kind = VALUE_ATTACHED;
    else
        return FALSE;

    return TRUE;
}

/* Why a mode of other sendmails is not one of this. */
static const gchar *
mode_refusal (gchar letter)
{
    switch (letter) {
    case 'd':
    case 'D':
    case 'l':
        return "no daemon is started this way; systemd starts it: systemctl enable --now postern.socket";
    case 'v':
        return "no address can be verified before its mail is sent; “postern list” shows what became of mail";
    case 't':
        return "how addresses are rewritten cannot be tried; “postern check” tries the configuration";
    case 'h':
    case 'H':
        return "the state of hosts is shown by “postern remotes”";
    case 'P':
        return "the number of messages in the queue is shown by “postern status”";
    case 'C':
        return "the configuration is checked by “postern check”";
    case 'S':
        return "SMTP in batches is not spoken; -bs speaks it with replies";
    default:
        return "Postern's sendmail has no such mode, only -bm, -bs, -bp and -bi";
    }
}

static gboolean
set_mode (SendmailOptions *options, const gchar *value, GError **error)
{
    switch (value[0]) {
    case 'm':
    case 'a': /* lines that end with CRLF are understood anyhow */
    case 'q': /* dma's: queue it. What else. */
        options->mode = SENDMAIL_MODE_SUBMIT;
        return TRUE;
    case 's':
        options->mode = SENDMAIL_MODE_SMTP;
        return TRUE;
    case 'p':
        options->mode = SENDMAIL_MODE_LIST;
        return TRUE;
    case 'i':
        options->mode = SENDMAIL_MODE_ALIASES;
        return TRUE;
    default:
        return fail (error, 'b', value, mode_refusal (value[0]));
    }
}

/* "-qRexample.org" means a site to Postfix and a part of an address to sendmail; here it is a domain or an address. */
static gchar *
select_recipient (const gchar *text)
{
    if (text[0] == '@')
        text++;

    return g_strconcat (strchr (text, '@') != NULL ? "--recipient=" : "--domain=", text, NULL);
}

/* What is not understood selects nothing, and all is tried: once too often does no harm. */
static void
set_retry (SendmailOptions *options, const gchar *value)
{
    options->mode = SENDMAIL_MODE_RETRY;
    g_clear_pointer (&options->selection, g_free);
    if (value[0] == '\0' || value[1] == '\0')
        return;

    if (value[0] == 'I')
        options->selection = g_strdup (value + 1);
    else if (value[0] == 'R')
        options->selection = select_recipient (value + 1);
    else if (value[0] == 'S')
        options->selection = g_strconcat ("--sender=", value + 1, NULL);
}

static void
set_error_mode (SendmailOptions *options, const gchar *value)
{
    options->quiet = value[0] == 'q';
}

/* "/etc/aliases", or "hash:/etc/aliases" of whoever had a database. */
static void
set_alias_file (SendmailOptions *options, const gchar *value)
{
    const gchar *colon = strchr (value, ':');

    g_free (options->alias_file);
    options->alias_file = g_strdup (colon != NULL ? colon + 1 : value);
}

static void
set_old_option (SendmailOptions *options, const gchar *value)
{
    if (value[0] == 'i')
        options->dot_is_content = TRUE;
    else if (value[0] == 'e')
        set_error_mode (options, value + 1);
    else if (value[0] == 'A')
        set_alias_file (options, value + 1);
}

static gboolean
set_body (SendmailOptions *options, const gchar *value, GError **error)
{
    options->body_8bit = g_ascii_strcasecmp (value, "8BITMIME") == 0;
    if (!options->body_8bit && g_ascii_strcasecmp (value, "7BIT") != 0)
        return fail (error, 'B', value, "the type of a body is 7BIT or 8BITMIME");

    return TRUE;
}

static gboolean
set_return (SendmailOptions *options, const gchar *value, GError **error)
{
    if (g_ascii_strcasecmp (value, "full") == 0)
        options->ret = MESSAGE_RETURN_FULL;
    else if (g_ascii_strcasecmp (value, "hdrs") == 0)
        options->ret = MESSAGE_RETURN_HEADERS;
    else
        return fail (error, 'R', value, "what a notice returns is full or hdrs");

    return TRUE;
}

static MessageNotify
notify_flag (const gchar *word)
{
    static const struct {
        const gchar *word;
        MessageNotify flag;
    } words[] = {{"never", MESSAGE_NOTIFY_NEVER},
                 {"success", MESSAGE_NOTIFY_SUCCESS},
                 {"failure", MESSAGE_NOTIFY_FAILURE},
                 {"delay", MESSAGE_NOTIFY_DELAY}};

    for (guint i = 0; i < G_N_ELEMENTS (words); i++)
        if (g_ascii_strcasecmp (word, words[i].word) == 0)
            return words[i].flag;

    return 0;
}

static gboolean
set_notify (SendmailOptions *options, const gchar *value, GError **error)
{
    g_auto (GStrv) words = g_strsplit (value, ",", -1);

    options->notify = 0;
    for (guint i = 0; words[i] != NULL; i++) {
        MessageNotify flag = notify_flag (g_strstrip (words[i]));

        if (flag == 0)
            return fail (error, 'N', value, NOTIFY_WANTED);
        options->notify |= flag;
    }

    if (options->notify == 0 ||
        ((options->notify & MESSAGE_NOTIFY_NEVER) != 0 && options->notify != MESSAGE_NOTIFY_NEVER))
        return fail (error, 'N', value, NOTIFY_WANTED);

    return TRUE;
}

/* xtext of RFC 3461 4 */
static gboolean
is_xtext (const gchar *text)
{
    for (const gchar *c = text; *c != '\0'; c++) {
        if (!g_ascii_isgraph (*c) || *c == '=')
            return FALSE;
        if (*c == '+' && !(g_ascii_isxdigit (c[1]) && !g_ascii_islower (c[1]) && g_ascii_isxdigit (c[2]) &&
                           !g_ascii_islower (c[2])))
            return FALSE;
    }

    return *text != '\0' && strlen (text) <= ENVID_LONGEST_BYTES;
}

static gboolean
set_envid (SendmailOptions *options, const gchar *value, GError **error)
{
    if (!is_xtext (value))
        return fail (error, 'V', value,
                     "an envelope id is up to 100 printable characters, with +2B for “+” and +3D for “=”");

    g_free (options->envid);
    options->envid = g_strdup (value);
    return TRUE;
}

static gboolean
check_hops (const gchar *value, GError **error)
{
    guint64 hops;

    if (!g_ascii_string_to_unsigned (value, 10, 0, G_MAXUINT, &hops, NULL))
        return fail (error, 'h', value, "a hop count is a number");

    return TRUE;
}

static gboolean
set_option (SendmailOptions *options, gchar letter, const gchar *value, GError **error)
{
    switch (letter) {
    case 'b':
        return set_mode (options, value, error);
    case 'B':
        return set_body (options, value, error);
    case 'N':
        return set_notify (options, value, error);
    case 'R':
        return set_return (options, value, error);
    case 'V':
        return set_envid (options, value, error);
    case 'h':
        return check_hops (value, error);
    case 'e':
        set_error_mode (options, value);
        return TRUE;
    case 'o':
        set_old_option (options, value);
        return TRUE;
    case 'C':
        g_free (options->configuration);
        g_free (options->alias_file);
        g_free (options->selection);
        options->configuration = g_strdup (value);
        return TRUE;
    case 'F':
        g_free (options->full_name);
        options->full_name = g_strdup (value);
        return TRUE;
    case 'f':
    case 'r':
        g_free (options->sender);
        options->sender = g_strdup (value);
        return TRUE;
    case 'i':
        options->dot_is_content = TRUE;
        return TRUE;
    case 'I':
        options->mode = SENDMAIL_MODE_ALIASES;
        return TRUE;
    case 'q':
        set_retry (options, value);
        return TRUE;
    case 't':
        options->recipients_from_header = TRUE;
        return TRUE;
    case 'v':
        options->verbose = TRUE;
        return TRUE;
    default:
        return TRUE;
    }
}

/* Exim's "-oMr PROTOCOL", "-oX PORT" and their like, which have their value in the next argument. */
static gboolean
is_exims (gchar letter, const gchar *value)
{
    static const gchar *const names[] = {"Ma", "Maa", "Mai", "Mas", "Mi", "Mm", "Mr", "Ms", "Mt", "P", "X", NULL};

    return letter == 'o' && g_strv_contains (names, value);
}

/* @word: behind "--" */
static gboolean
set_long_option (SendmailOptions *options, const gchar *word, GError **error)
{
    if (strcmp (word, "help") == 0)
        options->mode = SENDMAIL_MODE_HELP;
    else if (strcmp (word, "version") == 0)
        options->mode = SENDMAIL_MODE_VERSION;
    else
        return fail (error, '-', word, "of long options there are --help and --version only");

    return TRUE;
}

/* What a missing value would be, where people are known to mean something else. */
static const gchar *
missing_value (gchar letter)
{
    return letter == 'V' ? "its value, an envelope id, is missing; the version is told by --version"
                         : "its value is missing";
}

/* Reads the letters behind a "-"; @next is the argument behind, or NULL; sets @took_next. */
static gboolean
parse_cluster (SendmailOptions *options, const gchar *letters, const gchar *next, gboolean *took_next, GError **error)
{
    *took_next = FALSE;

    for (const gchar *letter = letters; *letter != '\0'; letter++) {
        const gchar *value = letter + 1;
        ValueKind kind;

        if (!value_kind (*letter, &kind))
            return fail (error, *letter, "", "no sendmail has such an option");
        if (kind == VALUE_NONE) {
            if (!set_option (options, *letter, NULL, error))
                return FALSE;
            continue;
        }

        if (kind == VALUE_NEEDED && *value == '\0') {
            if (next == NULL)
                return fail (error, *letter, "", missing_value (*letter));
            value = next;
            *took_next = TRUE;
        }

        *took_next = *took_next || (is_exims (*letter, value) && next != NULL);
        return set_option (options, *letter, value, error);
    }

    return TRUE;
}

static gboolean
parse_arguments (SendmailOptions *options, gint argc, gchar **argv, GError **error)
{
    gboolean only_recipients = FALSE;

    for (gint i = 1; i < argc; i++) {
        gboolean took_next;

        if (only_recipients || argv[i][0] != '-' || argv[i][1] == '\0') {
            g_ptr_array_add (options->recipients, g_strdup (argv[i]));
            continue;
        }

        if (strcmp (argv[i], "--") == 0) {
            only_recipients = TRUE;
            continue;
        }

        if (g_str_has_prefix (argv[i], "--")) {
            if (!set_long_option (options, argv[i] + 2, error))
                return FALSE;
            continue;
        }

        if (!parse_cluster (options, argv[i] + 1, i + 1 < argc ? argv[i + 1] : NULL, &took_next, error))
            return FALSE;
        if (took_next)
            i++;
    }

    return TRUE;
}

static SendmailMode
mode_of_program (gint argc, gchar **argv)
{
    g_autofree gchar *name = argc > 0 ? g_path_get_basename (argv[0]) : g_strdup ("sendmail");

    if (strcmp (name, "mailq") == 0)
        return SENDMAIL_MODE_LIST;
    if (strcmp (name, "newaliases") == 0)
        return SENDMAIL_MODE_ALIASES;

    return SENDMAIL_MODE_SUBMIT;
}

SendmailOptions *
sendmail_options_parse (gint argc, gchar **argv, GError **error)
{
    g_autoptr (SendmailOptions) options = g_new0 (SendmailOptions, 1);

    options->mode = mode_of_program (argc, argv);
    options->recipients = g_ptr_array_new_with_free_func (g_free);
    if (!parse_arguments (options, argc, argv, error))
        return NULL;

    return g_steal_pointer (&options);
}

void
sendmail_options_free (SendmailOptions *options)
{
    if (options == NULL)
        return;

    g_free (options->sender);
    g_free (options->full_name);
    g_free (options->envid);
    g_free (options->configuration);
    g_free (options->alias_file);
    g_free (options->selection);
    g_ptr_array_unref (options->recipients);
    g_free (options);
}
