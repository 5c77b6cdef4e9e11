/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * RFC 5321 4.5.3.1.2 and .3; a path counts its angle brackets, not a source route. The 64 bytes that 4.5.3.1.1
 * names for a local part are the least that must be taken, not the most: senders that encode a bounce's recipient
 * (VERP, SRS) go past it every day, so a local part is only limited by its path.
 */
#define MESSAGE_DOMAIN_LONGEST_BYTES 255
#define MESSAGE_PATH_LONGEST_BYTES   256

typedef enum {
    MESSAGE_PATH_DEFAULT = 0,
    MESSAGE_PATH_NULL = 1 << 0, /* "<>" is allowed: a reverse-path */
    MESSAGE_PATH_BARE = 1 << 1, /* a local part without a domain is allowed; "<postmaster>" always is */
    MESSAGE_PATH_UTF8 = 1 << 2  /* SMTPUTF8 was asked for (RFC 6531) */
} MessagePathFlags;

/**
 * message_path_parse:
 * @text: where the path starts, at its "<"; need not be terminated
 * @length: bytes that may be read
 * @flags: what is allowed beyond a plain mailbox
 * @consumed: (out) (optional): bytes that belong to the path, from "<" to ">"
 *
 * Reads a Reverse-path or Forward-path (RFC 5321 4.1.2, with RFC 6531 3.3). A source route is accepted and dropped
 * (RFC 5321 appendix C). A quoted local part that needs no quotes loses them; a domain is lower-cased and, if it is
 * not ASCII, stays as it was written in UTF-8; an address literal, IPv4 or IPv6, is checked and normalized (RFC 5321
 * 4.1.3). Underscores in a domain are let through, since hosts are named so; a domain may be a single label.
 *
 * Returns: (transfer full): the address in canonical form, "" for the null path; or %NULL with a MESSAGE_ERROR
 */
gchar *message_path_parse (const gchar *text, gsize length, MessagePathFlags flags, gsize *consumed, GError **error);

/**
 * message_address_parse:
 * @text: an address as a person or a command line gives it, with or without angle brackets
 * @flags: what is allowed beyond a plain mailbox
 *
 * The same rules as message_path_parse (), for a whole string; white space around it is ignored. With MESSAGE_PATH_NULL
 * an empty string is the null path.
 *
 * Returns: (transfer full): the address in canonical form; or %NULL with a MESSAGE_ERROR
 */
gchar *message_address_parse (const gchar *text, MessagePathFlags flags, GError **error);

/**
 * message_address_domain:
 * @address: a canonical address
 *
 * Returns: (nullable): what follows the "@" between local part and domain, inside @address; %NULL for a bare or null
 *   address
 */
const gchar *message_address_domain (const gchar *address);

/**
 * message_address_is_localhost:
 * @address: a canonical address
 *
 * Returns: whether its domain is localhost or localhost.localdomain, which every machine calls itself
 */
gboolean message_address_is_localhost (const gchar *address);

/**
 * message_address_local_part:
 * @address: a canonical address
 *
 * Returns: (transfer full): what stands before the "@", without quotes
 */
gchar *message_address_local_part (const gchar *address);

/* What addresses are completed with. Strings belong to whoever made it. */
typedef struct {
    const gchar *domain; /* that bare addresses belong to */
    const gchar *parent; /* (nullable) that hosts belong to whose name has no dot; NULL leaves them as they are */
} MessageCompletion;

/**
 * message_address_is_complete:
 * @address: a canonical address, maybe bare
 *
 * Returns: whether message_address_complete () leaves it as it is
 */
gboolean message_address_is_complete (const gchar *address, const MessageCompletion *completion);

/**
 * message_address_complete:
 * @address: a canonical address, maybe bare
 *
 * The domain is added if there is none, and stands in for localhost, which means nothing to others (RFC 6409 8.1). A host
 * without a dot gets the parent. "" stays "".
 *
 * Returns: (transfer full): the address with a domain that others can do something with
 */
gchar *message_address_complete (const gchar *address, const MessageCompletion *completion);

/**
 * message_address_is_ascii:
 * @address: a canonical address
 *
 * Returns: whether the address can travel without SMTPUTF8 (RFC 6531)
 */
gboolean message_address_is_ascii (const gchar *address);

/**
 * message_address_equal:
 *
 * Compares two canonical addresses: domains without regard to case, local parts with it (RFC 5321 2.4).
 *
 * Returns: whether they are the same mailbox
 */
gboolean message_address_equal (const gchar *a, const gchar *b);
