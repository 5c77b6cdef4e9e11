/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Questions
 *
 * What a person is asked, in the order in which one can answer: which server, before the login there; who logs in, before
 * the password. A server is looked up as soon as it is named, because nobody likes to type a password for a name with a
 * slip in it. Where an address is proposed another one is taken in its place.
 */

#include "cli/setup-ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/setup-terminal.h"

#define NOBODY "-"

const gchar *
setup_domain_of (const gchar *address)
{
    const gchar *at = strrchr (address, '@');

    return at != NULL && at != address && at[1] != '\0' ? at + 1 : NULL;
}

static void
replace (gchar **field, gchar *text)
{
    g_free (*field);
    *field = text;
}

/* ---- The server ---- */

/* A server was found; the options may know better how to speak to it. */
static void
tell_server (Setup *setup)
{
    Server *server = &setup->server;

    if (setup->options.tls != NULL)
        replace (&server->tls, g_strdup (setup->options.tls));

    if (server->port != 0)
        g_print ("The server is %s, port %u, TLS=%s.\n", server->host, server->port, server->tls);
    else
        g_print ("The server is %s, TLS=%s.\n", server->host, server->tls);
    if (server->provider != NULL && server->provider->note != NULL)
        g_print ("%s.\n", server->provider->note);
}

/* A server that DNS names in somebody else's domain: only a person can say whether that is right. */
static gboolean
accept_foreign (const Setup *setup)
{
    const Server *server = &setup->server;

    if (!server->foreign)
        return TRUE;
    if (setup->asks)
        return terminal_confirm ("It is in another domain than the address. Is that the right one", FALSE);

    g_printerr (
        "postern: %s is in another domain than the address, and DNS may be forged; if it is the right one, say "
        "--smarthost=%s:%u\n",
        server->host, server->host, server->port);
    return FALSE;
}

/* What the table knows takes no time to be found. */
static gboolean
find_by_domain (Setup *setup, const gchar *domain, gchar **how)
{
    g_autofree gchar *what = g_strdup_printf ("Looking for the server of %s", domain);
    g_autoptr (TerminalWait) wait = provider_find_domain (domain) == NULL ? terminal_wait_new (what) : NULL;

    return server_discover (&setup->server, domain, how);
}

static gboolean
discover (Setup *setup, const gchar *domain)
{
    g_autofree gchar *how = NULL;
    gboolean found = find_by_domain (setup, domain, &how);

    g_print ("%s\n", how);
    if (!found)
        return FALSE;

    tell_server (setup);
    return accept_foreign (setup);
}

static gboolean
name_server (Setup *setup, const gchar *text)
{
    if (!server_parse (&setup->server, text)) {
        g_printerr ("postern: “%s” is no server; expected HOST, HOST:PORT, or the name of a provider\n", text);
        return FALSE;
    }

    tell_server (setup);
    return TRUE;
}

static gboolean
look_up (const Setup *setup, GError **error)
{
    g_autofree gchar *what = g_strdup_printf ("Looking up %s", setup->server.host);
    g_autoptr (TerminalWait) wait = terminal_wait_new (what);

    return server_look_up (&setup->server, error);
}

/* Whether the server that was found is there. What is not tried need not be. */
static gboolean
is_there (const Setup *setup)
{
    g_autoptr (GError) error = NULL;

    if (setup->options.no_check || look_up (setup, &error))
        return TRUE;

    g_printerr ("postern: %s. Is it spelt right, and is this machine online? --no-check goes on without a trial.\n",
                error->message);
    return FALSE;
}

/* A word with an "@" is the address that the server is found by. */
static gboolean
take_server (Setup *setup, const gchar *word)
{
    const gchar *domain = setup_domain_of (word);

    if (domain == NULL)
        return name_server (setup, word) && is_there (setup);

    replace (&setup->options.address, g_strdup (word));
    return discover (setup, domain) && is_there (setup);
}

gboolean
setup_ask_server (Setup *setup)
{
    for (;;) {
        g_autofree gchar *answer = terminal_ask ("Your mail address, your provider, or a server", NULL);

        if (answer == NULL)
            return FALSE;
        if (*answer != '\0' && take_server (setup, answer))
            return TRUE;
    }
}

