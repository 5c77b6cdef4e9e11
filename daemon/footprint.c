/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Giving back what only the start needed
 *
 * The dynamic linker and the beginnings of thirty libraries touch thousands of pages of code and tables that nobody needs
 * again. They are two thirds of what an idle relay takes, and would stay until the machine is short of memory. So the
 * relay lets go of all pages that are as they are in their files, once, when it has started: what is needed again is
 * mapped again from the page cache where it is touched, in some microseconds each.
 *
 * Segments that can be written hold the linker's relocations, also behind RELRO, and are left alone. So is an object
 * whose text was relocated (DT_TEXTREL).
 */

#include "footprint.h"

#include <glib.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

/* The first client is served before, as a rule. */
#define SHRINK_SECONDS 3

static gboolean
has_relocated_text (const struct dl_phdr_info *object)
{
    for (guint i = 0; i < object->dlpi_phnum; i++) {
        const ElfW (Phdr) *header = &object->dlpi_phdr[i];
        const ElfW (Dyn) * entry;

        if (header->p_type != PT_DYNAMIC)
            continue;
        for (entry = (const ElfW (Dyn) *) (object->dlpi_addr + header->p_vaddr); entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
                return TRUE;
    }

    return FALSE;
}

static void
let_go (ElfW (Addr) from, ElfW (Addr) to)
{
    ElfW (Addr) page = (ElfW (Addr)) sysconf (_SC_PAGESIZE);
    ElfW (Addr) start = from & ~(page - 1);
    ElfW (Addr) end = (to + page - 1) & ~(page - 1);

    if (madvise ((void *) start, end - start, MADV_DONTNEED) != 0)
        g_debug ("pages of the start stay in memory");
}

/* For dl_iterate_phdr (). */
static int
shrink_object (struct dl_phdr_info *object, size_t size, void *user_data)
{
    if (has_relocated_text (object))
        return 0;
    for (guint i = 0; i < object->dlpi_phnum; i++) {
        const ElfW (Phdr) *header = &object->dlpi_phdr[i];

        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) == 0)
            let_go (object->dlpi_addr + header->p_vaddr, object->dlpi_addr + header->p_vaddr + header->p_memsz);
    }

    return 0;
}

static gboolean
shrink (gpointer user_data)
{
    dl_iterate_phdr (shrink_object, NULL);

    return G_SOURCE_REMOVE;
}

void
footprint_shrink_later (void)
{
    g_timeout_add_seconds (SHRINK_SECONDS, shrink, NULL);
}
