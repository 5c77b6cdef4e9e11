/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Style
 *
 * Colours only mark what words say already. They are left out where nobody looks (standard output is not a terminal),
 * where the terminal has none (TERM is "dumb" or missing), and where the person does not want them (NO_COLOR is set
 * and not empty, see no-color.org).
 */

#include "postern-style.h"

#include <unistd.h>

static gboolean
has_colours (void)
{
    const gchar *terminal = g_getenv ("TERM");
    const gchar *no_color = g_getenv ("NO_COLOR");

    if (no_color != NULL && *no_color != '\0')
        return FALSE;
    if (terminal == NULL || *terminal == '\0' || g_str_equal (terminal, "dumb"))
        return FALSE;
    return isatty (STDOUT_FILENO);
}

const gchar *
style_begin (Style style)
{
    if (!has_colours ())
        return "";

    switch (style) {
    case STYLE_PLAIN:
        return "";
    case STYLE_HEADING:
        return "\033[1m";
    case STYLE_GOOD:
        return "\033[32m";
    case STYLE_WAITING:
        return "\033[33m";
    case STYLE_BAD:
        return "\033[31m";
    case STYLE_FAINT:
        return "\033[2m";
    }
    return "";
}

const gchar *
style_end (void)
{
    return has_colours () ? "\033[0m" : "";
}

Style
style_of_state (const gchar *state)
{
    static const struct {
        const gchar *state;
        Style style;
    } states[] = {
        {"queued", STYLE_PLAIN},  {"delivering", STYLE_GOOD}, {"deferred", STYLE_WAITING}, {"held", STYLE_BAD},
        {"pending", STYLE_PLAIN}, {"delivered", STYLE_GOOD},  {"failed", STYLE_BAD},       {"expired", STYLE_BAD},
        {"up", STYLE_GOOD},       {"down", STYLE_BAD},        {"bounced", STYLE_BAD},
    };

    for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
        if (g_str_equal (states[i].state, state))
            return states[i].style;
    }
    return STYLE_PLAIN;
}
