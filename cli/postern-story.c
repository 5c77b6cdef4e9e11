/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The story of a message
 *
 * The relay's sentences in the journal are made for people, so they are what is told, each with its time. What a reader
 * looks for is how it ended; this is counted from the events, and said last: who has it, who will not get it, and who
 * waits. A journal forgets its oldest entries, so the beginning may be missing, and then that is said.
 */

#include "postern-story.h"

#include <string.h>

#include "postern-style.h"
#include "postern-text.h"

typedef struct {
    const gchar *id; /* MESSAGE_ID of the journal, as in daemon/log-entry.c */
    const gchar *word;
    Style style;
} Event;

typedef enum {
    QUEUED,
    DELIVERED,
    DEFERRED,
    BOUNCED,
    EXPIRED,
    HELD,
    RELEASED,
    REDIRECTED,
    DELETED,
    REMARKED,
    OTHER
} EventKind;

static const Event events[] = {
    [QUEUED] = {"09b177d01fd8434681db143b4851c9f0", "queued", STYLE_PLAIN},
    [DELIVERED] = {"0a09ebc661dc476cb2d43b0857f926d1", "delivered", STYLE_GOOD},
    [DEFERRED] = {"0dd8841e478a476a96098332001a8918", "deferred", STYLE_WAITING},
    [BOUNCED] = {"0ecbc2a486304db688d52d082b271197", "bounced", STYLE_BAD},
    [EXPIRED] = {"1b019b2f8612470fb57283275980939a", "expired", STYLE_BAD},
    [HELD] = {"24b1af6434544061bc47a1d3160bc62d", "held", STYLE_BAD},
    [RELEASED] = {"3bfe7e9fa8ca48a4a9997dcbb400fdab", "released", STYLE_PLAIN},
    [REDIRECTED] = {"c9b1a5d0f3f84b1e9f2c6d7a80e14b95", "redirected", STYLE_PLAIN},
    [DELETED] = {"3ce9f660115045bdad671aec7ff70fc9", "deleted", STYLE_BAD},
    [REMARKED] = {"d5c1f6b2a8e94c0f9d37b1e06a42c85e", "remark", STYLE_WAITING},
};

/* To how many recipients each kind of event happened in a story, and the recipients that its beginning tells of. */
typedef struct {
    guint64 counts[OTHER + 1];
    guint64 recipients; /* 0: not known */
    EventKind last;
} Tally;

/* Returns: (nullable): the first field of this name */
static const gchar *
get_field (GVariant *fields, const gchar *name)
{
    GVariantIter iter;
    const gchar *key, *value;

    g_variant_iter_init (&iter, fields);
    while (g_variant_iter_next (&iter, "(&s&s)", &key, &value)) {
        if (g_str_equal (key, name))
            return value;
    }
    return NULL;
}

static EventKind
kind_of (GVariant *fields)
{
    const gchar *id = get_field (fields, "MESSAGE_ID");

    for (guint i = 0; id != NULL && i < G_N_ELEMENTS (events); i++)
        if (g_str_equal (events[i].id, id))
            return (EventKind) i;
    return OTHER;
}

static void
count_event (Tally *tally, GVariant *fields)
{
    const gchar *recipients = get_field (fields, "POSTERN_RECIPIENTS");
    guint64 n = recipients != NULL ? g_ascii_strtoull (recipients, NULL, 10) : 0;
    EventKind kind = kind_of (fields);

    tally->last = kind;
    tally->counts[kind] += kind == QUEUED ? 1 : MAX (n, 1);
    if (kind == QUEUED)
        tally->recipients = n;
}

/* ---- For people ---- */

/* The sentence without the queue id in front, which the heading has. */
static gchar *
tell_event (const gchar *id, GVariant *fields)
{
    const gchar *sentence = get_field (fields, "MESSAGE");
    gsize length = strlen (id);

    if (sentence != NULL && g_str_has_prefix (sentence, id) && g_str_has_prefix (sentence + length, ": "))
        sentence += length + 2;
    return text_escape (sentence);
}

/* Those whom the sentence only counts: what became of each stands in a line of its own. */
static void
print_others (GVariant *fields)
{
    GVariantIter iter;
    const gchar *key, *value;
    gboolean is_first = TRUE;

    g_variant_iter_init (&iter, fields);
    while (g_variant_iter_next (&iter, "(&s&s)", &key, &value)) {
        g_autofree gchar *address = NULL;

        if (!g_str_equal (key, "POSTERN_RECIPIENT"))
            continue;
        address = text_escape (value);
        if (!is_first)
            g_print ("      likewise <%s>\n", address);
        is_first = FALSE;
    }
}

static void
print_event (const gchar *id, guint64 usec, GVariant *fields, gint64 now_usec)
{
    g_autofree gchar *time = text_time ((gint64) usec, now_usec);
    g_autofree gchar *sentence = tell_event (id, fields);
    EventKind kind = kind_of (fields);

    g_print ("  %s  %s%s%s\n", time, style_begin (kind == OTHER ? STYLE_PLAIN : events[kind].style), sentence,
             style_end ());
    if (kind != QUEUED)
        print_others (fields);
}

