/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The parameters of MAIL and RCPT
 *
 * Each parameter of each extension that the server announces is one entry of a table and one function: SIZE (RFC 1870),
 * BODY (RFC 6152), SMTPUTF8 (RFC 6531), and RET, ENVID, NOTIFY, ORCPT (RFC 3461). A parameter that is in no table is
 * refused with 555 (RFC 5321 4.1.1.11): a client that asks for something has to know that it does not get it.
 *
 * What is taken goes into the envelope and, days later, into the header of a notification and into another server's
 * command line; so what would not be safe there is refused here.
 */

#include "smtp/parameters.h"
#include "smtp/xtext.h"

#include <string.h>

/* RFC 3461 4.2 */
#define ORCPT_LONGEST_BYTES 500

/* RFC 1870 3 */
#define SIZE_DIGITS_MOST 20

typedef struct {
    const gchar *text; /* NULL: the parameter has no value */
    gsize length;
} Value;

typedef struct {
    MessageEnvelope *envelope;
    guint64 *declared_bytes;
} MailTarget;

typedef struct {
    gboolean smtputf8;
    MessageRecipient *recipient;
} RecipientTarget;

typedef struct {
    const gchar *keyword;
    gboolean (*read) (const Value *value, gpointer target);
    const gchar *usage;
} Parameter;

static gboolean
value_is (const Value *value, const gchar *word)
{
    return value->text != NULL && value->length == strlen (word) &&
           g_ascii_strncasecmp (value->text, word, value->length) == 0;
}

static gboolean
read_size (const Value *value, gpointer target)
{
    guint64 *declared_bytes = ((MailTarget *) target)->declared_bytes;

    if (value->text == NULL || value->length == 0 || value->length > SIZE_DIGITS_MOST)
        return FALSE;

    for (gsize i = 0; i < value->length; i++) {
        if (!g_ascii_isdigit (value->text[i]))
            return FALSE;
        if (!g_uint64_checked_mul (declared_bytes, *declared_bytes, 10) ||
            !g_uint64_checked_add (declared_bytes, *declared_bytes, (guint64) g_ascii_digit_value (value->text[i])))
            *declared_bytes = G_MAXUINT64;
    }

    return TRUE;
}

static gboolean
read_body (const Value *value, gpointer target)
{
    MessageEnvelope *envelope = ((MailTarget *) target)->envelope;

    if (!value_is (value, "7BIT") && !value_is (value, "8BITMIME"))
        return FALSE;
    envelope->body = value_is (value, "7BIT") ? MESSAGE_BODY_7BIT : MESSAGE_BODY_8BITMIME;

    return TRUE;
}

static gboolean
read_smtputf8 (const Value *value, gpointer target)
{
    if (value->text != NULL)
        return FALSE;
    ((MailTarget *) target)->envelope->smtputf8 = TRUE;

    return TRUE;
}

static gboolean
read_ret (const Value *value, gpointer target)
{
    MessageEnvelope *envelope = ((MailTarget *) target)->envelope;

    if (!value_is (value, "FULL") && !value_is (value, "HDRS"))
        return FALSE;
    envelope->ret = value_is (value, "FULL") ? MESSAGE_RETURN_FULL : MESSAGE_RETURN_HEADERS;

    return TRUE;
}

static gboolean
read_envid (const Value *value, gpointer target)
{
    MessageEnvelope *envelope = ((MailTarget *) target)->envelope;

    if (value->text == NULL || value->length == 0 || value->length > MESSAGE_ENVELOPE_ID_LONGEST_BYTES)
        return FALSE;
    envelope->envid = smtp_xtext_decode (value->text, value->length, FALSE);

    return envelope->envid != NULL;
}

/* Takes the next word of a list with commas off @value. */
static Value
take_word (Value *list)
{
    const gchar *comma = memchr (list->text, ',', list->length);
    Value word = {list->text, comma != NULL ? (gsize) (comma - list->text) : list->length};
    gsize taken = word.length + (comma != NULL ? 1 : 0);

    list->text = comma != NULL ? list->text + taken : NULL;
    list->length -= taken;

    return word;
}

static MessageNotify
read_notify_word (const Value *word)
{
    if (value_is (word, "NEVER"))
        return MESSAGE_NOTIFY_NEVER;
    if (value_is (word, "SUCCESS"))
        return MESSAGE_NOTIFY_SUCCESS;
    if (value_is (word, "FAILURE"))
        return MESSAGE_NOTIFY_FAILURE;
    if (value_is (word, "DELAY"))
        return MESSAGE_NOTIFY_DELAY;

    return 0;
}

static gboolean
read_notify (const Value *value, gpointer target)
{
    MessageRecipient *recipient = ((RecipientTarget *) target)->recipient;
    Value list = *value;
    MessageNotify notify = 0;

    while (list.text != NULL) {
        Value word = take_word (&list);
        MessageNotify one = read_notify_word (&word);

        if (one == 0)
            return FALSE;
        notify |= one;
    }
    if ((notify & MESSAGE_NOTIFY_NEVER) != 0 && notify != MESSAGE_NOTIFY_NEVER)
        return FALSE;
    recipient->notify = notify;

    return notify != 0;
}

/* "rfc822", "utf-8", "x400": an atom of RFC 5322, which RFC 3461 4.2 asks for. */
static gboolean
is_address_type (const gchar *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_' && text[i] != '.')
            return FALSE;

    return length > 0;
}

