/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Looking through a message before it is converted
 *
 * How a part is encoded stands in front of it, and whether it must be encoded shows only in it, maybe in its last byte.
 * Declarations do not help: what says "7bit", or nothing, is what scripts write, and often is not. So the message, which
 * lies on a disk anyway, is read twice. The first time is here; what it leaves behind is a byte for each entity. The
 * price is paid only for mail that may have to be converted at all, and what it buys is that a part that needs nothing
 * stays as it is.
 *
 * Encoded is what has a byte beyond ASCII, where the server takes ASCII only, and what could not pass anywhere: a line
 * longer than 998 bytes (RFC 5322 2.1.1) or, when the message is worked on anyway, a NUL (RFC 2045 2.7). Servers with
 * CHUNKING are no exception: without BINARYMIME lines are lines (RFC 3030 3).
 *
 * Some messages cannot be converted without breaking what they are. They are not: the sender is told instead. A part
 * that is signed or encrypted must be 7-bit from the start, and must not be altered on the way (RFC 1847 2.1); an
 * address may need SMTPUTF8; parts that cannot be told apart cannot be labelled.
 *
 * A signature in the header (DKIM) is spared: what it covers stays as it is, lines too long and UTF-8 in a field
 * included, which most servers take, so that the signature is still good where it is looked at. But 8-bit content for a server
 * that takes none has to be converted; then the signature is lost anyway, and nothing is spared for it.
 */

#include <string.h>

#include "message/eight-bit.h"
#include "message/line-check.h"
#include "message/mime-survey.h"
#include "message/mime-walker.h"

/* What is known of an entity. */
typedef enum {
    FACT_8BIT = 1 << 0,           /* its body has bytes beyond ASCII */
    FACT_AWKWARD = 1 << 1,        /* it has a line that is too long, or a NUL, and can be given another form */
    FACT_UTF8 = 1 << 2,           /* it is UTF-8 */
    FACT_VERSION_8BIT = 1 << 3,   /* of a message: an entity in it is encoded if what is 8-bit is */
    FACT_VERSION_AWKWARD = 1 << 4 /* the same for what is awkward */
} Facts;

/* What there would be to convert. */
typedef enum {
    WORK_HEADER = 1 << 0,        /* in the message's header, signature or not */
    WORK_HEADER_SIGNED = 1 << 1, /* in that header, apart from what a signature covers */
    WORK_LONG = 1 << 2,          /* lines of headers that are too long */
    WORK_INNER = 1 << 3,         /* in headers of parts */
    WORK_8BIT = 1 << 4,          /* in bodies */
    WORK_AWKWARD = 1 << 5
} Work;

/* What is not as it should be, and stays. */
typedef enum {
    LEFT_UTF8_SIGNED = 1 << 0,
    LEFT_LONG_SIGNED = 1 << 1,
    LEFT_LONG_SEALED = 1 << 2,
    LEFT_LONG = 1 << 3,
    LEFT_SIGNATURE_BROKEN = 1 << 4
} Left;

struct _MessageSurvey {
    MessageMimeWalker *walker;
    MessageDemands demands;
    GByteArray *entities;        /* of Facts */
    MessageSignature *signature; /* (nullable) */
    Work work;
    Left left;
    gboolean has_address; /* one that needs SMTPUTF8 is in a header */
    gboolean has_8bit;    /* in what is no header */
    gboolean header_8bit; /* in a header, as far as it stays if a signature is spared */
    MessageConversion conversion;
    const gchar *reason; /* (nullable) */
    gboolean spares;     /* what the signature covers */
    gboolean needs_utf8;

    /* The entity under way. */
    MessageMimeKind kind;
    MessageMimeLabel label;
    MessageMimePlace place;
    MessageUtf8Check utf8;
    MessageLineCheck lines;
    gboolean is_8bit; /* its body */
    gboolean has_nul;
    gboolean around_8bit; /* what came between parts since */
    MessageLineCheck around;
};

static void
note (MessageSurvey *self, MessageConversion conversion, const gchar *reason)
{
    if (self->conversion >= conversion)
        return;

    self->conversion = conversion;
    self->reason = reason;
}

static void
add_facts (MessageSurvey *self, guint index, Facts facts)
{
    if (index < self->entities->len)
        self->entities->data[index] |= (guint8) facts;
}

/* ---- Headers ---- */

static MessageMimeHeaderForm
header_form (MessageDemands demands)
{
    if (demands & MESSAGE_DEMAND_ASCII)
        return MESSAGE_MIME_HEADER_ASCII;

    return demands & MESSAGE_DEMAND_NO_UTF8 ? MESSAGE_MIME_HEADER_NO_UTF8 : MESSAGE_MIME_HEADER_ANY;
}

