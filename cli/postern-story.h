/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-json.h"

/*
 * The story of a message, as the journal has it: told to people, or as JSON.
 */

/**
 * story_print:
 * @id: the queue id
 * @story: JOURNAL_STORY_TYPE, not empty
 *
 * A heading, a line for each event, and how it ended.
 */
void story_print (const gchar *id, GVariant *story);

/* Adds an object with the id and an array of the events. */
void story_add_json (JsonBuilder *builder, const gchar *id, GVariant *story);
