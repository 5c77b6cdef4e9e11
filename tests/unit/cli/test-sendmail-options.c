/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Every way in which programs are known to call sendmail is understood, and nothing that matters is ignored.
 */

#include <string.h>

#include "cli/sendmail-error.h"
#include "cli/sendmail-options.h"

static SendmailOptions *
parse_words (const gchar *words, GError **error)
{
    g_auto (GStrv) argv = g_strsplit (words, " ", -1);

    return sendmail_options_parse ((gint) g_strv_length (argv), argv, error);
}

static SendmailOptions *
parse (const gchar *words)
{
    g_autoptr (GError) error = NULL;
    SendmailOptions *options = parse_words (words, &error);

    g_assert_no_error (error);
    g_assert_nonnull (options);
    return options;
}

static void
expect_usage_error (const gchar *words)
{
    g_autoptr (GError) error = NULL;

    g_assert_null (parse_words (words, &error));
    g_assert_error (error, SENDMAIL_ERROR, EX_USAGE);
}

static void
expect_recipients (const gchar *words, const gchar *expected)
{
    g_autoptr (SendmailOptions) options = parse (words);
    g_autofree gchar *joined = NULL;

    g_ptr_array_add (options->recipients, NULL);
    joined = g_strjoinv (" ", (gchar **) options->recipients->pdata);
    g_assert_cmpstr (joined, ==, expected);
}

static void
dot_option_has_three_names (void)
{
    static const gchar *const calls[] = {"sendmail -i x",    "sendmail -oi x",     "sendmail -o i x",
                                         "sendmail -ti",     "sendmail -it",       "sendmail -t -oi",
                                         "sendmail -tivn x", "sendmail -bm -oi -x"};

    for (guint i = 0; i < G_N_ELEMENTS (calls); i++) {
        g_autoptr (SendmailOptions) options = parse (calls[i]);

        g_assert_true (options->dot_is_content);
        g_assert_cmpint (options->mode, ==, SENDMAIL_MODE_SUBMIT);
    }
}

static void
value_is_attached_or_apart (void)
{
    static const gchar *const calls[] = {"sendmail -f user@x -F Name -V id -N never -R hdrs -B 8BITMIME a@b",
                                         "sendmail -fuser@x -FName -Vid -Nnever -Rhdrs -B8BITMIME a@b",
                                         "sendmail -r user@x a@b -FName -V id -tNNEVER -RHDRS -B 8bitmime",
                                         "sendmail -f other -fuser@x -FOther -FName -Vx -Vid -Nnever -Rhdrs "
                                         "-B8BITMIME a@b"};

    for (guint i = 0; i < G_N_ELEMENTS (calls); i++) {
        g_autoptr (SendmailOptions) options = parse (calls[i]);

        g_assert_cmpstr (options->sender, ==, "user@x");
        g_assert_cmpstr (options->full_name, ==, "Name");
        g_assert_cmpstr (options->envid, ==, "id");
        g_assert_cmpint (options->notify, ==, MESSAGE_NOTIFY_NEVER);
        g_assert_cmpint (options->ret, ==, MESSAGE_RETURN_HEADERS);
        g_assert_true (options->body_8bit);
        g_assert_cmpuint (options->recipients->len, ==, 1);
    }
}

static void
value_may_be_empty_or_look_like_an_option (void)
{
    gchar *empty[] = {(gchar *) "sendmail", (gchar *) "-f", (gchar *) "", (gchar *) "a@b", NULL};
    gchar *dash[] = {(gchar *) "sendmail", (gchar *) "-F", (gchar *) "-t", (gchar *) "a@b", NULL};
    g_autoptr (SendmailOptions) with_empty = sendmail_options_parse (4, empty, NULL);
    g_autoptr (SendmailOptions) with_dash = sendmail_options_parse (4, dash, NULL);

    g_assert_cmpstr (with_empty->sender, ==, "");
    g_assert_cmpstr (with_dash->full_name, ==, "-t");
    g_assert_false (with_dash->recipients_from_header);
}

static void
harmless_options_are_accepted (void)
{
    expect_recipients ("sendmail -oem -oee -oep -oew -odb -odi -odq -oQ/x -om -o Q /y a@b", "/y a@b");
    expect_recipients ("sendmail -em -e p -G -n -U -m -s -x -c -E a@b", "a@b");
    expect_recipients ("sendmail -Am -Ac -A c -L tag -Ltag -X /tmp/x -p smtp:h -C /etc/x -D /x a@b", "a@b");
    expect_recipients ("sendmail -d -d0.1 -d8 -Q -Qreason -O DeliveryMode=b -OTimeout=1 -h 5 -h0 -M Ax a@b", "a@b");
    expect_recipients ("sendmail -B 7BIT -R full -N success,failure,delay a@b", "a@b");
}

static void
recipients_are_what_is_no_option (void)
{
    expect_recipients ("sendmail a@b c@d", "a@b c@d");
    expect_recipients ("sendmail a@b -i c@d -f x e@f", "a@b c@d e@f");
    expect_recipients ("sendmail -i -- -t a@b --", "-t a@b --");
    expect_recipients ("sendmail -", "-");
    expect_recipients ("sendmail", "");
}