/* Returns: whether there is anything to do */
static gboolean
try_header (MessageSurvey *self, const gchar *header, gsize length, const MessageSignature *signature,
            MessageMimeLeft *left)
{
    const MessageMimeChange change = {.form = header_form (self->demands), .signature = signature};
    g_autoptr (GString) out = g_string_sized_new (2 * length);

    *left = message_mime_entity_write (header, length, &change, out);
    self->header_8bit = self->header_8bit || message_has_8bit (out->str, out->len);
    return out->len != length || memcmp (out->str, header, length) != 0;
}

static void
look_at_inner_header (MessageSurvey *self, const gchar *header, gsize length)
{
    gboolean is_signed_8bit = self->signature != NULL && message_has_8bit (header, length);
    MessageMimeLeft left;

    if (try_header (self, header, length, NULL, &left)) {
        self->work |= WORK_INNER;
        self->left |= is_signed_8bit ? LEFT_UTF8_SIGNED : 0;
    }
    self->has_address = self->has_address || (left & MESSAGE_MIME_LEFT_ADDRESS);
    self->header_8bit = self->header_8bit || is_signed_8bit;
    self->left |= left & MESSAGE_MIME_LEFT_LONG ? LEFT_LONG : 0;
}

static void
look_at_first_header (MessageSurvey *self, const gchar *header, gsize length)
{
    MessageMimeLeft left;

    self->signature = message_signature_read (header, length);
    if (try_header (self, header, length, NULL, &left))
        self->work |= WORK_HEADER;
    self->has_address = (left & MESSAGE_MIME_LEFT_ADDRESS) != 0;
    self->left |= left & MESSAGE_MIME_LEFT_LONG ? LEFT_LONG : 0;
    if (self->signature == NULL)
        return;

    if (try_header (self, header, length, self->signature, &left))
        self->work |= WORK_HEADER_SIGNED;
    self->left |= left & MESSAGE_MIME_LEFT_SIGNED ? LEFT_UTF8_SIGNED : 0;
    self->left |= left & MESSAGE_MIME_LEFT_LONG_SIGNED ? LEFT_LONG_SIGNED : 0;
}

static void
look_at_header (MessageSurvey *self, const gchar *header, gsize length)
{
    MessageLineCheck lines = {0};

    message_line_check_feed (&lines, header, length);
    self->work |= message_line_check_end (&lines) ? WORK_LONG : 0;

    /* A signature is in the first one only. */
    if (self->place.index == 0)
        look_at_first_header (self, header, length);
    else if (message_has_8bit (header, length) || message_line_check_end (&lines))
        look_at_inner_header (self, header, length);
}

static void
on_header (const MessageMimeEntity *entity, const MessageMimePlace *place, const gchar *header, gsize length,
           gpointer user_data)
{
    MessageSurvey *self = user_data;

    self->kind = entity->kind;
    self->label = entity->label;
    self->place = *place;
    self->utf8 = (MessageUtf8Check){0};
    self->lines = (MessageLineCheck){0};
    self->is_8bit = FALSE;
    self->has_nul = FALSE;
    self->around_8bit = FALSE;
    if (self->entities->len < MESSAGE_SURVEY_ENTITIES_MOST)
        g_byte_array_append (self->entities, (const guint8[]){0}, 1);

    look_at_header (self, header, length);
}

/* ---- Bodies ---- */

static void
on_body (const gchar *data, gsize length, gpointer user_data)
{
    MessageSurvey *self = user_data;

    self->is_8bit = self->is_8bit || message_has_8bit (data, length);
    self->has_nul = self->has_nul || memchr (data, '\0', length) != NULL;
    message_utf8_check_feed (&self->utf8, data, length);
    message_line_check_feed (&self->lines, data, length);
}

static void
judge_8bit (MessageSurvey *self)
{
    if (!(self->demands & MESSAGE_DEMAND_ASCII))
        return;

    if (self->kind == MESSAGE_MIME_SEALED)
        note (self, MESSAGE_CONVERSION_PROHIBITED, "it is signed or encrypted, which a conversion would break");
    else if (self->kind == MESSAGE_MIME_UNREADABLE)
        note (self, MESSAGE_CONVERSION_IMPOSSIBLE, "its parts cannot be told apart");
    else if (self->label == MESSAGE_MIME_LABEL_PRIVATE)
        note (self, MESSAGE_CONVERSION_IMPOSSIBLE, "it has an encoding that is not of MIME");
}

