/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

/*
 * How much of something that runs out (sessions, calls, descriptors, bytes) is taken, and by whom.
 */

typedef struct _Budget Budget;

/* What one owner has of a budget: there is one as long as the owner has something. */
typedef struct _BudgetShare BudgetShare;

typedef enum {
    BUDGET_UNKNOWN, /* all of whom nothing is known share one share */
    BUDGET_USER,
    BUDGET_ADDRESS,
    BUDGET_NAME
} BudgetOwnerKind;

/* Whose share something is taken from. Made by the functions below. */
typedef struct {
    BudgetOwnerKind kind;
    guint32 uid;
    guint8 address[8];
    const gchar *name; /* not copied before something is taken */
} BudgetOwner;

/* A local user. @uid: -1 if it is not known */
BudgetOwner budget_user (gint64 uid);

/* Whoever is behind an IPv4 address, or an IPv6 network of 64 bits, of which one host has all (RFC 4291 2.5.4). Another
 * family is unknown. */
BudgetOwner budget_address (const struct sockaddr *address);

/* Whatever has a name of its own. It must stay until something is taken or not. */
BudgetOwner budget_name (const gchar *name);

typedef struct {
    guint64 most;   /* of all owners together */
    guint64 each;   /* of one owner; root is not bound by it */
    guint64 root;   /* how much of @most is kept for root */
    guint64 others; /* how much of @most is kept for owners that would then have no more than @few */
    guint64 few;
} BudgetLimits;

/**
 * budget_limits_share:
 * @most: of all owners together, at least 1
 *
 * Returns: limits under which one owner gets at most a half, and a quarter is kept for those who have little, root before all
 */
BudgetLimits budget_limits_share (guint64 most);

typedef enum {
    BUDGET_TAKEN,
    BUDGET_OWNER_HAS_MOST, /* this owner may not have more */
    BUDGET_ALL_TAKEN       /* there is no more, or what is left is kept for others */
} BudgetAnswer;

Budget *budget_new (const BudgetLimits *limits);

/* Nothing may be taken any more. */
void budget_free (Budget *budget);

/* Other limits from now on. What was taken beyond them stays so until it is given back. */
void budget_set_limits (Budget *budget, const BudgetLimits *limits);

/**
 * budget_take:
 * @amount: at least 1
 * @share: (out): what it was taken from; only with BUDGET_TAKEN
 */
BudgetAnswer budget_take (Budget *budget, const BudgetOwner *owner, guint64 amount, BudgetShare **share);

/* @share: may be gone afterwards, if the owner has nothing else */
void budget_give_back (BudgetShare *share, guint64 amount);

/* What all owners have, and what one has. */
guint64 budget_taken (const Budget *budget);
guint64 budget_taken_by (const Budget *budget, const BudgetOwner *owner);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Budget, budget_free)
