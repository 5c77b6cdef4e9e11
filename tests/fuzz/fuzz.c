/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the fuzzers share
 *
 * A fuzzer that goes on after a report has found nothing: so the first report of a sanitizer ends it, by these defaults and
 * by how it is built, whatever the environment says of it; and so does what GLib calls critical. What the daemon merely has to
 * say of bad input is left unsaid.
 */

#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *__asan_default_options (void);
const char *__ubsan_default_options (void);

const char *
__asan_default_options (void)
{
    return "halt_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1";
}

const char *
__ubsan_default_options (void)
{
    return "halt_on_error=1:print_stacktrace=1";
}

static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if ((level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR)) == 0)
        return G_LOG_WRITER_HANDLED;

    g_log_writer_standard_streams (level, fields, n_fields, NULL);
    g_abort ();
}

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
    g_log_set_writer_func (write_log, NULL, NULL);
    return 0;
}

guint8
fuzz_byte (FuzzInput *input)
{
    if (input->left == 0)
        return 0;

    input->left--;
    return *input->data++;
}

guint
fuzz_digit (FuzzInput *input)
{
    guint8 byte = fuzz_byte (input);

    return g_ascii_isdigit (byte) ? byte - (guint) '0' : byte;
}

FuzzInput
fuzz_until (FuzzInput *input, gchar separator)
{
    const guint8 *end = input->left > 0 ? memchr (input->data, separator, input->left) : NULL;
    FuzzInput piece = {input->data, end != NULL ? (gsize) (end - input->data) : input->left};
    gsize taken = piece.left + (end != NULL ? 1 : 0);

    if (taken > 0)
        input->data += taken;
    input->left -= taken;
    return piece;
}

gchar *
fuzz_copy (const FuzzInput *input)
{
    return g_memdup2 (input->data, input->left);
}

gchar *
fuzz_text (const FuzzInput *input)
{
    return g_strndup (input->left > 0 ? (const gchar *) input->data : "", input->left);
}

int
fuzz_file (gconstpointer data, gsize length, const gchar **path)
{
    static int fd = -1;
    static gchar own_path[64];

    if (fd < 0) {
        fd = memfd_create ("fuzz", MFD_CLOEXEC);
        g_assert_cmpint (fd, >=, 0);
        g_snprintf (own_path, sizeof own_path, "/proc/self/fd/%d", fd);
    }

    g_assert_cmpint (ftruncate (fd, 0), ==, 0);
    for (gsize at = 0; at < length;) {
        gssize n = pwrite (fd, (const guint8 *) data + at, length - at, (off_t) at);

        g_assert_cmpint (n, >, 0);
        at += (gsize) n;
    }

    if (path != NULL)
        *path = own_path;
    return fd;
}

void
fuzz_assert_same (const gchar *a, gsize a_length, const gchar *b, gsize b_length)
{
    if (a_length == b_length && (a_length == 0 || memcmp (a, b, a_length) == 0))
        return;

    fputs ("these should be the same:\n", stderr);
    fwrite (a, 1, a_length, stderr);
    fputs ("\n-- and --\n", stderr);
    fwrite (b, 1, b_length, stderr);
    fputc ('\n', stderr);
    g_abort ();
}