static gboolean
has_no_parts (const MessageSurvey *self)
{
    return self->kind == MESSAGE_MIME_TEXT || self->kind == MESSAGE_MIME_DATA;
}

/* Whether the body can be given an encoding: what has parts cannot, and what has one already keeps it. */
static gboolean
is_encodable (const MessageSurvey *self)
{
    return has_no_parts (self) && (self->label == MESSAGE_MIME_LABEL_7BIT || self->label == MESSAGE_MIME_LABEL_8BIT);
}

/* A body that has an encoding can have other lines in it. */
static gboolean
is_breakable (const MessageSurvey *self)
{
    return has_no_parts (self) && self->label != MESSAGE_MIME_LABEL_PRIVATE;
}

static void
on_end (G_GNUC_UNUSED gboolean delimited, gpointer user_data)
{
    MessageSurvey *self = user_data;
    gboolean is_long = message_line_check_end (&self->lines);
    gboolean is_awkward = (is_long && is_breakable (self)) || (self->has_nul && is_encodable (self));

    if (self->is_8bit) {
        judge_8bit (self);
        self->has_8bit = TRUE;
        self->work |= WORK_8BIT;
    }
    if (is_long && !is_breakable (self))
        self->left |= self->kind == MESSAGE_MIME_SEALED ? LEFT_LONG_SEALED : LEFT_LONG;
    if (is_awkward)
        self->work |= WORK_AWKWARD;
    if (!self->is_8bit && !is_awkward)
        return;

    add_facts (self, self->place.index, (self->is_8bit ? FACT_8BIT : 0) | (is_awkward ? FACT_AWKWARD : 0));
    if (message_utf8_check_end (&self->utf8))
        add_facts (self, self->place.index, FACT_UTF8);
    if (is_encodable (self))
        add_facts (self, self->place.message,
                   (self->is_8bit ? FACT_VERSION_8BIT : 0) | (is_awkward ? FACT_VERSION_AWKWARD : 0));
}

static void
on_between (const gchar *data, gsize length, gpointer user_data)
{
    MessageSurvey *self = user_data;

    message_line_check_feed (&self->around, data, length);
    if (!message_has_8bit (data, length))
        return;

    self->around_8bit = TRUE;
    self->has_8bit = TRUE;
    self->work |= WORK_8BIT;
}

/* What looks like a preamble is all there is of the multipart. */
static void
on_undelimited (gpointer user_data)
{
    MessageSurvey *self = user_data;

    if (self->around_8bit && (self->demands & MESSAGE_DEMAND_ASCII))
        note (self, MESSAGE_CONVERSION_IMPOSSIBLE, "its parts cannot be told apart");
}

static const MessageMimeHandlers handlers = {
    .header = on_header, .body = on_body, .end = on_end, .between = on_between, .undelimited = on_undelimited};

MessageSurvey *
message_survey_new (MessageDemands demands)
{
    MessageSurvey *self = g_new0 (MessageSurvey, 1);

    self->walker = message_mime_walker_new (&handlers, self);
    self->demands = demands;
    self->entities = g_byte_array_new ();
    self->conversion = MESSAGE_CONVERSION_NEEDLESS;

    return self;
}

void
message_survey_free (MessageSurvey *self)
{
    if (self == NULL)
        return;

    message_mime_walker_free (self->walker);
    g_clear_pointer (&self->signature, message_signature_free);
    g_byte_array_unref (self->entities);
    g_free (self);
}

void
message_survey_feed (MessageSurvey *self, const gchar *data, gsize length)
{
    message_mime_walker_feed (self->walker, data, length);
}

/* ---- The verdict ---- */

/* SMTPUTF8 takes all of a header as it is, and the rest too (RFC 6531 3.1 asks for 8BITMIME with it). */
static void
decide_on_utf8 (MessageSurvey *self)
{
    gboolean would_keep = self->signature != NULL && (self->left & LEFT_UTF8_SIGNED) &&
                          !((self->demands & MESSAGE_DEMAND_ASCII) && (self->work & WORK_8BIT));

    if (!(self->demands & MESSAGE_DEMAND_NO_UTF8) || !(self->has_address || would_keep))
        return;

    if (self->demands & MESSAGE_DEMAND_MAY_BE_UTF8) {
        self->needs_utf8 = TRUE;
        self->header_8bit = TRUE;
        self->demands = 0;
        self->conversion = MESSAGE_CONVERSION_NEEDLESS;
        self->reason = NULL;
        self->work &= WORK_LONG | WORK_AWKWARD;
        self->left &= ~LEFT_UTF8_SIGNED;
    } else if (self->has_address) {
        note (self, MESSAGE_CONVERSION_FOREIGN, "it has an address beyond ASCII in its header");
    }
}

