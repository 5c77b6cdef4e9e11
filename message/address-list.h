/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The address lists of a header (RFC 5322 3.4, with the obsolete forms of 4.4 and the UTF-8 of RFC 6532), read with
 * their positions, so that a list can be changed without being written anew.
 */

/* One mailbox of a list, or what stands in the place of one. Positions are byte offsets into the text. */
typedef struct {
    gsize start;         /* the first byte that is not white space or comment */
    gsize end;           /* past the last such byte */
    gchar *address;      /* (nullable) without comments, white space and brackets; %NULL if it cannot be understood */
    gsize address_start; /* of the address itself */
    gsize address_end;   /* past the address itself: where "@domain" goes if it is bare */
    gboolean bare;       /* the address has no domain */
} MessageListEntry;

/**
 * message_address_list_parse:
 * @text: the body of an address field, folding included, or a list from a command line
 *
 * Never fails: what cannot be understood is an entry without an address. Groups yield their members; an empty group
 * and empty places between commas yield nothing. ";" outside a group separates as "," does. An address is only
 * taken apart here, not checked: message_address_parse () does that.
 *
 * Returns: (transfer full) (element-type MessageListEntry): the entries in their order
 */
GArray *message_address_list_parse (const gchar *text);

/**
 * message_address_list_explain:
 * @text: what message_address_list_parse () read
 * @entry: one of its entries, without an address
 *
 * Returns: (transfer full): a sentence that quotes the entry, and says what to write if that can be guessed
 */
gchar *message_address_list_explain (const gchar *text, const MessageListEntry *entry);