static void
print_count (GString *text, guint64 count, const gchar *words)
{
    if (count > 0)
        g_string_append_printf (text, "%s%" G_GUINT64_FORMAT " %s", text->len > 0 ? ", " : "", count, words);
}

/* A recipient that is done with has one of three events; one that is not has none of them. */
static void
print_end (const Tally *tally)
{
    guint64 done = tally->counts[DELIVERED] + tally->counts[BOUNCED] + tally->counts[EXPIRED];
    g_autoptr (GString) text = g_string_new (NULL);

    print_count (text, tally->counts[DELIVERED], "delivered");
    print_count (text, tally->counts[BOUNCED], "bounced");
    print_count (text, tally->counts[EXPIRED], "given up");
    if (tally->counts[DELETED] > 0)
        g_string_append (text, text->len > 0 ? ", the rest deleted" : "deleted");
    else if (tally->recipients > done)
        print_count (text, tally->recipients - done, tally->last == HELD ? "held" : "not delivered yet");
    if (text->len > 0)
        g_print ("  %sRecipients: %s%s\n", style_begin (STYLE_HEADING), text->str, style_end ());
    if (tally->counts[QUEUED] == 0)
        g_print ("  The journal has forgotten how it began.\n");
}

void
story_print (const gchar *id, GVariant *story)
{
    g_autofree gchar *escaped = text_escape (id);
    gint64 now_usec = g_get_real_time ();
    Tally tally = {.last = OTHER};
    GVariantIter iter;
    guint64 usec;
    GVariant *fields;

    g_print ("%s%s%s\n", style_begin (STYLE_HEADING), escaped, style_end ());
    g_variant_iter_init (&iter, story);
    while (g_variant_iter_loop (&iter, "(t@a(ss))", &usec, &fields)) {
        count_event (&tally, fields);
        print_event (id, usec, fields, now_usec);
    }
    print_end (&tally);
}

/* ---- For programs ---- */

static void
add_recipients (JsonBuilder *builder, GVariant *fields)
{
    GVariantIter iter;
    const gchar *key, *value;

    json_builder_set_member_name (builder, "recipients");
    json_builder_begin_array (builder);
    g_variant_iter_init (&iter, fields);
    while (g_variant_iter_next (&iter, "(&s&s)", &key, &value)) {
        if (g_str_equal (key, "POSTERN_RECIPIENT"))
            json_builder_add_string_value (builder, value);
    }
    json_builder_end_array (builder);
}

static void
add_number (JsonBuilder *builder, const gchar *name, GVariant *fields, const gchar *field)
{
    const gchar *text = get_field (fields, field);

    if (text != NULL)
        json_add_number (builder, name, g_ascii_strtoull (text, NULL, 10));
}

static void
add_text (JsonBuilder *builder, const gchar *name, GVariant *fields, const gchar *field)
{
    const gchar *text = get_field (fields, field);

    if (text != NULL) {
        json_builder_set_member_name (builder, name); /* "" is an address, the null one */
        json_builder_add_string_value (builder, text);
    }
}

static void
add_event (JsonBuilder *builder, guint64 usec, GVariant *fields)
{
    EventKind kind = kind_of (fields);

    json_builder_begin_object (builder);
    json_add_time (builder, "time", usec);
    json_add_text (builder, "event", kind == OTHER ? "" : events[kind].word);
    add_text (builder, "text", fields, "MESSAGE");
    add_text (builder, "sender", fields, "POSTERN_SENDER");
    add_recipients (builder, fields);
    add_number (builder, "recipients-count", fields, "POSTERN_RECIPIENTS");
    add_text (builder, "message-id", fields, "POSTERN_MESSAGE_ID");
    add_text (builder, "remote", fields, "POSTERN_REMOTE");
    add_text (builder, "status", fields, "POSTERN_STATUS");
    add_text (builder, "reply", fields, "POSTERN_REPLY");
    add_text (builder, "decided-by", fields, "POSTERN_DECIDED_BY");
    add_text (builder, "peer", fields, "POSTERN_PEER");
    add_number (builder, "user", fields, "POSTERN_SUBMITTER_UID");
    add_number (builder, "size", fields, "POSTERN_SIZE");
    add_number (builder, "delay-usec", fields, "POSTERN_DELAY_USEC");
    json_builder_end_object (builder);
}

void
story_add_json (JsonBuilder *builder, const gchar *id, GVariant *story)
{
    GVariantIter iter;
    guint64 usec;
    GVariant *fields;

    json_builder_begin_object (builder);
    json_add_text (builder, "id", id);
    json_builder_set_member_name (builder, "events");
    json_builder_begin_array (builder);
    g_variant_iter_init (&iter, story);
    while (g_variant_iter_loop (&iter, "(t@a(ss))", &usec, &fields))
        add_event (builder, usec, fields);
    json_builder_end_array (builder);
    json_builder_end_object (builder);
}
