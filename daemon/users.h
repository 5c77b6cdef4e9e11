/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/*
 * Names of the machine's users, looked up without blocking and remembered for a while.
 */

typedef struct _Users Users;
typedef struct _UsersLookup UsersLookup;

typedef struct {
    gchar *name;      /* (nullable) the login name; %NULL if the user has no entry */
    gchar *full_name; /* (nullable) from the entry's comment (GECOS) */
} User;

/* @user is valid during the call. */
typedef void (*UsersFound) (const User *user, gpointer user_data);

Users *users_new (void);

/* Lookups under way are cancelled. */
void users_free (Users *users);

/**
 * users_look_up:
 *
 * Calls @found with what is known of @uid: at once if it is remembered, else from the main loop.
 *
 * Returns: (transfer none) (nullable): %NULL if @found was called; else the lookup, until @found is called
 */
UsersLookup *users_look_up (Users *users, uid_t uid, UsersFound found, gpointer user_data);

/* @found will not be called. */
void users_lookup_cancel (UsersLookup *lookup);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Users, users_free)
