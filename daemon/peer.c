/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The user behind a connection
 *
 * On a UNIX socket the kernel tells whose the other end is (SO_PEERCRED). Of a TCP connection it tells that to whoever asks
 * for the socket at the other end, as long as that is on this machine, in the same network namespace (sock_diag(7)). The question
 * names the addresses and ports of both ends, and so means one socket. The kernel answers it while it takes it, so that the answer
 * is there when the question is out: nothing is waited for.
 *
 * What counts is the user who made the socket: of a program that has changed its user since, the one whom it was then; of a
 * proxy or a forwarded port, the one whom that runs as.
 *
 * A client that has closed its socket is nobody any more, and the kernel then says user 0 for want of another: only a socket that
 * somebody has open, which has an inode, has a user. Whoever wants to be nobody only has to be quick; so it is told apart from
 * one of whom nothing can be known. The answer is also held to be of the socket that was asked for: where
 * there is none, the kernel looks for one that listens on the client's port.
 *
 * The kernel may lack the means, or be forbidden to tell. What it says of our own end shows that, the first time: it is told
 * once, and nobody is asked for any more.
 */

#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define MAPPED_OFFSET_BYTES 12

/* An answer is of 100 bytes, and with what the kernel may add to it of some hundred. */
#define ANSWER_MOST_BYTES 4096

/* One end of a connection. An IPv4 address stands in an IPv6 one (RFC 4291 2.5.5.2), as the kernel has it, too. */
typedef struct {
    struct in6_addr address;
    in_port_t port; /* in the order of the network */
} End;

typedef struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
} Question;

struct _PeerFinder {
    int fd; /* -1: the kernel cannot be asked */
    guint32 sequence;
    gboolean is_proven;
};

PeerFinder *
peer_finder_new (void)
{
    PeerFinder *finder = g_new0 (PeerFinder, 1);

    finder->fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    return finder;
}

static void
stop_asking (PeerFinder *finder)
{
    if (finder->fd >= 0)
        close (finder->fd);
    finder->fd = -1;
}

void
peer_finder_free (PeerFinder *finder)
{
    stop_asking (finder);
    g_free (finder);
}

static void
map_ipv4 (const void *bytes, struct in6_addr *address)
{
    *address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy (address->s6_addr + MAPPED_OFFSET_BYTES, bytes, sizeof (struct in_addr));
}

