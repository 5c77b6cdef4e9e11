/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/address.h"

/*
 * A table of addresses and what they become.
 */

typedef struct _MessageAddressMap MessageAddressMap;

/**
 * message_address_map_parse:
 * @text: lines "PATTERN REPLACEMENT", and comments behind "#" at the start of a line; any bytes
 * @length: bytes at @text
 * @completion: of addresses without a domain, or with a host without a dot
 * @problems: (element-type utf8): gets "LINE: …" for each line that cannot be understood
 *
 * A pattern is an address; a local part alone, which means that user of this machine; "@domain"; "@.domain" for all that
 * is below it; or "*". A replacement is an address, a local part alone, or "@domain", which keeps the local part.
 *
 * Returns: (transfer full): what could be understood
 */
MessageAddressMap *message_address_map_parse (const gchar *text, gsize length, const MessageCompletion *completion,
                                              GPtrArray *problems);
void message_address_map_free (MessageAddressMap *map);

/* What an address has to be like for a pattern to count. */
typedef enum {
    MESSAGE_MAP_DEFAULT = 0,
    MESSAGE_MAP_LOCAL = 1 << 0, /* the address is one of this machine: local parts alone count */
    MESSAGE_MAP_NAMED = 1 << 1  /* "*" does not count */
} MessageMapFlags;

/**
 * message_address_map_find:
 * @address: canonical, with a domain
 *
 * The most specific pattern counts: the address, the local part, the domain, the longest domain that it is below, "*".
 * Case makes no difference.
 *
 * Returns: (transfer full) (nullable): what it becomes, canonical; %NULL if no pattern is for it
 */
gchar *message_address_map_find (const MessageAddressMap *map, const gchar *address, MessageMapFlags flags);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageAddressMap, message_address_map_free)