ExitCode
setup_find_server (Setup *setup)
{
    const SetupOptions *options = &setup->options;
    gboolean found = FALSE;

    if (options->smarthost != NULL)
        found = name_server (setup, options->smarthost) && is_there (setup);
    else if (options->address != NULL)
        found = discover (setup, setup_domain_of (options->address)) && is_there (setup);
    if (!found && setup->asks)
        found = setup_ask_server (setup);
    return found ? EXIT_OK : EXIT_FAILED;
}

/* ---- The login ---- */

static gboolean
read_password_file (Setup *setup)
{
    const gchar *path = setup->options.password_file;
    gboolean is_input = g_str_equal (path, "-");
    int fd = is_input ? STDIN_FILENO : open (path, O_RDONLY | O_CLOEXEC);
    g_autoptr (GError) error = NULL;

    if (fd < 0) {
        g_printerr ("postern: the password cannot be read from %s: %s\n", path, g_strerror (errno));
        return FALSE;
    }

    setup->password = terminal_read_secret (fd, &error);
    if (!is_input)
        close (fd);
    if (setup->password == NULL)
        g_printerr ("postern: no password can be read from %s: %s\n", is_input ? "standard input" : path,
                    error->message);
    return setup->password != NULL;
}

gboolean
setup_ask_password (Setup *setup)
{
    g_autofree gchar *question = g_strdup_printf ("Password of %s (not shown)", setup->user);

    do {
        g_clear_pointer (&setup->password, terminal_wipe);
        setup->password = terminal_ask_secret (question);
    } while (setup->password != NULL && *setup->password == '\0');

    return setup->password != NULL;
}

/* Who logs in with an address has that address. */
static void
take_user (Setup *setup, gchar *user)
{
    replace (&setup->user, user);
    if (user != NULL && setup->options.address == NULL && setup_domain_of (user) != NULL)
        setup->options.address = g_strdup (user);
}

gboolean
setup_ask_user (Setup *setup)
{
    const Provider *provider = setup->server.provider;
    const gchar *proposed = provider != NULL && provider->user != NULL ? provider->user : setup->options.address;
    g_autofree gchar *answer =
        terminal_ask ("User to log in as (a dash for no login)", proposed != NULL ? proposed : NOBODY);

    if (answer == NULL)
        return FALSE;

    take_user (setup, g_str_equal (answer, NOBODY) ? NULL : g_steal_pointer (&answer));
    return TRUE;
}

ExitCode
setup_find_login (Setup *setup)
{
    const SetupOptions *options = &setup->options;
    const Provider *provider = setup->server.provider;

    if (options->no_login)
        return EXIT_OK;

    if (options->user != NULL)
        take_user (setup, g_strdup (options->user));
    else if (setup->asks && !setup_ask_user (setup))
        return EXIT_FAILED;
    else if (!setup->asks)
        setup->user = g_strdup (provider != NULL && provider->user != NULL ? provider->user : options->address);

    if (setup->user == NULL)
        return EXIT_OK;
    if (options->password_file != NULL)
        return read_password_file (setup) ? EXIT_OK : EXIT_FAILED;
    return setup_ask_password (setup) ? EXIT_OK : EXIT_FAILED;
}

/* ---- This machine's mail ---- */

static gboolean
is_common_address (const gchar *address)
{
    return provider_find_domain (setup_domain_of (address)) != NULL;
}

/* Returns: (transfer full) (nullable): an address; NULL for nobody */
static gchar *
ask_address (const gchar *question, const gchar *proposed)
{
    for (;;) {
        g_autofree gchar *answer = terminal_ask (question, proposed != NULL ? proposed : NOBODY);

        if (answer == NULL || g_str_equal (answer, NOBODY))
            return NULL;
        if (setup_domain_of (answer) != NULL)
            return g_steal_pointer (&answer);
        g_print ("“%s” is no mail address, as me@example.org is.\n", answer);
    }
}

/* Providers of private mailboxes take no mail from other addresses than the mailbox's own. */
static void
ask_sender (Setup *setup)
{
    const gchar *address = setup->options.address;

    if (is_common_address (address))
        g_print ("Many providers take mail from your own address only.\n");
    setup->options.from = ask_address ("Sender of all mail of this machine (a dash: each mail's own)",
                                       is_common_address (address) ? address : NULL);
}

void
setup_ask_about_mail (Setup *setup)
{
    SetupOptions *options = &setup->options;

    if (options->admin == NULL)
        options->admin = ask_address ("Who gets the mail to root and users here (a dash: nobody)", options->address);
    if (options->from == NULL && options->address != NULL)
        ask_sender (setup);
}