static void
mode_is_the_last_one_named (void)
{
    static const struct {
        const gchar *words;
        SendmailMode mode;
    } cases[] = {{"sendmail x", SENDMAIL_MODE_SUBMIT},      {"sendmail -bm x", SENDMAIL_MODE_SUBMIT},
                 {"sendmail -b m x", SENDMAIL_MODE_SUBMIT}, {"sendmail -ba -bq x", SENDMAIL_MODE_SUBMIT},
                 {"sendmail -bs", SENDMAIL_MODE_SMTP},      {"sendmail -bp", SENDMAIL_MODE_LIST},
                 {"sendmail -v -bp", SENDMAIL_MODE_LIST},   {"/usr/bin/mailq", SENDMAIL_MODE_LIST},
                 {"mailq -v", SENDMAIL_MODE_LIST},          {"sendmail -bi", SENDMAIL_MODE_ALIASES},
                 {"sendmail -I", SENDMAIL_MODE_ALIASES},    {"newaliases", SENDMAIL_MODE_ALIASES},
                 {"sendmail -q", SENDMAIL_MODE_RETRY},      {"sendmail -q30m", SENDMAIL_MODE_RETRY},
                 {"sendmail -qf", SENDMAIL_MODE_RETRY},     {"sendmail -qRdomain", SENDMAIL_MODE_RETRY},
                 {"mailq -q", SENDMAIL_MODE_RETRY},         {"/usr/lib/sendmail x", SENDMAIL_MODE_SUBMIT}};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (SendmailOptions) options = parse (cases[i].words);

        g_assert_cmpint (options->mode, ==, cases[i].mode);
    }
}

static void
what_of_the_queue_is_tried (void)
{
    static const struct {
        const gchar *words;
        const gchar *selection;
    } cases[] = {{"sendmail -q", NULL},
                 {"sendmail -q30m", NULL},
                 {"sendmail -qf", NULL},
                 {"sendmail -q!Rx", NULL},
                 {"sendmail -qIabc", "abc"},
                 {"sendmail -qRexample.org", "--domain=example.org"},
                 {"sendmail -qI", NULL},
                 {"sendmail -qR@example.org", "--domain=example.org"},
                 {"mailq -qSa@b", "--sender=a@b"},
                 {"sendmail -qRa@example.org", "--recipient=a@example.org"}};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (SendmailOptions) options = parse (cases[i].words);

        g_assert_cmpint (options->mode, ==, SENDMAIL_MODE_RETRY);
        g_assert_cmpstr (options->selection, ==, cases[i].selection);
    }
}

static void
another_alias_file_can_be_checked (void)
{
    g_autoptr (SendmailOptions) plain = parse ("sendmail -bi -oA/x/aliases");
    g_autoptr (SendmailOptions) typed = parse ("newaliases -oAhash:/x/aliases");

    g_assert_cmpstr (plain->alias_file, ==, "/x/aliases");
    g_assert_cmpstr (typed->alias_file, ==, "/x/aliases");
    expect_recipients ("sendmail -oAhash:/x a@b", "a@b");
}

static void
values_of_exims_options_are_no_recipients (void)
{
    expect_recipients ("sendmail -oMr spam-scanned -oMs host -oX 25 -oP /run/x a@b", "a@b");
    expect_recipients ("sendmail -oMrUUCP -oMx -odi a@b", "a@b");
    expect_recipients ("sendmail -oMr", "");
}

static void
refused_modes_say_what_to_do (void)
{
    static const gchar *const cases[][2] = {
        {"-bd", "systemctl enable"}, {"-bl", "systemctl"},      {"-bv", "postern list"}, {"-bt", "postern check"},
        {"-bh", "postern remotes"},  {"-bP", "postern status"}, {"-bS", "-bs"},          {"-bx", "only -bm"}};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *words = g_strdup_printf ("sendmail %s x", cases[i][0]);
        g_auto (GStrv) argv = g_strsplit (words, " ", -1);
        g_autoptr (GError) error = NULL;

        g_assert_null (sendmail_options_parse ((gint) g_strv_length (argv), argv, &error));
        if (!g_str_has_prefix (error->message, cases[i][0]) || strstr (error->message, cases[i][1]) == NULL)
            g_error ("“%s” is missing in: %s", cases[i][1], error->message);
    }
}

static void
absent_modes_are_refused (void)
{
    expect_usage_error ("sendmail -bd");
    expect_usage_error ("sendmail -bD");
    expect_usage_error ("sendmail -bv user");
    expect_usage_error ("sendmail -bt");
    expect_usage_error ("sendmail -bh");
    expect_usage_error ("sendmail -b");
}

static void
unknown_options_are_refused (void)
{
    expect_usage_error ("sendmail -z x");
    expect_usage_error ("sendmail -iz x");
    expect_usage_error ("sendmail --helpful");
    expect_usage_error ("sendmail --to x");
    expect_usage_error ("sendmail -\xc3\xbc x");
}