/* What the signature has to do with it. */
static void
decide_on_signature (MessageSurvey *self)
{
    gboolean breaks = (self->demands & MESSAGE_DEMAND_ASCII) && (self->work & WORK_8BIT);

    if (self->signature == NULL)
        return;

    self->spares = !breaks;
    if (breaks) {
        self->left &= ~(LEFT_UTF8_SIGNED | LEFT_LONG_SIGNED);
        self->left |= LEFT_SIGNATURE_BROKEN;
        self->header_8bit = FALSE;
        return;
    }

    if (self->work & WORK_AWKWARD)
        self->left |= LEFT_LONG_SIGNED;
    self->work &= WORK_HEADER_SIGNED | WORK_8BIT | WORK_LONG;
}

MessageConversion
message_survey_end (MessageSurvey *self, const gchar **reason)
{
    message_mime_walker_end (self->walker);
    if (message_line_check_end (&self->around))
        self->left |= LEFT_LONG;

    decide_on_utf8 (self);
    decide_on_signature (self);
    if (!(self->demands & MESSAGE_DEMAND_ASCII))
        self->work &= ~(guint) WORK_8BIT;
    if (self->work != 0)
        note (self, MESSAGE_CONVERSION_POSSIBLE, NULL);

    if (reason != NULL)
        *reason = self->reason;
    return self->conversion;
}

/* ---- What was found out ---- */

gboolean
message_survey_needs_utf8 (const MessageSurvey *self)
{
    return self->needs_utf8;
}

gboolean
message_survey_stays_8bit (const MessageSurvey *self)
{
    return (self->has_8bit && !(self->demands & MESSAGE_DEMAND_ASCII)) || self->header_8bit;
}

gboolean
message_survey_wants_ascii (const MessageSurvey *self)
{
    return (self->demands & MESSAGE_DEMAND_ASCII) != 0;
}

gchar *
message_survey_remark (const MessageSurvey *self)
{
    static const struct {
        Left left;
        const gchar *words;
    } remarks[] = {
        {LEFT_UTF8_SIGNED,
         "UTF-8 in its header goes to a server that does not offer SMTPUTF8, because a DKIM signature "
         "covers it"},
        {LEFT_LONG_SIGNED, "lines of more than 998 bytes go as they are, because a DKIM signature covers them"},
        {LEFT_LONG_SEALED, "lines of more than 998 bytes go as they are, because they are signed or encrypted"},
        {LEFT_LONG, "lines of more than 998 bytes go as they are, because there is no place to break them"},
        {LEFT_SIGNATURE_BROKEN,
         "its DKIM signature does not hold any more, because the server takes no 8-bit content "
         "and it was converted"},
    };
    GString *remark = g_string_new (NULL);

    for (guint i = 0; i < G_N_ELEMENTS (remarks); i++)
        if (self->left & remarks[i].left)
            g_string_append_printf (remark, "%s%s", remark->len > 0 ? "; " : "", remarks[i].words);

    return g_string_free (remark, remark->len == 0);
}

MessageSurveyFlags
message_survey_entity (const MessageSurvey *self, guint index)
{
    gboolean encodes_8bit = message_survey_wants_ascii (self);
    gboolean encodes_awkward = !self->spares;
    MessageSurveyFlags flags = 0;
    Facts facts = FACT_8BIT | FACT_AWKWARD | FACT_VERSION_8BIT | FACT_VERSION_AWKWARD;

    if (index < MESSAGE_SURVEY_ENTITIES_MOST)
        facts = index < self->entities->len ? self->entities->data[index] : 0;

    if ((encodes_8bit && (facts & FACT_8BIT)) || (encodes_awkward && (facts & FACT_AWKWARD)))
        flags |= MESSAGE_SURVEY_ENCODE;
    if ((encodes_8bit && (facts & FACT_VERSION_8BIT)) || (encodes_awkward && (facts & FACT_VERSION_AWKWARD)))
        flags |= MESSAGE_SURVEY_VERSION;
    if (facts & FACT_UTF8)
        flags |= MESSAGE_SURVEY_UTF8;

    return flags;
}

gboolean
message_survey_header (const MessageSurvey *self, guint index, MessageMimeChange *change)
{
    change->form = header_form (self->demands);
    change->signature = self->spares ? self->signature : NULL;

    /* Headers of parts are in the message's body, which a signature covers. */
    return index == 0 || !self->spares;
}
