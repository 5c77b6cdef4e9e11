/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdint.h>

/*
 * What a test says to faults.c, in memory that both sides have mapped: a file named by the variable POSTERN_FAULTS, or what
 * faults_set_control () was given. faults.py has the same layout.
 */

typedef enum {
    FAULTS_MANNER_FAIL,
    FAULTS_MANNER_SHORT,   /* a write takes half of its bytes, and what follows fails if there is an error */
    FAULTS_MANNER_LOSE,    /* a sync fails and loses what it should have made safe */
    FAULTS_MANNER_HOLD,    /* the call waits as long as this is so and the fault is armed, and then goes through */
    FAULTS_MANNER_DIE,     /* the program is killed before the call */
    FAULTS_MANNER_CUT,     /* and nothing of what is not synced is left */
    FAULTS_MANNER_CUT_HALF /* and only some of it is */
} FaultsManner;

/* Numbers are written by the test, the last two by both. */
typedef struct {
    char folder[1024]; /* the only one in which anything fails */
    char file[128];    /* ... on paths that end in this */
    char call[32];     /* "write", "sync", …; "*": whatever changes something on the disk */
    uint32_t armed;
    uint32_t nth; /* from 1: the first call that fails, counted from when the fault was armed */
    uint32_t error;
    uint32_t lasting; /* all calls from then on; otherwise this one only */
    uint32_t manner;
    uint32_t tracking; /* remember what is written and not synced: for the manners that lose it */
    uint32_t met;      /* calls of this kind */
    uint32_t struck;   /* ... that failed */
} FaultsControl;

/* Nothing is remembered of what was written before. */
void faults_set_control (FaultsControl *shared);
