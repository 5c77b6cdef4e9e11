/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "log-event.h"

/* What an entry of the log is put together with; for log-event.c and log-message.c alone. */

/* A message to thousands names the first of them when it is queued, and each one when something became of it. */
#define LOG_RECIPIENTS_SHOWN_MOST QUEUE_EVENT_ALIKE_MOST

#define LOG_ENTRY_FIELDS_MOST  (LOG_RECIPIENTS_SHOWN_MOST + 20)
#define LOG_ENTRY_NUMBERS_MOST 8
#define LOG_NUMBER_TEXT_BYTES  24

/* An entry on its way to the log; lives on the stack, and points to what the caller has. */
typedef struct {
    GLogField fields[LOG_ENTRY_FIELDS_MOST];
    gsize n_fields;
    gchar numbers[LOG_ENTRY_NUMBERS_MOST][LOG_NUMBER_TEXT_BYTES];
    guint n_numbers;
    const gchar *priority;
} LogEntry;

void log_entry_begin (LogEntry *entry, LogEvent event, const gchar *sentence);

/* @value: (nullable): then there is no such field */
void log_entry_add (LogEntry *entry, const gchar *key, const gchar *value);
void log_entry_add_number (LogEntry *entry, const gchar *key, guint64 number);
void log_entry_send (const LogEntry *entry);

/* Writes the number at the end of @text, and returns where it starts. */
const gchar *log_number_write (gchar text[LOG_NUMBER_TEXT_BYTES], guint64 number);
