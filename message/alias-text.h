/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The text of an alias file: names, and what each stands for.
 */

/*
 * The file that all mail systems know as a target. It reads as a bare local part, too, and so it is what a recipient is called
 * whose mail is thrown away; no mail that is handed in keeps a recipient without a domain.
 */
#define MESSAGE_ALIAS_NULL_FILE "/dev/null"

typedef enum {
    MESSAGE_ALIAS_ADDRESS, /* @text is a canonical address, maybe bare */
    MESSAGE_ALIAS_FINAL,   /* the same, after a backslash: it is not looked up as an alias again */
    MESSAGE_ALIAS_NOWHERE, /* @text is MESSAGE_ALIAS_NULL_FILE: the mail is thrown away */
    MESSAGE_ALIAS_INCLUDE  /* @text is the path of a file of targets */
} MessageAliasKind;

typedef struct {
    MessageAliasKind kind;
    gchar *text;
    guint line; /* where it stands */
} MessageAliasTarget;

typedef struct {
    gchar *name;        /* in lower case, without quotes; "*" is the default */
    guint line;         /* where it stands */
    GPtrArray *targets; /* of MessageAliasTarget; may be empty */
} MessageAlias;

/* Something to tell whoever wrote the file. */
typedef struct {
    guint line;
    gboolean is_fault; /* it cannot be understood; else it is understood, and not obeyed */
    gchar *text;
} MessageAliasRemark;

/* An array to give as @remarks. */
GPtrArray *message_alias_remarks_new (void);

/* Takes @text over. */
void message_alias_remark (GPtrArray *remarks, guint line, gboolean is_fault, gchar *text);

/**
 * message_alias_parse:
 * @text: an alias file; any bytes
 * @length: bytes at @text
 * @remarks: (element-type MessageAliasRemark): gets one for each thing that is wrong or not done
 *
 * Lines "name: target, target", a line that starts with a blank continues the one before, a line whose first
 * character is "#" is a comment wherever it stands. A name or a target may stand in double quotes. Targets that are
 * commands ("|command"), files ("/file"; not "/dev/null", which throws mail away) or orders of other mail systems (":fail:") are left out, with a remark.
 *
 * Returns: (transfer full) (element-type MessageAlias): what could be understood, in the file's order
 */
GPtrArray *message_alias_parse (const gchar *text, gsize length, GPtrArray *remarks);

/**
 * message_alias_parse_included:
 *
 * Reads a file that ":include:" names: targets, separated by commas and line ends, with comments as above.
 *
 * Returns: (transfer full) (element-type MessageAliasTarget)
 */
GPtrArray *message_alias_parse_included (const gchar *text, gsize length, GPtrArray *remarks);
