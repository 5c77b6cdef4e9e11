/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* What is known of the large providers: their submission servers, and what they ask of a login. */

typedef struct {
    const gchar *name;
    const gchar *domains;   /* (nullable) of mail addresses there, separated by spaces */
    const gchar *exchanger; /* (nullable) what the names of its customers' mail exchangers end in */
    const gchar *host;      /* (nullable): it has no server that takes mail */
    guint16 port;
    const gchar *tls;  /* as in TLS= */
    const gchar *user; /* (nullable) the same for everybody */
    const gchar *note; /* (nullable) what a person has to know */
} Provider;

/* By the domain of a mail address. Returns: (nullable) (transfer none) */
const Provider *provider_find_domain (const gchar *domain);

/* By the name of a mail exchanger of a domain. Returns: (nullable) (transfer none) */
const Provider *provider_find_exchanger (const gchar *host);

/* By its server. Returns: (nullable) (transfer none) */
const Provider *provider_find_host (const gchar *host);

/* By what it is called, without regard to case and spaces. Returns: (nullable) (transfer none) */
const Provider *provider_find_name (const gchar *name);

/* Returns: (nullable) (transfer none): the one at @index, from 0 */
const Provider *provider_get (guint index);