static gboolean
read_end (const struct sockaddr *from, End *end)
{
    const struct sockaddr_in *ipv4 = (const void *) from;
    const struct sockaddr_in6 *ipv6 = (const void *) from;

    switch (from->sa_family) {
    case AF_INET:
        map_ipv4 (&ipv4->sin_addr, &end->address);
        end->port = ipv4->sin_port;
        return TRUE;
    case AF_INET6:
        end->address = ipv6->sin6_addr;
        end->port = ipv6->sin6_port;
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean
equal_ends (const End *a, const End *b)
{
    return a->port == b->port && IN6_ARE_ADDR_EQUAL (&a->address, &b->address);
}

static gboolean
is_loopback (const End *end)
{
    if (IN6_IS_ADDR_V4MAPPED (&end->address))
        return end->address.s6_addr[MAPPED_OFFSET_BYTES] == IN_LOOPBACKNET;

    return IN6_IS_ADDR_LOOPBACK (&end->address);
}

/* The kernel has the address of an IPv4 socket in the first of four words. */
static void
write_address (const End *end, gboolean ipv4, __be32 words[4])
{
    memset (words, 0, sizeof (struct in6_addr));
    if (ipv4)
        memcpy (words, end->address.s6_addr + MAPPED_OFFSET_BYTES, sizeof (struct in_addr));
    else
        memcpy (words, end->address.s6_addr, sizeof (struct in6_addr));
}

static End
answered_end (const struct inet_diag_msg *answer, const __be32 words[4], in_port_t port)
{
    End end = {.port = port};

    if (answer->idiag_family == AF_INET)
        map_ipv4 (words, &end.address);
    else
        memcpy (&end.address, words, sizeof end.address);

    return end;
}

/* Asks for the socket that is at @end of a connection and has @other at its other end. */
static gboolean
ask (PeerFinder *finder, const End *end, const End *other)
{
    gboolean ipv4 = IN6_IS_ADDR_V4MAPPED (&end->address);
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    Question question = {.header = {.nlmsg_len = sizeof question,
                                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                    .nlmsg_flags = NLM_F_REQUEST,
                                    .nlmsg_seq = ++finder->sequence},
                         .body = {.sdiag_family = ipv4 ? AF_INET : AF_INET6,
                                  .sdiag_protocol = IPPROTO_TCP,
                                  .idiag_states = G_MAXUINT32,
                                  .id = {.idiag_sport = end->port,
                                         .idiag_dport = other->port,
                                         .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}}};

    write_address (end, ipv4, question.body.id.idiag_src);
    write_address (other, ipv4, question.body.id.idiag_dst);
    return sendto (finder->fd, &question, sizeof question, MSG_DONTWAIT, (const struct sockaddr *) &kernel,
                   sizeof kernel) == sizeof question;
}

/* What the kernel says to the question of this number; %NULL if it is nothing, or an error. */
static const struct inet_diag_msg *
hear (PeerFinder *finder, gchar buffer[ANSWER_MOST_BYTES])
{
    const struct nlmsghdr *header = (const void *) buffer;
    struct sockaddr_nl from;
    socklen_t from_length = sizeof from;
    gssize length;

    while ((length = recvfrom (finder->fd, buffer, ANSWER_MOST_BYTES, MSG_DONTWAIT, (struct sockaddr *) &from,
                               &from_length)) >= 0) {
        /* Any program may write to our address; what is not from the kernel, or late, is thrown away. */
        if (from_length == sizeof from && from.nl_pid == 0 && (gsize) length >= sizeof *header &&
            header->nlmsg_len <= (gsize) length && header->nlmsg_seq == finder->sequence)
            return header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
                           header->nlmsg_len >= NLMSG_LENGTH (sizeof (struct inet_diag_msg))
                       ? NLMSG_DATA (header)
                       : NULL;
        from_length = sizeof from;
    }

    return NULL;
}

/* Whose the socket at @end is; PEER_GONE if nobody has it open any more, PEER_UNKNOWN if there is none. */
static gint64
find_owner (PeerFinder *finder, const End *end, const End *other)
{
    gchar buffer[ANSWER_MOST_BYTES] __attribute__ ((aligned (__alignof__(struct nlmsghdr))));
    const struct inet_diag_msg *answer = ask (finder, end, other) ? hear (finder, buffer) : NULL;
    End found, found_other;

    if (answer == NULL)
        return PEER_UNKNOWN;
    if (answer->idiag_inode == 0 || answer->idiag_state == TCP_LISTEN)
        return PEER_GONE;
    found = answered_end (answer, answer->id.idiag_src, answer->id.idiag_sport);
    found_other = answered_end (answer, answer->id.idiag_dst, answer->id.idiag_dport);

    return equal_ends (&found, end) && equal_ends (&found_other, other) ? (gint64) answer->idiag_uid : PEER_GONE;
}

/* Whether a socket is in the network that is asked. Another one may have the same addresses and ports. */
static gboolean
is_in_reach (const PeerFinder *finder, int fd)
{
    guint64 ours, theirs;
    socklen_t length = sizeof ours;

    /* Before Linux 5.14 it is not told. */
    if (getsockopt (finder->fd, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &length) != 0)
        return errno == ENOPROTOOPT;

    length = sizeof theirs;
    return getsockopt (fd, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &length) == 0 && ours == theirs;
}

static gboolean
is_connected (int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;

    return getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_ESTABLISHED;
}

/* Whether the kernel tells of our own end, which is there for sure if the connection is still there. */
static gboolean
can_ask (PeerFinder *finder, int fd, const End *own, const End *peer)
{
    if (finder->is_proven)
        return TRUE;

    finder->is_proven = find_owner (finder, own, peer) >= 0;
    if (!finder->is_proven && is_connected (fd)) {
        g_message (
            "the kernel does not tell whose connections over the loopback interface are: they all count as those of "
            "one unknown user (it needs its module tcp_diag, and netlink to be allowed in the service)");
        stop_asking (finder);
    }

    return finder->is_proven;
}

static gint64
local_uid (int fd)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;

    if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0 || credentials.uid == (uid_t) -1)
        return PEER_UNKNOWN;

    return credentials.uid;
}

static gint64
tcp_uid (PeerFinder *finder, int fd, const End *peer)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    End own;

    if (finder->fd < 0 || getsockname (fd, (struct sockaddr *) &address, &length) != 0 ||
        !read_end ((const struct sockaddr *) &address, &own))
        return PEER_UNKNOWN;

    /* A host that talks to one of its own addresses has that address at both ends. */
    if ((!is_loopback (peer) && !IN6_ARE_ADDR_EQUAL (&own.address, &peer->address)) || !is_in_reach (finder, fd) ||
        !can_ask (finder, fd, &own, peer))
        return PEER_UNKNOWN;

    return find_owner (finder, peer, &own);
}

gint64
peer_finder_uid (PeerFinder *finder, int fd, const struct sockaddr *peer)
{
    End end;

    if (peer->sa_family == AF_UNIX)
        return local_uid (fd);

    return read_end (peer, &end) ? tcp_uid (finder, fd, &end) : PEER_UNKNOWN;
}

gboolean
peer_is_loopback (const struct sockaddr *peer)
{
    End end;

    return read_end (peer, &end) && is_loopback (&end);
}

gchar *
peer_describe (const struct sockaddr *peer)
{
    gchar text[INET6_ADDRSTRLEN];
    End end;

    if (!read_end (peer, &end))
        return NULL;
    if (IN6_IS_ADDR_V4MAPPED (&end.address))
        inet_ntop (AF_INET, end.address.s6_addr + MAPPED_OFFSET_BYTES, text, sizeof text);
    else
        inet_ntop (AF_INET6, &end.address, text, sizeof text);

    return g_strdup (text);
}
