/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Networks
 *
 * Whether an address belongs to one of a few networks decides who may relay, so it is asked once for each connection and must not be
 * wrong. All addresses are kept and compared as IPv6 ones, IPv4 in its mapped form: one rule then serves both
 * families, and a dual-stack socket that shows 127.0.0.1 as ::ffff:127.0.0.1 gets the same answer.
 */

#include "networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define ADDRESS_BITS        128
#define MAPPED_PREFIX_BITS  96
#define ADDRESS_BITS_DIGITS 3

typedef struct {
    struct in6_addr address;
    guint bits;
} Network;

struct _Networks {
    GArray *list; /* of Network */
};

static void
map_ipv4 (const struct in_addr *from, struct in6_addr *to)
{
    memset (to, 0, sizeof *to);
    to->s6_addr[10] = 0xff;
    to->s6_addr[11] = 0xff;
    memcpy (to->s6_addr + 12, from, sizeof *from);
}

static gboolean
equal_bits (const struct in6_addr *a, const struct in6_addr *b, guint bits)
{
    guint bytes = bits / 8;
    guint8 mask = (guint8) (0xff00 >> (bits % 8));

    if (memcmp (a, b, bytes) != 0)
        return FALSE;

    return bits % 8 == 0 || ((a->s6_addr[bytes] ^ b->s6_addr[bytes]) & mask) == 0;
}

static gboolean
has_bits_beyond (const Network *network)
{
    for (guint bit = network->bits; bit < ADDRESS_BITS; bit++)
        if (network->address.s6_addr[bit / 8] & (0x80 >> (bit % 8)))
            return TRUE;

    return FALSE;
}

/* The bits of a mask, at most @most. */
static gboolean
read_bits (const gchar *text, guint most, guint *bits)
{
    guint64 number;

    if (strlen (text) > ADDRESS_BITS_DIGITS || !g_ascii_string_to_unsigned (text, 10, 0, most, &number, NULL))
        return FALSE;

    *bits = (guint) number;
    return TRUE;
}

static gboolean
read_network (const gchar *word, Network *network)
{
    g_auto (GStrv) parts = g_strsplit (word, "/", 2);
    gboolean ipv6 = strchr (parts[0], ':') != NULL;
    guint bits = ipv6 ? ADDRESS_BITS : ADDRESS_BITS - MAPPED_PREFIX_BITS;
    struct in_addr ipv4;

    if (ipv6 ? inet_pton (AF_INET6, parts[0], &network->address) != 1 : inet_pton (AF_INET, parts[0], &ipv4) != 1)
        return FALSE;
    if (parts[1] != NULL && !read_bits (parts[1], bits, &bits))
        return FALSE;

    network->bits = bits;
    if (!ipv6) {
        map_ipv4 (&ipv4, &network->address);
        network->bits += MAPPED_PREFIX_BITS;
    }

    return !has_bits_beyond (network);
}

Networks *
networks_new (const gchar *text, gchar **bad)
{
    g_autoptr (Networks) networks = g_new0 (Networks, 1);
    g_auto (GStrv) words = g_strsplit_set (text, " \t,", -1);

    networks->list = g_array_new (FALSE, FALSE, sizeof (Network));
    for (guint i = 0; words[i] != NULL; i++) {
        Network network;

        if (words[i][0] == '\0')
            continue;
        if (!read_network (words[i], &network)) {
            if (bad != NULL)
                *bad = g_strdup (words[i]);
            return NULL;
        }
        g_array_append_val (networks->list, network);
    }

    return g_steal_pointer (&networks);
}

void
networks_free (Networks *networks)
{
    g_array_unref (networks->list);
    g_free (networks);
}

gboolean
networks_contain (const Networks *networks, const struct sockaddr *address)
{
    struct in6_addr wanted;

    if (address->sa_family == AF_INET)
        map_ipv4 (&((const struct sockaddr_in *) (const void *) address)->sin_addr, &wanted);
    else if (address->sa_family == AF_INET6)
        wanted = ((const struct sockaddr_in6 *) (const void *) address)->sin6_addr;
    else
        return FALSE;

    for (guint i = 0; i < networks->list->len; i++) {
        const Network *network = &g_array_index (networks->list, Network, i);

        if (equal_bits (&network->address, &wanted, network->bits))
            return TRUE;
    }

    return FALSE;
}
