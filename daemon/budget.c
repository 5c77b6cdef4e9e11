/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Budgets
 *
 * Whoever may open, send or leave pending something could take all that there is of it, and everybody else would go away
 * empty-handed. A budget says how much there is for all and how much for one owner: a local user, an address, or those of
 * whom nothing is known, who share one share.
 *
 * A share that is small enough for any number of owners would be too small for one that is alone. So one may have much as long
 * as there is much; but the last of it is kept for those who have little yet, and the very last for root, so that somebody can
 * see what is going on and end it. Root has no share of its own to keep to: only what is kept for those who have little is
 * not root's either.
 *
 * To be out of something is an answer, which the one who asks passes on; it is no failure. Taking and giving back cost one
 * look into a table at most.
 */

#include "budget.h"

#include <netinet/in.h>
#include <string.h>

/* Of an IPv6 address in which an IPv4 address stands (RFC 4291 2.5.5.2). */
#define MAPPED_OFFSET_BYTES 12

/* Parts of the whole. Below a whole of a few there is nothing to be kept. */
#define ROOT_PART   32
#define OTHERS_PART 4
#define FEW_PART    64
#define EACH_PART   2

struct _BudgetShare {
    Budget *budget;
    BudgetOwner owner; /* with a name of its own */
    guint64 taken;
};

struct _Budget {
    BudgetLimits limits;
    GHashTable *shares; /* of BudgetShare, whose key is its own owner */
    guint64 taken;
};

BudgetOwner
budget_user (gint64 uid)
{
    if (uid < 0)
        return (BudgetOwner){.kind = BUDGET_UNKNOWN};

    return (BudgetOwner){.kind = BUDGET_USER, .uid = (guint32) uid};
}

static BudgetOwner
ipv4_address (const void *bytes)
{
    BudgetOwner owner = {.kind = BUDGET_ADDRESS};

    memcpy (owner.address, bytes, sizeof (struct in_addr));
    return owner;
}

/* No network that hosts are in begins with 0 (RFC 4291 2.4), as what an IPv4 address leaves empty does end with it. */
static BudgetOwner
ipv6_network (const struct in6_addr *address)
{
    BudgetOwner owner = {.kind = BUDGET_ADDRESS};

    if (IN6_IS_ADDR_V4MAPPED (address))
        return ipv4_address (address->s6_addr + MAPPED_OFFSET_BYTES);

    memcpy (owner.address, address->s6_addr, sizeof owner.address);
    return owner;
}

BudgetOwner
budget_address (const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET:
        return ipv4_address (&((const struct sockaddr_in *) (const void *) address)->sin_addr);
    case AF_INET6:
        return ipv6_network (&((const struct sockaddr_in6 *) (const void *) address)->sin6_addr);
    default:
        return (BudgetOwner){.kind = BUDGET_UNKNOWN};
    }
}

BudgetOwner
budget_name (const gchar *name)
{
    return (BudgetOwner){.kind = BUDGET_NAME, .name = name};
}

static guint
owner_hash (gconstpointer key)
{
    const BudgetOwner *owner = key;
    guint64 number;

    if (owner->name != NULL)
        return g_str_hash (owner->name);
    memcpy (&number, owner->address, sizeof number);
    number += owner->uid;
    return g_int64_hash (&number);
}

static gboolean
owner_equal (gconstpointer a, gconstpointer b)
{
    const BudgetOwner *one = a;
    const BudgetOwner *other = b;

    return one->kind == other->kind && one->uid == other->uid &&
           memcmp (one->address, other->address, sizeof one->address) == 0 && g_strcmp0 (one->name, other->name) == 0;
}

static gboolean
is_root (const BudgetOwner *owner)
{
    return owner->kind == BUDGET_USER && owner->uid == 0;
}

static void
share_free (gpointer data)
{
    BudgetShare *share = data;

    g_free ((gchar *) share->owner.name);
    g_free (share);
}

BudgetLimits
budget_limits_share (guint64 most)
{
    return (BudgetLimits){.most = most,
                          .each = MAX (1, most / EACH_PART),
                          .root = most / ROOT_PART,
                          .others = most / OTHERS_PART,
                          .few = MAX (1, most / FEW_PART)};
}

Budget *
budget_new (const BudgetLimits *limits)
{
    Budget *budget = g_new0 (Budget, 1);

    budget->limits = *limits;
    budget->shares = g_hash_table_new_full (owner_hash, owner_equal, NULL, share_free);
    return budget;
}

void
budget_free (Budget *budget)
{
    g_assert (budget->taken == 0);
    g_hash_table_unref (budget->shares);
    g_free (budget);
}

void
budget_set_limits (Budget *budget, const BudgetLimits *limits)
{
    budget->limits = *limits;
}

/* How much of the whole is not for an owner who would then have @after. */
static guint64
kept_from (const Budget *budget, const BudgetOwner *owner, guint64 after)
{
    guint64 kept = is_root (owner) ? 0 : budget->limits.root;

    return after > budget->limits.few ? MAX (kept, budget->limits.others) : kept;
}

static BudgetAnswer
may_take (const Budget *budget, const BudgetOwner *owner, guint64 has, guint64 amount)
{
    const BudgetLimits *limits = &budget->limits;
    guint64 free_amount = limits->most > budget->taken ? limits->most - budget->taken : 0;

    /* Nothing here can overflow: what an owner has is a part of what all have. */
    if (amount > limits->most)
        return BUDGET_OWNER_HAS_MOST;
    if (!is_root (owner) && (has > limits->each || amount > limits->each - has))
        return BUDGET_OWNER_HAS_MOST;
    if (amount > free_amount || free_amount - amount < kept_from (budget, owner, has + amount))
        return BUDGET_ALL_TAKEN;

    return BUDGET_TAKEN;
}

static BudgetShare *
share_new (Budget *budget, const BudgetOwner *owner)
{
    BudgetShare *share = g_new0 (BudgetShare, 1);

    share->budget = budget;
    share->owner = *owner;
    share->owner.name = g_strdup (owner->name);
    g_hash_table_insert (budget->shares, &share->owner, share);
    return share;
}

BudgetAnswer
budget_take (Budget *budget, const BudgetOwner *owner, guint64 amount, BudgetShare **share)
{
    BudgetShare *found = g_hash_table_lookup (budget->shares, owner);
    BudgetAnswer answer;

    g_return_val_if_fail (amount > 0, BUDGET_ALL_TAKEN);

    answer = may_take (budget, owner, found != NULL ? found->taken : 0, amount);
    if (answer != BUDGET_TAKEN)
        return answer;
    if (found == NULL)
        found = share_new (budget, owner);

    found->taken += amount;
    budget->taken += amount;
    *share = found;
    return BUDGET_TAKEN;
}

void
budget_give_back (BudgetShare *share, guint64 amount)
{
    g_assert (amount <= share->taken);

    share->taken -= amount;
    share->budget->taken -= amount;
    if (share->taken == 0)
        g_hash_table_remove (share->budget->shares, &share->owner);
}

guint64
budget_taken (const Budget *budget)
{
    return budget->taken;
}

guint64
budget_taken_by (const Budget *budget, const BudgetOwner *owner)
{
    const BudgetShare *share = g_hash_table_lookup (budget->shares, owner);

    return share != NULL ? share->taken : 0;
}