static void
long_options_are_the_two_that_people_try (void)
{
    g_autoptr (SendmailOptions) help = parse ("sendmail -t --help x");
    g_autoptr (SendmailOptions) version = parse ("mailq --version");
    g_autoptr (SendmailOptions) recipient = parse ("sendmail -- --help");

    g_assert_cmpint (help->mode, ==, SENDMAIL_MODE_HELP);
    g_assert_cmpint (version->mode, ==, SENDMAIL_MODE_VERSION);
    g_assert_cmpint (recipient->mode, ==, SENDMAIL_MODE_SUBMIT);
    g_assert_cmpuint (recipient->recipients->len, ==, 1);
}

static void
missing_values_are_refused (void)
{
    expect_usage_error ("sendmail x -f");
    expect_usage_error ("sendmail x -if");
    expect_usage_error ("sendmail x -o");
}

static void
senseless_values_are_refused (void)
{
    expect_usage_error ("sendmail -N never,success x");
    expect_usage_error ("sendmail -N sometimes x");
    expect_usage_error ("sendmail -N success,,delay x");
    expect_usage_error ("sendmail -R some x");
    expect_usage_error ("sendmail -B 9BIT x");
    expect_usage_error ("sendmail -h many x");
    expect_usage_error ("sendmail -h -1 x");
    expect_usage_error ("sendmail -V a+b x");
    expect_usage_error ("sendmail -V a=b x");
    expect_usage_error ("sendmail -V jürgen x");
}

static void
envelope_id_is_xtext (void)
{
    g_autofree gchar *longest = g_strnfill (100, 'x');
    g_autofree gchar *fits = g_strconcat ("sendmail -V ", longest, NULL);
    g_autofree gchar *too_long = g_strconcat (fits, "x", NULL);
    g_autoptr (SendmailOptions) encoded = parse ("sendmail -V a+2Bb+3D");
    g_autoptr (SendmailOptions) full = parse (fits);

    g_assert_cmpstr (encoded->envid, ==, "a+2Bb+3D");
    g_assert_cmpstr (full->envid, ==, longest);
    expect_usage_error (too_long);
}

static void
only_quiet_silences_errors (void)
{
    static const struct {
        const gchar *words;
        gboolean quiet;
    } cases[] = {{"sendmail -oeq x", TRUE},  {"sendmail -o eq x", TRUE},      {"sendmail -eq x", TRUE},
                 {"sendmail -oem x", FALSE}, {"sendmail -oeq -oep x", FALSE}, {"sendmail x", FALSE}};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (SendmailOptions) options = parse (cases[i].words);

        g_assert_cmpint (options->quiet, ==, cases[i].quiet);
    }
}

static void
no_arguments_at_all_are_survived (void)
{
    g_autoptr (SendmailOptions) options = sendmail_options_parse (0, NULL, NULL);

    g_assert_cmpint (options->mode, ==, SENDMAIL_MODE_SUBMIT);
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/cli/sendmail-options/dot-option-has-three-names", dot_option_has_three_names);
    g_test_add_func ("/cli/sendmail-options/value-is-attached-or-apart", value_is_attached_or_apart);
    g_test_add_func ("/cli/sendmail-options/value-may-be-empty-or-look-like-an-option",
                     value_may_be_empty_or_look_like_an_option);
    g_test_add_func ("/cli/sendmail-options/harmless-options-are-accepted", harmless_options_are_accepted);
    g_test_add_func ("/cli/sendmail-options/recipients-are-what-is-no-option", recipients_are_what_is_no_option);
    g_test_add_func ("/cli/sendmail-options/mode-is-the-last-one-named", mode_is_the_last_one_named);
    g_test_add_func ("/cli/sendmail-options/absent-modes-are-refused", absent_modes_are_refused);
    g_test_add_func ("/cli/sendmail-options/refused-modes-say-what-to-do", refused_modes_say_what_to_do);
    g_test_add_func ("/cli/sendmail-options/what-of-the-queue-is-tried", what_of_the_queue_is_tried);
    g_test_add_func ("/cli/sendmail-options/another-alias-file-can-be-checked", another_alias_file_can_be_checked);
    g_test_add_func ("/cli/sendmail-options/values-of-exims-options-are-no-recipients",
                     values_of_exims_options_are_no_recipients);
    g_test_add_func ("/cli/sendmail-options/unknown-options-are-refused", unknown_options_are_refused);
    g_test_add_func ("/cli/sendmail-options/missing-values-are-refused", missing_values_are_refused);
    g_test_add_func ("/cli/sendmail-options/long-options-are-the-two-that-people-try",
                     long_options_are_the_two_that_people_try);
    g_test_add_func ("/cli/sendmail-options/senseless-values-are-refused", senseless_values_are_refused);
    g_test_add_func ("/cli/sendmail-options/envelope-id-is-xtext", envelope_id_is_xtext);
    g_test_add_func ("/cli/sendmail-options/only-quiet-silences-errors", only_quiet_silences_errors);
    g_test_add_func ("/cli/sendmail-options/no-arguments-at-all-are-survived", no_arguments_at_all_are_survived);

    return g_test_run ();
}
