/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * What the fuzzers share.
 */

/* What libFuzzer calls with each input, and replay.c with each file. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* What libFuzzer calls first. From then on a message of GLib's that something is wrong with the program ends it. */
int LLVMFuzzerInitialize (int *argc, char ***argv);

/* An input that is taken apart from its beginning; beyond its end are zeroes. */
typedef struct {
    const guint8 *data;
    gsize left;
} FuzzInput;

guint8 fuzz_byte (FuzzInput *input);

/* A printable digit or letter as a number from 0 on, so that a seed can be written by hand. */
guint fuzz_digit (FuzzInput *input);

/* The bytes up to @separator, or all that are left; the input goes on behind it. */
FuzzInput fuzz_until (FuzzInput *input, gchar separator);

/* Returns: (transfer full): a copy of exactly what is left, so that whoever reads past it is noticed */
gchar *fuzz_copy (const FuzzInput *input);

/* Returns: (transfer full): a text of what is left, up to a NUL byte */
gchar *fuzz_text (const FuzzInput *input);

/* Makes @data the content of a file in memory, one for all inputs, which can be opened under @path. Returns: a descriptor */
int fuzz_file (gconstpointer data, gsize length, const gchar **path);

/* Ends the program with both texts if they differ. */
void fuzz_assert_same (const gchar *a, gsize a_length, const gchar *b, gsize b_length);