static gboolean
read_orcpt (const Value *value, gpointer target)
{
    RecipientTarget *recipient = target;
    const gchar *semicolon = value->text != NULL ? memchr (value->text, ';', value->length) : NULL;
    g_autofree gchar *address = NULL;
    gsize type_length;
    gboolean utf8;

    if (semicolon == NULL || value->length > ORCPT_LONGEST_BYTES)
        return FALSE;

    type_length = (gsize) (semicolon - value->text);
    utf8 = recipient->smtputf8 && type_length == strlen ("utf-8") &&
           g_ascii_strncasecmp (value->text, "utf-8", type_length) == 0;
    address = smtp_xtext_decode (semicolon + 1, value->length - type_length - 1, utf8);
    if (!is_address_type (value->text, type_length) || address == NULL || *address == '\0')
        return FALSE;
    recipient->recipient->orcpt = g_strdup_printf ("%.*s;%s", (gint) type_length, value->text, address);

    return TRUE;
}

static const Parameter mail_parameters[] = {
    {"SIZE", read_size, "SIZE= wants the message's size in bytes"},
    {"BODY", read_body, "BODY= is 7BIT or 8BITMIME"},
    {"SMTPUTF8", read_smtputf8, "SMTPUTF8 has no value"},
    {"RET", read_ret, "RET= is FULL or HDRS"},
    {"ENVID", read_envid, "ENVID= wants up to 100 bytes of xtext that stand for printable ASCII"},
};

static const Parameter recipient_parameters[] = {
    {"NOTIFY", read_notify, "NOTIFY= is NEVER, or a list of SUCCESS, FAILURE and DELAY"},
    {"ORCPT", read_orcpt, "ORCPT= wants an address type, \";\" and an address as xtext, up to 500 bytes"},
};

/* Takes the next parameter and the spaces before it off *@text; its end is where the next space is. */
static gsize
take_parameter (const gchar **text, gsize *length)
{
    const gchar *space;
    gsize taken;

    while (*length > 0 && **text == ' ') {
        (*text)++;
        (*length)--;
    }
    space = *length > 0 ? memchr (*text, ' ', *length) : NULL;
    taken = space != NULL ? (gsize) (space - *text) : *length;
    *text += taken;
    *length -= taken;

    return taken;
}

/* esmtp-keyword of RFC 5321 4.1.2 */
static gboolean
is_keyword (const gchar *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_isalnum (text[i]) && !(i > 0 && text[i] == '-'))
            return FALSE;

    return length > 0;
}

/* esmtp-value of RFC 5321 4.1.2, with the UTF-8 of RFC 6531 3.3, which each parameter allows or not */
static gboolean
is_value (const Value *value)
{
    for (gsize i = 0; i < value->length; i++)
        if ((guchar) value->text[i] <= ' ' || value->text[i] == '=' || value->text[i] == 0x7f)
            return FALSE;

    return value->text == NULL || value->length > 0;
}

static gint
find_parameter (const Parameter *table, guint n_table, const gchar *keyword, gsize length)
{
    for (guint i = 0; i < n_table; i++)
        if (strlen (table[i].keyword) == length && g_ascii_strncasecmp (table[i].keyword, keyword, length) == 0)
            return (gint) i;

    return -1;
}

/* @seen has a bit for each parameter of @table that was there before. */
static SmtpReply *
read_parameter (const Parameter *table, guint n_table, const gchar *text, gsize length, guint *seen, gpointer target)
{
    const gchar *equals = memchr (text, '=', length);
    gsize keyword = equals != NULL ? (gsize) (equals - text) : length;
    Value value = {equals != NULL ? equals + 1 : NULL, equals != NULL ? length - keyword - 1 : 0};
    gint found;

    if (!is_keyword (text, keyword) || !is_value (&value))
        return smtp_reply_new (501, "5.5.4", "A parameter is written KEYWORD or KEYWORD=value");

    found = find_parameter (table, n_table, text, keyword);
    if (found < 0)
        return smtp_reply_new (555, "5.5.4", "The parameter %.*s is not known here", (gint) keyword, text);
    if ((*seen & 1u << found) != 0)
        return smtp_reply_new (501, "5.5.4", "The parameter %s is there twice", table[found].keyword);
    *seen |= 1u << found;

    return table[found].read (&value, target) ? NULL : smtp_reply_new (501, "5.5.4", "%s", table[found].usage);
}

static SmtpReply *
read_all (const Parameter *table, guint n_table, const gchar *text, gsize length, gpointer target)
{
    guint seen = 0;
    gsize taken;

    if (length > 0 && *text != ' ')
        return smtp_reply_new (501, "5.5.4", "A space stands between the path and its parameters");

    while ((taken = take_parameter (&text, &length)) > 0) {
        SmtpReply *refusal = read_parameter (table, n_table, text - taken, taken, &seen, target);

        if (refusal != NULL)
            return refusal;
    }

    return NULL;
}

SmtpReply *
smtp_parameters_read_mail (const gchar *text, gsize length, MessageEnvelope *envelope, guint64 *declared_bytes)
{
    MailTarget target = {envelope, declared_bytes};

    *declared_bytes = 0;

    return read_all (mail_parameters, G_N_ELEMENTS (mail_parameters), text, length, &target);
}

SmtpReply *
smtp_parameters_read_recipient (const gchar *text, gsize length, gboolean smtputf8, MessageRecipient *recipient)
{
    RecipientTarget target = {smtputf8, recipient};

    return read_all (recipient_parameters, G_N_ELEMENTS (recipient_parameters), text, length, &target);
}
