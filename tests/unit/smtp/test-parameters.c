/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the parameters of MAIL and RCPT mean, and which are refused.
 */

#include "smtp/parameters.h"

#include <string.h>

typedef struct {
    const gchar *path;
    const gchar *text;
    const gchar *expected; /* what was understood, or the reply's code */
} Case;

static gchar *
describe_mail (const gchar *text)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("a@x.org");
    g_autofree gchar *copy = g_memdup2 (text, strlen (text)); /* not terminated */
    guint64 declared_bytes = 77;
    g_autoptr (SmtpReply) refusal = smtp_parameters_read_mail (copy, strlen (text), envelope, &declared_bytes);

    if (refusal != NULL)
        return g_strdup_printf ("%u %s", refusal->code, refusal->status);

    return g_strdup_printf ("%" G_GUINT64_FORMAT " %s%s ret=%d envid=%s", declared_bytes,
                            envelope->body == MESSAGE_BODY_7BIT ? "7bit" : "8bit", envelope->smtputf8 ? " utf8" : "",
                            envelope->ret, envelope->envid != NULL ? envelope->envid : "-");
}

static gchar *
describe_recipient (const gchar *text, gboolean smtputf8)
{
    MessageRecipient recipient = {0};
    g_autofree gchar *copy = g_memdup2 (text, strlen (text));
    g_autoptr (SmtpReply) refusal = smtp_parameters_read_recipient (copy, strlen (text), smtputf8, &recipient);
    g_autofree gchar *orcpt = recipient.orcpt;

    if (refusal != NULL)
        return g_strdup_printf ("%u %s", refusal->code, refusal->status);

    return g_strdup_printf ("notify=%u orcpt=%s", recipient.notify, orcpt != NULL ? orcpt : "-");
}

static const Case mail_cases[] = {
    {"none", "", "0 7bit ret=0 envid=-"},
    {"only-spaces", "   ", "0 7bit ret=0 envid=-"},
    {"size", " SIZE=12345", "12345 7bit ret=0 envid=-"},
    {"size-0", " SIZE=0", "0 7bit ret=0 envid=-"},
    {"size-of-20-digits", " SIZE=18446744073709551614", "18446744073709551614 7bit ret=0 envid=-"},
    {"size-beyond-64-bits", " SIZE=18446744073709551616", "18446744073709551615 7bit ret=0 envid=-"},
    {"size-far-beyond-64-bits", " SIZE=99999999999999999990", "18446744073709551615 7bit ret=0 envid=-"},
    {"size-of-21-digits", " SIZE=000000000000000000001", "501 5.5.4"},
    {"size-negative", " SIZE=-1", "501 5.5.4"},
    {"body-7bit", " BODY=7BIT", "0 7bit ret=0 envid=-"},
    {"body-8bit", " body=8bitmime", "0 8bit ret=0 envid=-"},
    {"body-without-value", " BODY", "501 5.5.4"},
    {"body-of-another-kind", " BODY=8BIT", "501 5.5.4"},
    {"smtputf8", " SMTPUTF8", "0 7bit utf8 ret=0 envid=-"},
    {"smtputf8-with-value", " SMTPUTF8=yes", "501 5.5.4"},
    {"ret-full", " RET=FULL", "0 7bit ret=1 envid=-"},
    {"ret-headers", " ret=hdrs", "0 7bit ret=2 envid=-"},
    {"ret-of-another-kind", " RET=HDR", "501 5.5.4"},
    {"envid", " ENVID=a+2Bb", "0 7bit ret=0 envid=a+b"},
    {"envid-empty", " ENVID=", "501 5.5.4"},
    {"envid-with-a-line-end", " ENVID=a+0D+0ABcc:+20x", "501 5.5.4"},
    {"envid-that-is-no-xtext", " ENVID=a+b", "501 5.5.4"},
    {"all-in-any-order", " ENVID=x RET=FULL SMTPUTF8 BODY=8BITMIME SIZE=1", "1 8bit utf8 ret=1 envid=x"},
    {"twice", " SIZE=1 BODY=7BIT SIZE=1", "501 5.5.4"},
    {"unknown", " FOO=bar", "555 5.5.4"},
    {"unknown-without-value", " FOO", "555 5.5.4"},
    {"prefix-of-a-known-one", " SIZ=1", "555 5.5.4"},
    {"of-rcpt", " NOTIFY=NEVER", "555 5.5.4"},
    {"two-equals-signs", " SIZE=1=2", "501 5.5.4"},
    {"no-keyword", " =1", "501 5.5.4"},
    {"keyword-with-a-strange-character", " SI_ZE=1", "501 5.5.4"},
    {"control-character", " ENVID=a\tb", "501 5.5.4"},
    {"without-a-space", "SIZE=1", "501 5.5.4"},
};

