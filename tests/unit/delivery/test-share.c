/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "delivery/share.h"

#include <string.h>

#define PARTNERS 3

static DeliveryShare *
share_of (guint a, guint b, guint c)
{
    g_autoptr (GArray) weights = g_array_new (FALSE, FALSE, sizeof (guint));

    g_array_append_val (weights, a);
    g_array_append_val (weights, b);
    g_array_append_val (weights, c);
    return delivery_share_new (weights);
}

/* Gives @n pieces, one plan for each, to those who have @room, and counts what each got. */
static void
give (DeliveryShare *share, const guint *room, guint n, guint *got)
{
    for (guint i = 0; i < n; i++) {
        guint left[PARTNERS] = {room[0], room[1], room[2]};
        gint who;

        delivery_share_plan (share);
        who = delivery_share_next (share, left);
        g_assert_cmpint (who, >=, 0);
        g_assert_cmpuint (left[who], ==, room[who] - 1);
        delivery_share_count (share, (guint) who);
        got[who]++;
    }
}

static void
test_weights (void)
{
    g_autoptr (DeliveryShare) share = share_of (1, 2, 5);
    const guint room[] = {4, 4, 4};
    guint got[PARTNERS] = {0};

    give (share, room, 800, got);
    g_assert_cmpint (ABS ((gint) got[0] - 100), <=, 1);
    g_assert_cmpint (ABS ((gint) got[1] - 200), <=, 1);
    g_assert_cmpint (ABS ((gint) got[2] - 500), <=, 1);
}

static void
test_no_room (void)
{
    g_autoptr (DeliveryShare) share = share_of (100, 1, 1);
    const guint room[] = {0, 1, 1};
    guint got[PARTNERS] = {0};
    guint none[PARTNERS] = {0};

    give (share, room, 10, got);
    g_assert_cmpuint (got[0], ==, 0);
    g_assert_cmpuint (got[1], ==, 5);
    delivery_share_plan (share);
    g_assert_cmpint (delivery_share_next (share, none), ==, -1);
}

static void
test_no_debt (void)
{
    g_autoptr (DeliveryShare) share = share_of (1, 1, 1);
    const guint without[] = {0, 1, 1};
    const guint with[] = {1, 1, 1};
    guint got[PARTNERS] = {0};

    give (share, without, 1000, got);
    memset (got, 0, sizeof got);
    give (share, with, 30, got);
    g_assert_cmpint (ABS ((gint) got[0] - 10), <=, 1);
}

static void
test_plan (void)
{
    g_autoptr (DeliveryShare) share = share_of (1, 1, 1);
    guint room[PARTNERS] = {9, 9, 9};
    guint again[PARTNERS] = {9, 9, 9};
    guint got[PARTNERS] = {0};

    delivery_share_plan (share);
    for (guint i = 0; i < 9; i++)
        got[delivery_share_next (share, room)]++;
    g_assert_cmpuint (got[0], ==, 3);
    g_assert_cmpuint (got[2], ==, 3);

    /* Nothing of it happened. */
    delivery_share_plan (share);
    g_assert_cmpint (delivery_share_next (share, again), ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/share/each-gets-by-its-weight", test_weights);
    g_test_add_func ("/delivery/share/who-has-no-room-gets-nothing", test_no_room);
    g_test_add_func ("/delivery/share/who-comes-back-gets-no-more-than-its-share", test_no_debt);
    g_test_add_func ("/delivery/share/a-plan-spreads-and-binds-nobody", test_plan);
    return g_test_run ();
}
