/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * A certificate authority for tests, in a temporary folder that goes when the authority is freed.
 */

typedef struct _TestAuthority TestAuthority;

typedef struct {
    const gchar *stem;      /* STEM.pem and STEM.key are written */
    const gchar *name;      /* (nullable) the DNS name it is for */
    const gchar *address;   /* (nullable) the IPv4 address it is for */
    gint starts_in_seconds; /* from now; negative is the past */
    gint ends_in_seconds;
    gboolean self_signed;
} TestCertificate;

TestAuthority *test_authority_new (void);
void test_authority_free (TestAuthority *authority);
void test_authority_issue (TestAuthority *authority, const TestCertificate *certificate);

/* A file of the folder; "authority.pem" is the authority's certificate. Valid as long as the authority. */
const gchar *test_authority_path (TestAuthority *authority, const gchar *file);

/* Writes a file of the folder. Returns: its path, as test_authority_path () */
const gchar *test_authority_write (TestAuthority *authority, const gchar *file, const gchar *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestAuthority, test_authority_free)
