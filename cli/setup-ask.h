/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/postern-command.h"
#include "cli/setup-discover.h"

/*
 * Questions of `postern setup`: which server takes the mail, who logs in there, and whose mail it is.
 */

/* What the command line says. */
typedef struct {
    gchar *address;
    gchar *smarthost;
    gchar *tls;
    gchar *trust_file;
    gchar *user;
    gchar *password_file;
    gchar *admin;
    gchar *from;
    gchar *test;
    gchar *config;
    gchar *credentials;
    gboolean no_login;
    gboolean no_check;
    gboolean no_start;
    gboolean force;
} SetupOptions;

/* What is known so far. */
typedef struct {
    const CommandLine *line;
    SetupOptions options;
    gboolean asks; /* there is a terminal, and a person at it */
    Server server;
    gchar *user;     /* (nullable) */
    gchar *password; /* (nullable) wiped at the end */
} Setup;

/* Each asks for what the options do not say, if there is a person. Returns: EXIT_OK, or the failure was told */
ExitCode setup_find_server (Setup *setup);
ExitCode setup_find_login (Setup *setup);

/* Asks for another one. Returns: whether there is one */
gboolean setup_ask_server (Setup *setup);
gboolean setup_ask_user (Setup *setup);
gboolean setup_ask_password (Setup *setup);

/* Asks who gets this machine's own mail, and whom all mail comes from. */
void setup_ask_about_mail (Setup *setup);

/* Returns: (nullable): the part of a mail address behind the "@"; NULL if it is none */
const gchar *setup_domain_of (const gchar *address);
