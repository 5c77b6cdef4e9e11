/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Address lists of a header
 *
 * To complete the bare "root" in "From: root (Cron Daemon)" without touching a byte of anything else, a list has to
 * be read as its author's program meant it: with comments that nest, quoted strings that hold commas, display names,
 * groups, folded lines, routes that nobody uses any more. So the text is cut into tokens that know where they stand,
 * the tokens into entries at the commas, and of each entry the address is picked out by the shape of its tokens.
 *
 * Headers are written by everything, so nothing here refuses: an entry that has not the shape of an address is
 * reported as such, with its place, and whoever needs an address there can quote it. A quote or comment that is
 * not closed takes the rest of the text with it, for it cannot be known where it should have ended.
 *
 * Time and memory are linear in the text, comments nest by counting.
 */

#include <string.h>

#include "message/address-list.h"
#include "message/address.h"
#include "message/encoded-word.h"
#include "message/error.h"

/* Of one entry; more are no trouble. */
#define TOKENS_USUAL 16

typedef enum {
    TOKEN_END,
    TOKEN_WORD,    /* an atom or a quoted string */
    TOKEN_LITERAL, /* "[" to "]" */
    TOKEN_DOT,
    TOKEN_AT,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_SEMICOLON,
    TOKEN_OPEN,  /* "<" */
    TOKEN_CLOSE, /* ">" */
    TOKEN_BROKEN /* not closed, or out of place */
} TokenKind;

typedef struct {
    TokenKind kind;
    gsize start;
    gsize end;
} Token;

typedef struct {
    const gchar *text;
    gsize at;
} Tokenizer;