static void
test_mail (gconstpointer data)
{
    const Case *c = data;
    g_autofree gchar *told = describe_mail (c->text);

    g_assert_cmpstr (told, ==, c->expected);
}

static const Case recipient_cases[] = {
    {"none", "", "notify=0 orcpt=-"},
    {"never", " NOTIFY=NEVER", "notify=1 orcpt=-"},
    {"success", " NOTIFY=SUCCESS", "notify=2 orcpt=-"},
    {"all", " NOTIFY=DELAY,failure,Success", "notify=14 orcpt=-"},
    {"never-and-another", " NOTIFY=NEVER,DELAY", "501 5.5.4"},
    {"another-and-never", " NOTIFY=DELAY,NEVER", "501 5.5.4"},
    {"notify-empty", " NOTIFY=", "501 5.5.4"},
    {"notify-without-value", " NOTIFY", "501 5.5.4"},
    {"notify-with-an-empty-word", " NOTIFY=DELAY,", "501 5.5.4"},
    {"notify-with-only-a-comma", " NOTIFY=,", "501 5.5.4"},
    {"notify-of-another-kind", " NOTIFY=ALWAYS", "501 5.5.4"},
    {"orcpt", " ORCPT=rfc822;Bob+2Bx@y.org", "notify=0 orcpt=rfc822;Bob+x@y.org"},
    {"orcpt-of-another-type", " ORCPT=X-y.2_z;whatever", "notify=0 orcpt=X-y.2_z;whatever"},
    {"orcpt-with-a-semicolon-in-the-address", " ORCPT=rfc822;a;b", "notify=0 orcpt=rfc822;a;b"},
    {"orcpt-without-a-type", " ORCPT=;b@y.org", "501 5.5.4"},
    {"orcpt-without-a-semicolon", " ORCPT=b@y.org", "501 5.5.4"},
    {"orcpt-without-an-address", " ORCPT=rfc822;", "501 5.5.4"},
    {"orcpt-without-value", " ORCPT", "501 5.5.4"},
    {"orcpt-with-a-strange-type", " ORCPT=rfc+822;b", "501 5.5.4"},
    {"orcpt-with-a-line-end", " ORCPT=rfc822;b+0A", "501 5.5.4"},
    {"orcpt-in-utf8-without-smtputf8", " ORCPT=utf-8;\xc3\xb6@y.org", "501 5.5.4"},
    {"of-mail", " BODY=7BIT", "555 5.5.4"},
    {"twice", " ORCPT=rfc822;b ORCPT=rfc822;b", "501 5.5.4"},
};

static void
test_recipient (gconstpointer data)
{
    const Case *c = data;
    g_autofree gchar *told = describe_recipient (c->text, FALSE);

    g_assert_cmpstr (told, ==, c->expected);
}

static const Case utf8_cases[] = {
    {"orcpt", " ORCPT=utf-8;\xc3\xb6@y.org", "notify=0 orcpt=utf-8;\xc3\xb6@y.org"},
    {"orcpt-of-an-ascii-type", " ORCPT=rfc822;\xc3\xb6@y.org", "501 5.5.4"},
    {"orcpt-that-is-not-utf8", " ORCPT=utf-8;\xf6@y.org", "501 5.5.4"},
    {"orcpt-embedded", " ORCPT=utf-8;\\x{F6}@y.org", "notify=0 orcpt=utf-8;\\x{F6}@y.org"},
};

static void
test_utf8 (gconstpointer data)
{
    const Case *c = data;
    g_autofree gchar *told = describe_recipient (c->text, TRUE);

    g_assert_cmpstr (told, ==, c->expected);
}

static void
add_cases (const gchar *folder, const Case *cases, gsize count, GTestDataFunc function)
{
    for (gsize i = 0; i < count; i++) {
        g_autofree gchar *path = g_strdup_printf ("/smtp/parameters/%s/%s", folder, cases[i].path);

        g_test_add_data_func (path, &cases[i], function);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    add_cases ("mail", mail_cases, G_N_ELEMENTS (mail_cases), test_mail);
    add_cases ("recipient", recipient_cases, G_N_ELEMENTS (recipient_cases), test_recipient);
    add_cases ("utf8", utf8_cases, G_N_ELEMENTS (utf8_cases), test_utf8);

    return g_test_run ();
}
