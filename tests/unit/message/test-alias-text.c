/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Alias files as people write them: each entry shown as "name: target target", include as <path>, final as \target. */

#include <string.h>

#include "message/alias-text.h"

static void
show_targets (GString *out, const GPtrArray *targets)
{
    for (guint i = 0; i < targets->len; i++) {
        const MessageAliasTarget *target = g_ptr_array_index (targets, i);
        const gchar *form = target->kind == MESSAGE_ALIAS_INCLUDE ? " <%s>"
                            : target->kind == MESSAGE_ALIAS_FINAL ? " \\%s"
                                                                  : " %s";
        gchar **parts = g_strsplit (form, "%s", 2);

        g_string_append_printf (out, "%s%s%s", parts[0], target->text, parts[1]);
        g_strfreev (parts);
    }
}

static void
show_remarks (GString *out, const GPtrArray *remarks)
{
    for (guint i = 0; i < remarks->len; i++) {
        const MessageAliasRemark *remark = g_ptr_array_index (remarks, i);

        g_string_append_printf (out, "%s%u\n", remark->is_fault ? "fault " : "note ", remark->line);
    }
}

/* @expected: a line for each alias, then one "fault LINE" or "note LINE" for each remark */
static void
expect_bytes (const gchar *text, gsize length, const gchar *expected)
{
    g_autoptr (GPtrArray) remarks = message_alias_remarks_new ();
    g_autoptr (GPtrArray) aliases = message_alias_parse (text, length, remarks);
    g_autoptr (GString) shown = g_string_new (NULL);

    for (guint i = 0; i < aliases->len; i++) {
        const MessageAlias *alias = g_ptr_array_index (aliases, i);

        g_string_append_printf (shown, "%s:", alias->name);
        show_targets (shown, alias->targets);
        g_string_append_c (shown, '\n');
    }
    show_remarks (shown, remarks);
    g_assert_cmpstr (shown->str, ==, expected);
}

static void
expect (const gchar *text, const gchar *expected)
{
    expect_bytes (text, strlen (text), expected);
}

static void
names_lead_to_targets (void)
{
    expect ("root: jane\n", "root: jane\n");
    expect ("Root:\tjane@Example.ORG, pi ,,<x@y.example>\nwebmaster:root", "root: jane@example.org pi x@y.example\n"
                                                                           "webmaster: root\n");
    expect ("*: all@example.org\r\n", "*: all@example.org\n");
    expect ("", "");
    expect_bytes (NULL, 0, "");
}

static void
lines_continue_and_comments_stand_between (void)
{
    expect ("# who reads it\nroot: a@x.example,\n\tb@x.example,\n# no longer: c\n\n  d@x.example\npi: root\n",
            "root: a@x.example b@x.example d@x.example\npi: root\n");
    expect ("root:\n  jane\n", "root: jane\n");
    expect ("  # an indented comment\nroot: jane\n", "root: jane\n");
}

static void
names_and_targets_may_be_quoted (void)
{
    expect ("\"Two Words: x\": \"jane doe\"@x.example, \"pi\"\n", "two words: x: \"jane doe\"@x.example pi\n");
    expect ("root: \"Doe, Jane\" <jane@x.example>, (the, other) pi (one)\n", "root: jane@x.example pi\n");
}

static void
a_backslash_ends_the_search (void)
{
    expect ("root: \\root, jane@x.example\n", "root: \\root jane@x.example\n");
}

static void
files_are_included (void)
{
    expect ("all: :include:/etc/all, \":include: /with blank\"\n", "all: </etc/all> </with blank>\n");
    expect ("all: :include:relative\n", "all:\nfault 1\n");
}

static void
commands_and_files_are_left_out (void)
{
    expect ("a: |/bin/x\nb: \"|/bin/x -a, b\", pi\nc: /var/x\nd: |\"/bin/y z\"\ne: :fail: gone\nf: :blackhole:\n",
            "a:\nb: pi\nc:\nd:\ne:\nf:\nnote 1\nnote 2\nnote 3\nnote 4\nnote 5\nnote 6\n");
}

static void
a_file_that_takes_everything_is_a_target (void)
{
    expect ("a: /dev/null\nb: \"/dev/null\", pi\nc: /dev/null/x\nd: /dev/full\n",
            "a: /dev/null\nb: /dev/null pi\nc:\nd:\nnote 3\nnote 4\n");
}

static void
what_makes_no_sense_is_a_fault_of_its_line (void)
{
    expect ("root jane\npi: root\n", "pi: root\nfault 1\n");
    expect (" jane\nroot: pi\n", "root: pi\nfault 1\n");
    expect (": jane\n", "fault 1\n");
    expect ("two words: jane\n", "fault 1\n");
    expect ("jane@x.example: pi\n", "fault 1\n");
    expect ("\n\nroot: a@b@c, pi\n", "root: pi\nfault 3\n");
    expect ("root: jane doe\n", "root:\nfault 1\n");
    expect ("\"open: jane\n", "fault 1\n");
}

static void
bytes_that_are_no_text_are_a_fault (void)
{
    expect ("root: j\xfcrgen\n", "fault 1\n");
    expect_bytes ("root: a\0b\n", 10, "fault 1\n");
    expect ("root: jürgen@x.example\n", "root: jürgen@x.example\n");
}

static void
a_long_list_is_read_in_linear_time (void)
{
    g_autoptr (GString) text = g_string_new ("all: ");
    g_autoptr (GPtrArray) remarks = message_alias_remarks_new ();
    g_autoptr (GPtrArray) aliases = NULL;
    const MessageAlias *alias;

    for (guint i = 0; i < 50000; i++)
        g_string_append_printf (text, "user%u@x.example,\n ", i);
    aliases = message_alias_parse (text->str, text->len, remarks);
    g_assert_cmpuint (remarks->len, ==, 0);
    alias = g_ptr_array_index (aliases, 0);
    g_assert_cmpuint (alias->targets->len, ==, 50000);
}

static void
included_files_hold_targets (void)
{
    static const gchar text[] = "# all\na@x.example, b@x.example\r\n\n  pi\n:include:/more\n|/bin/x\n";
    g_autoptr (GPtrArray) remarks = message_alias_remarks_new ();
    g_autoptr (GPtrArray) targets = message_alias_parse_included (text, strlen (text), remarks);
    g_autoptr (GString) shown = g_string_new (NULL);

    show_targets (shown, targets);
    show_remarks (shown, remarks);
    g_assert_cmpstr (shown->str, ==, " a@x.example b@x.example pi </more>note 6\n");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

#define TEST(name, function) g_test_add_func ("/message/alias-text/" name, function)
    TEST ("names-lead-to-targets", names_lead_to_targets);
    TEST ("lines-continue-and-comments-stand-between", lines_continue_and_comments_stand_between);
    TEST ("names-and-targets-may-be-quoted", names_and_targets_may_be_quoted);
    TEST ("a-backslash-ends-the-search", a_backslash_ends_the_search);
    TEST ("files-are-included", files_are_included);
    TEST ("commands-and-files-are-left-out", commands_and_files_are_left_out);
    TEST ("a-file-that-takes-everything-is-a-target", a_file_that_takes_everything_is_a_target);
    TEST ("what-makes-no-sense-is-a-fault-of-its-line", what_makes_no_sense_is_a_fault_of_its_line);
    TEST ("bytes-that-are-no-text-are-a-fault", bytes_that_are_no_text_are_a_fault);
    TEST ("a-long-list-is-read-in-linear-time", a_long_list_is_read_in_linear_time);
    TEST ("included-files-hold-targets", included_files_hold_targets);
#undef TEST

    return g_test_run ();
}