static gboolean
is_white (gchar c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Whatever is not special belongs to an atom: bytes that no standard allows there are judged with the address. */
static gboolean
is_atom (gchar c)
{
    return g_ascii_isalnum (c) || (c != '\0' && !is_white (c) && strchr ("()<>[]:;@\\,.\"", c) == NULL);
}

/* Moves past a backslash and what it quotes, or past one byte. */
static void
skip_one (Tokenizer *tokenizer)
{
    if (tokenizer->text[tokenizer->at] == '\\' && tokenizer->text[tokenizer->at + 1] != '\0')
        tokenizer->at++;
    tokenizer->at++;
}

/* From an opening byte to @closing; returns whether it came. */
static gboolean
skip_to (Tokenizer *tokenizer, gchar closing)
{
    tokenizer->at++;
    while (tokenizer->text[tokenizer->at] != '\0') {
        if (tokenizer->text[tokenizer->at] == closing) {
            tokenizer->at++;
            return TRUE;
        }
        skip_one (tokenizer);
    }

    return FALSE;
}

static gboolean
skip_comment (Tokenizer *tokenizer)
{
    guint depth = 0;

    while (tokenizer->text[tokenizer->at] != '\0') {
        gchar c = tokenizer->text[tokenizer->at];

        skip_one (tokenizer);
        if (c == '(')
            depth++;
        if (c == ')' && --depth == 0)
            return TRUE;
    }

    return FALSE;
}

/* CFWS; returns %FALSE if a comment is not closed. */
static gboolean
skip_white_and_comments (Tokenizer *tokenizer)
{
    for (;;) {
        while (is_white (tokenizer->text[tokenizer->at]))
            tokenizer->at++;
        if (tokenizer->text[tokenizer->at] != '(')
            return TRUE;
        if (!skip_comment (tokenizer))
            return FALSE;
    }
}

static TokenKind
special_kind (gchar c)
{
    switch (c) {
    case '.':
        return TOKEN_DOT;
    case '@':
        return TOKEN_AT;
    case ',':
        return TOKEN_COMMA;
    case ':':
        return TOKEN_COLON;
    case ';':
        return TOKEN_SEMICOLON;
    case '<':
        return TOKEN_OPEN;
    case '>':
        return TOKEN_CLOSE;
    default:
        return TOKEN_BROKEN;
    }
}

static TokenKind
scan_token (Tokenizer *tokenizer)
{
    gchar c = tokenizer->text[tokenizer->at];

    if (c == '\0')
        return TOKEN_END;
    if (c == '"')
        return skip_to (tokenizer, '"') ? TOKEN_WORD : TOKEN_BROKEN;
    if (c == '[')
        return skip_to (tokenizer, ']') ? TOKEN_LITERAL : TOKEN_BROKEN;
    if (!is_atom (c)) {
        tokenizer->at++;
        return special_kind (c);
    }

    while (is_atom (tokenizer->text[tokenizer->at]))
        tokenizer->at++;
    return TOKEN_WORD;
}

static Token
next_token (Tokenizer *tokenizer)
{
    Token token = {.start = tokenizer->at};

    if (!skip_white_and_comments (tokenizer)) {
        token.kind = TOKEN_BROKEN;
    } else {
        token.start = tokenizer->at;
        token.kind = scan_token (tokenizer);
    }
    token.end = tokenizer->at;

    return token;
}

/* Part of an entry's tokens: from @first on, @count of them. */
typedef struct {
    const Token *first;
    guint count;
} Tokens;

/* Takes the display name and the brackets off; %FALSE if the brackets are not in order. */
static gboolean
cut_brackets (Tokens *tokens)
{
    guint open = 0;

    while (open < tokens->count && tokens->first[open].kind != TOKEN_OPEN)
        open++;
    if (open == tokens->count)
        return TRUE;

    if (tokens->first[tokens->count - 1].kind != TOKEN_CLOSE)
        return FALSE;

    tokens->first += open + 1;
    tokens->count -= open + 2;
    return TRUE;
}

/* Takes "@one,@two:" off. */
static void
cut_route (Tokens *tokens)
{
    if (tokens->count == 0 || tokens->first[0].kind != TOKEN_AT)
        return;

    for (guint i = 0; i < tokens->count; i++)
        if (tokens->first[i].kind == TOKEN_COLON) {
            tokens->first += i + 1;
            tokens->count -= i + 1;
            return;
        }
}

/* Whether a token can stand behind @before in an address; TOKEN_END is before the first, @bare if no "@" was yet. */
static gboolean
may_follow (TokenKind before, TokenKind kind, gboolean bare)
{
    switch (kind) {
    case TOKEN_WORD:
        return before != TOKEN_WORD && before != TOKEN_LITERAL;
    case TOKEN_DOT:
        return TRUE;
    case TOKEN_AT:
        return bare && before != TOKEN_END;
    case TOKEN_LITERAL:
        return before == TOKEN_AT;
    default:
        return FALSE;
    }
}

/* Whether the tokens are words and dots, one "@" at most, and no two words side by side; sets @bare. */
static gboolean
has_shape_of_address (const Tokens *tokens, gboolean *bare)
{
    TokenKind before = TOKEN_END;

    *bare = TRUE;
    for (guint i = 0; i < tokens->count; i++) {
        TokenKind kind = tokens->first[i].kind;

        if (!may_follow (before, kind, *bare))
            return FALSE;

        *bare = *bare && kind != TOKEN_AT;
        before = kind;
    }

    return before != TOKEN_END && before != TOKEN_AT;
}

/* The tokens' text, without what is between them and without the folding inside a quoted string. */
static gchar *
join (const gchar *text, const Tokens *tokens)
{
    gsize longest = tokens->count > 0 ? tokens->first[tokens->count - 1].end - tokens->first[0].start : 0;
    GString *joined = g_string_sized_new (longest);

    for (guint i = 0; i < tokens->count; i++)
        for (gsize at = tokens->first[i].start; at < tokens->first[i].end; at++)
            if (text[at] != '\r' && text[at] != '\n')
                g_string_append_c (joined, text[at]);

    return g_string_free (joined, FALSE);
}

static void
add_entry (GArray *entries, const gchar *text, const GArray *tokens)
{
    Tokens part = {(const Token *) (gpointer) tokens->data, tokens->len};
    MessageListEntry entry = {0};

    if (tokens->len == 0)
        return;

    entry.start = part.first[0].start;
    entry.end = part.first[part.count - 1].end;

    if (cut_brackets (&part)) {
        cut_route (&part);
        if (has_shape_of_address (&part, &entry.bare)) {
            entry.address = join (text, &part);
            entry.address_start = part.first[0].start;
            entry.address_end = part.first[part.count - 1].end;
        }
    }

    /* A display name that lost its address; RFC 2047 5 lets no encoded word stand in an address. */
    if (entry.address != NULL && entry.bare && message_encoded_word_is_one (entry.address, strlen (entry.address)))
        g_clear_pointer (&entry.address, g_free);

    g_array_append_val (entries, entry);
}

static void
entry_clear (gpointer data)
{
    MessageListEntry *entry = data;

    g_free (entry->address);
}

GArray *
message_address_list_parse (const gchar *text)
{
    GArray *entries;
    g_autoptr (GArray) tokens = g_array_sized_new (FALSE, FALSE, sizeof (Token), TOKENS_USUAL);
    Tokenizer tokenizer = {text, 0};
    gboolean in_brackets = FALSE;

    g_return_val_if_fail (text != NULL, NULL);

    entries = g_array_new (FALSE, FALSE, sizeof (MessageListEntry));
    g_array_set_clear_func (entries, entry_clear);

    for (;;) {
        Token token = next_token (&tokenizer);

        if (token.kind == TOKEN_OPEN)
            in_brackets = TRUE;
        if (token.kind == TOKEN_CLOSE)
            in_brackets = FALSE;

        if (token.kind == TOKEN_END ||
            (!in_brackets && (token.kind == TOKEN_COMMA || token.kind == TOKEN_SEMICOLON))) {
            add_entry (entries, text, tokens);
            g_array_set_size (tokens, 0);
        } else if (!in_brackets && token.kind == TOKEN_COLON) {
            /* What came before is the name of a group. */
            g_array_set_size (tokens, 0);
        } else {
            g_array_append_val (tokens, token);
        }

        if (token.kind == TOKEN_END)
            return entries;
    }
}

/* Whether there are addresses, two at least, and nothing but blanks between them. */
static gboolean
lacks_commas (const gchar *text)
{
    g_auto (GStrv) words = g_strsplit_set (text, " \t\r\n", -1);
    guint addresses = 0;

    for (guint i = 0; words[i] != NULL; i++) {
        g_autofree gchar *address = NULL;

        if (*words[i] == '\0')
            continue;
        address = message_address_parse (words[i], MESSAGE_PATH_UTF8, NULL);
        if (address == NULL)
            return FALSE;
        addresses++;
    }

    return addresses > 1;
}

gchar *
message_address_list_explain (const gchar *text, const MessageListEntry *entry)
{
    g_autofree gchar *own = g_strndup (text + entry->start, entry->end - entry->start);
    g_autofree gchar *quoted = message_error_quote (own, strlen (own));
    g_autofree gchar *address = NULL;
    g_autoptr (GError) error = NULL;

    if (lacks_commas (own))
        return g_strdup_printf ("“%s” is not an address: a comma is missing between two", quoted);

    /* One word alone is judged as the envelope's addresses are. */
    if (strpbrk (own, " \t\r\n") == NULL)
        address = message_address_parse (own, MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, &error);
    if (error != NULL)
        return g_strdup (error->message);

    return g_strdup_printf ("“%s” is not an address", quoted);
}
