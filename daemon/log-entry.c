/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Entries of the log
 *
 * An entry is a sentence that needs no manual, the fields of DESIGN.md section 5 for programs, and a MESSAGE_ID= by which
 * units/postern.catalog explains it to a newcomer. Here is which id and which priority each kind of event has; the sentences are
 * made in log-message.c and log-event.c.
 *
 * Entries for mail that goes its way are informational; what delays or ends a message is a notice; what an administrator has to
 * do something about is a warning or an error. A busy relay logs two events a message, so they are put together on the
 * stack, without allocations but the sentence's.
 */

#include "log-entry.h"

#include "log.h"

#include <syslog.h>

G_STATIC_ASSERT (LOG_ENTRY_FIELDS_MOST <= LOG_FIELDS_MOST);

typedef struct {
    const gchar *id;
    const gchar *priority; /* of syslog(3) */
} Kind;

#define PRIORITY_(level) #level
#define PRIORITY(level)  PRIORITY_ (level)

static const Kind kinds[LOG_N_EVENTS] = {
    [LOG_EVENT_QUEUED] = {"09b177d01fd8434681db143b4851c9f0", PRIORITY (LOG_INFO)},
    [LOG_EVENT_DELIVERED] = {"0a09ebc661dc476cb2d43b0857f926d1", PRIORITY (LOG_INFO)},
    [LOG_EVENT_DEFERRED] = {"0dd8841e478a476a96098332001a8918", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_BOUNCED] = {"0ecbc2a486304db688d52d082b271197", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_EXPIRED] = {"1b019b2f8612470fb57283275980939a", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_HELD] = {"24b1af6434544061bc47a1d3160bc62d", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_RELEASED] = {"3bfe7e9fa8ca48a4a9997dcbb400fdab", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REDIRECTED] = {"c9b1a5d0f3f84b1e9f2c6d7a80e14b95", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_DELETED] = {"3ce9f660115045bdad671aec7ff70fc9", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REMARK] = {"d5c1f6b2a8e94c0f9d37b1e06a42c85e", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REFUSED] = {"4c9d142fb77840fc9831f6ea0a6ae402", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REMOTE_UP] = {"4e4f7f3f0fcb4af0abf939f9c493df0d", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REMOTE_DOWN] = {"4e728110626f4dd396dbca46c18e5a2c", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_RECOVERED] = {"5bac150e99ed4f729ff00b388764fac2", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_LISTENING] = {"5ee8a27f840a4a6f8ed0bb5ef11b4c92", PRIORITY (LOG_INFO)},
    [LOG_EVENT_SESSIONS_FULL] = {"65a9894be4a3419b9f32b4ce4da5da3f", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_SHARE_TAKEN] = {"b14796fc32c149d8b49cc051b65800d7", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_NOT_STARTED] = {"cebf953f98ee489a97a8d676fcf455ae", PRIORITY (LOG_ERR)},
    [LOG_EVENT_RELOADED] = {"718163831a5646ed81b2e72ea01d3513", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_CONFIGURATION_BAD] = {"77775d1055854cb8ba960d475b471262", PRIORITY (LOG_ERR)},
    [LOG_EVENT_CONFIGURATION_WARNING] = {"798b7998baa748289774c24839317168", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_DISK_TROUBLE] = {"7edfed2d77494340ae40be4c9e31eda0", PRIORITY (LOG_ERR)},
    [LOG_EVENT_DISK_WELL] = {"811306ecdad34f099495069acbbb66fd", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_BUS_LOST] = {"8e355862902f440c8edccb1bc10d21ee", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_BUS_FOUND] = {"b455e1d24080489892c8f813065ee569", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_STOPPING] = {"bd4c48f6fc974eaba45fbe0a5e638c5e", PRIORITY (LOG_INFO)},
    [LOG_EVENT_ASLEEP] = {"8e8cfff0e71e4873b255923390c70c72", PRIORITY (LOG_INFO)},
};

const gchar *
log_event_id (LogEvent event)
{
    g_return_val_if_fail (event < LOG_N_EVENTS, NULL);
    return kinds[event].id;
}

void
log_entry_add (LogEntry *entry, const gchar *key, const gchar *value)
{
    if (value == NULL || entry->n_fields == LOG_ENTRY_FIELDS_MOST)
        return;

    entry->fields[entry->n_fields++] = (GLogField){.key = key, .value = value, .length = -1};
}

const gchar *
log_number_write (gchar text[LOG_NUMBER_TEXT_BYTES], guint64 number)
{
    gchar *start = text + LOG_NUMBER_TEXT_BYTES - 1;

    *start = '\0';
    do
        *--start = (gchar) ('0' + number % 10);
    while ((number /= 10) > 0);

    return start;
}

void
log_entry_add_number (LogEntry *entry, const gchar *key, guint64 number)
{
    g_assert (entry->n_numbers < LOG_ENTRY_NUMBERS_MOST);
    log_entry_add (entry, key, log_number_write (entry->numbers[entry->n_numbers++], number));
}

void
log_entry_begin (LogEntry *entry, LogEvent event, const gchar *sentence)
{
    entry->n_fields = 0;
    entry->n_numbers = 0;
    entry->priority = kinds[event].priority;
    log_entry_add (entry, "MESSAGE", sentence);
    log_entry_add (entry, "PRIORITY", entry->priority);
    log_entry_add (entry, "MESSAGE_ID", kinds[event].id);
    log_entry_add (entry, "GLIB_DOMAIN", G_LOG_DOMAIN);
}

/* GLib's own errors and criticals are programming errors; the machine's trouble is a warning with a priority. */
void
log_entry_send (const LogEntry *entry)
{
    static const GLogLevelFlags levels[] = {[LOG_ERR] = G_LOG_LEVEL_WARNING,
                                            [LOG_WARNING] = G_LOG_LEVEL_WARNING,
                                            [LOG_NOTICE] = G_LOG_LEVEL_MESSAGE,
                                            [LOG_INFO] = G_LOG_LEVEL_INFO};

    g_log_structured_array (levels[entry->priority[0] - '0'], entry->fields, entry->n_fields);
}
