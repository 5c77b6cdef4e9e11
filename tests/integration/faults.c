/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Faults on request
 *
 * A library for LD_PRELOAD, or a part of a test's own program. It stands between the store (and libgdbm in it) and the C
 * library, and lets calls on the files of one folder fail when a test says so. The test says so in memory that both have
 * mapped (faults.h); so a fault can begin and end while a daemon runs, and the test can see how often it struck.
 *
 * The many names under which the C library offers a call are one here: "write" is also pwritev2 (). Opening with O_CREAT
 * is "create". faults.py beside this file is the other side, and has the same layout.
 *
 * A write can also be cut short, and any call held for a while. A sync can also lose what it should have made safe: after it failed, the kernel takes
 * the pages for clean and may forget them, so whatever was written to that file since its last good sync is overwritten
 * with zeroes.
 */

/* Meson asks for the 64 bit names under the plain ones; here each name stands for itself. */
#undef _FILE_OFFSET_BITS

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "faults.h"

_Static_assert(sizeof (off_t) == sizeof (off64_t), "the plain and the 64 bit names take the same arguments");

static FaultsControl *control;

/* The function of this name that would be called if this library were not there. */
#define NEXT(name)                                                                                                   \
    __extension__({                                                                                                  \
        static __typeof__ (name) *next;                                                                              \
        if (!next)                                                                                                   \
            next = (__typeof__ (next)) dlsym (RTLD_NEXT, #name);                                                     \
        next;                                                                                                        \
    })

__attribute__ ((constructor)) static void
map_control (void)
{
    const char *path = getenv ("POSTERN_FAULTS");
    int fd = path == NULL ? -1 : open (path, O_RDWR | O_CLOEXEC);
    void *mapped;

    if (fd < 0)
        return;
    mapped = mmap (NULL, sizeof (FaultsControl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close (fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

/* ---- Whether a call fails ---- */

static bool
is_ours (const char *path)
{
    size_t folder = strlen (control->folder), file = strlen (control->file), length = strlen (path);

    return folder > 0 && length >= folder && strncmp (path, control->folder, folder) == 0 &&
           (path[folder] == '/' || path[folder] == '\0') && length >= file &&
           strcmp (path + length - file, control->file) == 0;
}

/* Whether the call is of the kind that is to fail: "*" are all that change something on the disk. */
static bool
is_kind (const char *call)
{
    static const char *const changing[] = {"create", "write",    "sync",     "rename",
                                           "unlink", "truncate", "allocate", "mkdir"};

    if (strcmp (control->call, "*") != 0)
        return strcmp (control->call, call) == 0;
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) {
        if (strcmp (changing[i], call) == 0)
            return true;
    }

    return false;
}

static void die (void);

/* How often it is looked whether a call is held any longer. */
#define HELD_USEC 1000

static void
hold (void)
{
    while (__atomic_load_n (&control->armed, __ATOMIC_SEQ_CST) &&
           __atomic_load_n (&control->manner, __ATOMIC_SEQ_CST) == FAULTS_MANNER_HOLD)
        usleep (HELD_USEC);
}

/* What is to happen to this call: it goes through, fails with control->error, or takes half of its bytes. */
typedef enum { GO_THROUGH, FAIL, HALF } Verdict;

static Verdict
judge_path (const char *call, const char *path)
{
    uint32_t number, most, strike;

    if (control == NULL || !__atomic_load_n (&control->armed, __ATOMIC_SEQ_CST) || !is_kind (call) || !is_ours (path))
        return GO_THROUGH;
    number = __atomic_add_fetch (&control->met, 1, __ATOMIC_SEQ_CST);
    /* What a short write left over is written by a second call, which is the one that fails. */
    most = control->manner == FAULTS_MANNER_SHORT && control->error != 0 ? 2 : 1;
    if (number < control->nth || (!control->lasting && number >= control->nth + most))
        return GO_THROUGH;
    strike = __atomic_add_fetch (&control->struck, 1, __ATOMIC_SEQ_CST);
    if (control->manner >= FAULTS_MANNER_DIE)
        die ();
    if (control->manner == FAULTS_MANNER_HOLD) {
        hold ();
        return GO_THROUGH;
    }
    if (control->manner == FAULTS_MANNER_SHORT && (strike == 1 || control->error == 0))
        return HALF;
    errno = (int) control->error;

    return FAIL;
}

/* A relative path is taken as one below the folder @fd. */
static Verdict
judge_at (const char *call, int fd, const char *path)
{
    char whole[PATH_MAX] = "";
    char link[32];
    ssize_t length = 0;

    if (control == NULL || !control->armed)
        return GO_THROUGH;
    if (path[0] != '/' && fd != AT_FDCWD) {
        snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink (link, whole, sizeof whole - 1);
    }
    if (length < 0)
        return GO_THROUGH;
    snprintf (whole + length, sizeof whole - (size_t) length, length > 0 && path[0] != '\0' ? "/%s" : "%s", path);

    return judge_path (call, whole);
}

static Verdict
judge (const char *call, int fd)
{
    int saved_errno = errno;
    Verdict verdict = judge_at (call, fd, "");

    if (verdict != FAIL)
        errno = saved_errno;

    return verdict;
}

/* ---- What is written and not synced ---- */

typedef struct {
    dev_t device;
    ino_t inode;
    off_t offset;
    off_t length;
} Stretch;

#define STRETCHES_MOST 4096

static Stretch stretches[STRETCHES_MOST];
static size_t n_stretches;
static pthread_mutex_t stretches_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
is_of (const Stretch *stretch, const struct stat *status)
{
    return stretch->device == status->st_dev && stretch->inode == status->st_ino;
}

static void
remember (int fd, off_t offset, ssize_t length)
{
    struct stat status;
    Stretch *last;

    if (control == NULL || !control->tracking || length <= 0 || NEXT (fstat) (fd, &status) != 0)
        return;
    pthread_mutex_lock (&stretches_lock);
    last = n_stretches > 0 ? &stretches[n_stretches - 1] : NULL;
    if (last != NULL && is_of (last, &status) && last->offset + last->length == offset)
        last->length += length;
    else if (n_stretches < STRETCHES_MOST)
        stretches[n_stretches++] = (Stretch){status.st_dev, status.st_ino, offset, length};
    pthread_mutex_unlock (&stretches_lock);
}

static void
overwrite (int fd, const Stretch *stretch, off_t file_end)
{
    static const char zeroes[65536];
    off_t end = stretch->offset + stretch->length;

    end = end < file_end ? end : file_end;
    for (off_t at = stretch->offset; at < end; at += (off_t) sizeof zeroes) {
        off_t left = end - at;

        if (NEXT (pwrite) (fd, zeroes, left < (off_t) sizeof zeroes ? (size_t) left : sizeof zeroes, at) < 0)
            abort ();
    }
}

/* How long files were when they were synced, or opened for the first time. */
static Stretch sizes[STRETCHES_MOST];
static size_t n_sizes;

/* Locked. */
static Stretch *
find_size (const struct stat *status)
{
    for (size_t i = 0; i < n_sizes; i++) {
        if (is_of (&sizes[i], status))
            return &sizes[i];
    }

    return NULL;
}

/* Locked. */
static void
remember_size (const struct stat *status)
{
    Stretch *size = find_size (status);

    if (size == NULL && n_sizes < STRETCHES_MOST)
        size = &sizes[n_sizes++];
    if (size != NULL)
        *size = (Stretch){status->st_dev, status->st_ino, 0, status->st_size};
}

/* Forgets what was written to the file: it is safe now, or (@lost) gone. */
static void
forget (int fd, bool lost)
{
    struct stat status;
    size_t kept = 0;

    if (control == NULL || !control->tracking || NEXT (fstat) (fd, &status) != 0)
        return;
    pthread_mutex_lock (&stretches_lock);
    for (size_t i = 0; i < n_stretches; i++) {
        if (!is_of (&stretches[i], &status))
            stretches[kept++] = stretches[i];
        else if (lost)
            overwrite (fd, &stretches[i], status.st_size);
    }
    n_stretches = kept;
    if (!lost)
        remember_size (&status);
    pthread_mutex_unlock (&stretches_lock);
}

/* ---- Names that are not synced ---- */

typedef enum { NAME_MADE, NAME_CHANGED, NAME_REMOVED } NameChange;

typedef struct {
    NameChange change;
    char path[PATH_MAX];
    char other[PATH_MAX]; /* its former name; or where the file is kept that was removed */
} Name;

#define NAMES_MOST 256

static Name names[NAMES_MOST];
static size_t n_names;
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
tracks_names (const char *path)
{
    return control != NULL && control->tracking && control->manner >= FAULTS_MANNER_CUT && is_ours (path);
}

static void
remember_name (NameChange change, const char *path, const char *other)
{
    if (!tracks_names (path))
        return;
    pthread_mutex_lock (&names_lock);
    if (n_names < NAMES_MOST) {
        names[n_names].change = change;
        snprintf (names[n_names].path, PATH_MAX, "%s", path);
        snprintf (names[n_names].other, PATH_MAX, "%s", other);
        n_names++;
    }
    pthread_mutex_unlock (&names_lock);
}

/* A file that is about to be removed is kept beside the folder, in case that has to be undone. */
static void
keep_removed (const char *path)
{
    static uint32_t number;
    char kept[PATH_MAX];

    if (!tracks_names (path))
        return;
    snprintf (kept, sizeof kept, "%s.removed-%u", control->folder, __atomic_add_fetch (&number, 1, __ATOMIC_SEQ_CST));
    if (link (path, kept) == 0)
        remember_name (NAME_REMOVED, path, kept);
}

/* The folder was synced. */
static void
forget_names (int fd)
{
    struct stat status;

    if (control == NULL || !control->tracking || NEXT (fstat) (fd, &status) != 0 || !S_ISDIR (status.st_mode))
        return;
    pthread_mutex_lock (&names_lock);
    for (size_t i = 0; i < n_names; i++) {
        if (names[i].change == NAME_REMOVED)
            NEXT (unlink) (names[i].other);
    }
    n_names = 0;
    pthread_mutex_unlock (&names_lock);
}

static void
undo_names (void)
{
    for (size_t i = n_names; i > 0; i--) {
        const Name *name = &names[i - 1];

        if (name->change == NAME_MADE)
            NEXT (unlink) (name->path);
        else
            NEXT (rename)
        (name->change == NAME_CHANGED ? name->path : name->other,
         name->change == NAME_CHANGED ? name->other : name->path);
    }
}

void
faults_set_control (FaultsControl *shared)
{
    control = shared;
    n_stretches = n_sizes = n_names = 0;
}

/* ---- The end ---- */

/* Takes from a file what was never synced: all of it, or every other stretch. */
static void
lose_unsynced (const char *path, bool all)
{
    int fd = NEXT (openat) (AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    const Stretch *size;
    struct stat status;

    if (fd < 0 || NEXT (fstat) (fd, &status) != 0 || !S_ISREG (status.st_mode))
        return;
    for (size_t i = 0; i < n_stretches; i++) {
        if (is_of (&stretches[i], &status) && (all || i % 2 == 0))
            overwrite (fd, &stretches[i], status.st_size);
    }
    size = find_size (&status);
    if (all && size != NULL && size->length < status.st_size && NEXT (ftruncate) (fd, size->length) != 0)
        abort ();
    NEXT (close) (fd);
}

static void
cut_power (bool all)
{
    DIR *folder = NEXT (opendir) (control->folder);
    const struct dirent *entry;
    char path[PATH_MAX];

    pthread_mutex_lock (&stretches_lock);
    pthread_mutex_lock (&names_lock);
    while (folder != NULL && (entry = readdir (folder)) != NULL) {
        snprintf (path, sizeof path, "%s/%s", control->folder, entry->d_name);
        lose_unsynced (path, all);
    }
    undo_names ();
}

static void
die (void)
{
    static int once;

    /* Whoever else comes here waits for the end. */
    if (__atomic_exchange_n (&once, 1, __ATOMIC_SEQ_CST) == 0) {
        if (control->manner != FAULTS_MANNER_DIE)
            cut_power (control->manner == FAULTS_MANNER_CUT);
        kill (getpid (), SIGKILL);
    }
    for (;;)
        pause ();
}

/* ---- Opening and names ---- */

static const char *
opening (int flags)
{
    return flags & O_CREAT ? "create" : "open";
}

/* Whether a name will have been made by opening it. */
static bool
makes_name (const char *path, int flags)
{
    struct stat status;

    return (flags & O_CREAT) != 0 && tracks_names (path) && NEXT (stat) (path, &status) != 0;
}

static void
remember_opened (int fd, const char *path, bool made)
{
    struct stat status;

    if (!tracks_names (path) || NEXT (fstat) (fd, &status) != 0)
        return;
    if (made)
        remember_name (NAME_MADE, path, "");
    pthread_mutex_lock (&stretches_lock);
    if (made || !find_size (&status))
        remember_size (&status);
    pthread_mutex_unlock (&stretches_lock);
}

#define DEFINE_OPEN(name)                                                                                            \
    int name (const char *path, int flags, ...)                                                                      \
    {                                                                                                                \
        va_list arguments;                                                                                           \
        bool makes = makes_name (path, flags);                                                                       \
        mode_t mode;                                                                                                 \
        int fd;                                                                                                      \
                                                                                                                     \
        va_start (arguments, flags);                                                                                 \
        mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg (arguments, mode_t) : 0;                                     \
        va_end (arguments);                                                                                          \
        fd = judge_at (opening (flags), AT_FDCWD, path) == FAIL ? -1 : NEXT (name) (path, flags, mode);              \
        if (fd >= 0)                                                                                                 \
            remember_opened (fd, path, makes);                                                                       \
        return fd;                                                                                                   \
    }

#define DEFINE_OPENAT(name)                                                                                          \
    int name (int fd, const char *path, int flags, ...)                                                              \
    {                                                                                                                \
        va_list arguments;                                                                                           \
        mode_t mode;                                                                                                 \
                                                                                                                     \
        va_start (arguments, flags);                                                                                 \
        mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg (arguments, mode_t) : 0;                                     \
        va_end (arguments);                                                                                          \
        return judge_at (opening (flags), fd, path) == FAIL ? -1 : NEXT (name) (fd, path, flags, mode);              \
    }

/* What fortified callers use when they give no mode. */
#define DEFINE_OPEN_2(name)                                                                                          \
    int name (const char *path, int flags);                                                                          \
    int name (const char *path, int flags)                                                                           \
    {                                                                                                                \
        return judge_at (opening (flags), AT_FDCWD, path) == FAIL ? -1 : NEXT (name) (path, flags);                  \
    }

DEFINE_OPEN (open)
DEFINE_OPEN (open64)
DEFINE_OPENAT (openat)
DEFINE_OPENAT (openat64)
DEFINE_OPEN_2 (__open_2)
DEFINE_OPEN_2 (__open64_2)

int
creat (const char *path, mode_t mode)
{
    return open (path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

DIR *
opendir (const char *path)
{
    return judge_at ("opendir", AT_FDCWD, path) == FAIL ? NULL : NEXT (opendir) (path);
}

int
mkdir (const char *path, mode_t mode)
{
    return judge_at ("mkdir", AT_FDCWD, path) == FAIL ? -1 : NEXT (mkdir) (path, mode);
}

int
unlink (const char *path)
{
    if (judge_at ("unlink", AT_FDCWD, path) == FAIL)
        return -1;
    keep_removed (path);

    return NEXT (unlink) (path);
}

int
unlinkat (int fd, const char *path, int flags)
{
    return judge_at ("unlink", fd, path) == FAIL ? -1 : NEXT (unlinkat) (fd, path, flags);
}

int
rename (const char *from, const char *to)
{
    int renamed = judge_at ("rename", AT_FDCWD, to) == FAIL ? -1 : NEXT (rename) (from, to);

    if (renamed == 0)
        remember_name (NAME_CHANGED, to, from);

    return renamed;
}

int
renameat (int from_fd, const char *from, int to_fd, const char *to)
{
    return judge_at ("rename", to_fd, to) == FAIL ? -1 : NEXT (renameat) (from_fd, from, to_fd, to);
}

int
renameat2 (int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
    return judge_at ("rename", to_fd, to) == FAIL ? -1 : NEXT (renameat2) (from_fd, from, to_fd, to, flags);
}

int
close (int fd)
{
    Verdict verdict = judge ("close", fd);
    int closed = NEXT (close) (fd);

    if (verdict != FAIL)
        return closed;
    errno = (int) control->error;

    return -1;
}

/* ---- Looking ---- */

#define DEFINE_STAT(name, type)                                                                                      \
    int name (const char *path, type *status)                                                                        \
    {                                                                                                                \
        return judge_at ("stat", AT_FDCWD, path) == FAIL ? -1 : NEXT (name) (path, status);                          \
    }

#define DEFINE_FSTAT(name, type)                                                                                     \
    int name (int fd, type *status)                                                                                  \
    {                                                                                                                \
        return judge ("stat", fd) == FAIL ? -1 : NEXT (name) (fd, status);                                           \
    }

DEFINE_STAT (stat, struct stat)
DEFINE_STAT (stat64, struct stat64)
DEFINE_STAT (lstat, struct stat)
DEFINE_STAT (lstat64, struct stat64)
DEFINE_FSTAT (fstat, struct stat)
DEFINE_FSTAT (fstat64, struct stat64)

#define DEFINE_STATVFS(name, type)                                                                                   \
    int name (const char *path, type *status)                                                                        \
    {                                                                                                                \
        return judge_at ("statvfs", AT_FDCWD, path) == FAIL ? -1 : NEXT (name) (path, status);                       \
    }

DEFINE_STATVFS (statvfs, struct statvfs)
DEFINE_STATVFS (statvfs64, struct statvfs64)

int
flock (int fd, int operation)
{
    return judge ("lock", fd) == FAIL ? -1 : NEXT (flock) (fd, operation);
}

/* ---- Reading ---- */

ssize_t
read (int fd, void *data, size_t length)
{
    return judge ("read", fd) == FAIL ? -1 : NEXT (read) (fd, data, length);
}

#define DEFINE_PREAD(name)                                                                                           \
    ssize_t name (int fd, void *data, size_t length, off_t offset)                                                   \
    {                                                                                                                \
        return judge ("read", fd) == FAIL ? -1 : NEXT (name) (fd, data, length, offset);                             \
    }

DEFINE_PREAD (pread)
DEFINE_PREAD (pread64)

#define DEFINE_LSEEK(name)                                                                                           \
    off_t name (int fd, off_t offset, int whence)                                                                    \
    {                                                                                                                \
        return judge ("seek", fd) == FAIL ? -1 : NEXT (name) (fd, offset, whence);                                   \
    }

DEFINE_LSEEK (lseek)
DEFINE_LSEEK (lseek64)

#define DEFINE_MMAP(name)                                                                                            \
    void *name (void *address, size_t length, int protection, int flags, int fd, off_t offset)                       \
    {                                                                                                                \
        if (fd >= 0 && judge ("map", fd) == FAIL)                                                                    \
            return MAP_FAILED;                                                                                       \
        return NEXT (name) (address, length, protection, flags, fd, offset);                                         \
    }

DEFINE_MMAP (mmap)
DEFINE_MMAP (mmap64)

/* ---- Writing ---- */

/* Half of it, but a byte at least: a write that takes nothing is another thing. */
static size_t
half (size_t length)
{
    return length > 1 ? length / 2 : length;
}

ssize_t
write (int fd, const void *data, size_t length)
{
    Verdict verdict = judge ("write", fd);
    off_t offset = control != NULL && control->tracking ? NEXT (lseek) (fd, 0, SEEK_CUR) : 0;
    ssize_t written = verdict == FAIL ? -1 : NEXT (write) (fd, data, verdict == HALF ? half (length) : length);

    remember (fd, offset, written);

    return written;
}

#define DEFINE_PWRITE(name)                                                                                          \
    ssize_t name (int fd, const void *data, size_t length, off_t offset)                                             \
    {                                                                                                                \
        Verdict verdict = judge ("write", fd);                                                                       \
        ssize_t written = -1;                                                                                        \
                                                                                                                     \
        if (verdict != FAIL)                                                                                         \
            written = NEXT (name) (fd, data, verdict == HALF ? half (length) : length, offset);                      \
        remember (fd, offset, written);                                                                              \
        return written;                                                                                              \
    }

DEFINE_PWRITE (pwrite)
DEFINE_PWRITE (pwrite64)

/* Writes half of what the vectors have. */
static ssize_t
write_half (int fd, const struct iovec *vectors, int n, off_t offset)
{
    ssize_t written = 0;
    size_t total = 0, left;

    for (int i = 0; i < n; i++)
        total += vectors[i].iov_len;
    left = half (total);
    for (int i = 0; i < n && left > 0; i++) {
        size_t length = vectors[i].iov_len < left ? vectors[i].iov_len : left;
        ssize_t some = NEXT (pwrite) (fd, vectors[i].iov_base, length, offset + written);

        if (some != (ssize_t) length)
            return written > 0 ? written : some;
        written += some;
        left -= length;
    }

    return written;
}

#define DEFINE_PWRITEV(name, parameters, arguments)                                                                  \
    ssize_t name parameters                                                                                          \
    {                                                                                                                \
        Verdict verdict = judge ("write", fd);                                                                       \
        ssize_t written = -1;                                                                                        \
                                                                                                                     \
        if (verdict == HALF)                                                                                         \
            written = write_half (fd, vectors, n, offset);                                                           \
        else if (verdict == GO_THROUGH)                                                                              \
            written = NEXT (name) arguments;                                                                         \
        remember (fd, offset, written);                                                                              \
        return written;                                                                                              \
    }

DEFINE_PWRITEV (pwritev, (int fd, const struct iovec *vectors, int n, off_t offset), (fd, vectors, n, offset))
DEFINE_PWRITEV (pwritev64, (int fd, const struct iovec *vectors, int n, off_t offset), (fd, vectors, n, offset))
DEFINE_PWRITEV (pwritev2, (int fd, const struct iovec *vectors, int n, off_t offset, int flags),
                (fd, vectors, n, offset, flags))
DEFINE_PWRITEV (pwritev64v2, (int fd, const struct iovec *vectors, int n, off_t offset, int flags),
                (fd, vectors, n, offset, flags))

#define DEFINE_TRUNCATE(name)                                                                                        \
    int name (int fd, off_t length)                                                                                  \
    {                                                                                                                \
        return judge ("truncate", fd) == FAIL ? -1 : NEXT (name) (fd, length);                                       \
    }

DEFINE_TRUNCATE (ftruncate)
DEFINE_TRUNCATE (ftruncate64)

#define DEFINE_ALLOCATE(name)                                                                                        \
    int name (int fd, int mode, off_t offset, off_t length)                                                          \
    {                                                                                                                \
        return judge ("allocate", fd) == FAIL ? -1 : NEXT (name) (fd, mode, offset, length);                         \
    }

DEFINE_ALLOCATE (fallocate)
DEFINE_ALLOCATE (fallocate64)

/* ---- Syncing ---- */

#define DEFINE_SYNC(name)                                                                                            \
    int name (int fd)                                                                                                \
    {                                                                                                                \
        int synced;                                                                                                  \
                                                                                                                     \
        if (judge ("sync", fd) == FAIL) {                                                                            \
            forget (fd, control->manner == FAULTS_MANNER_LOSE);                                                      \
            errno = (int) control->error;                                                                            \
            return -1;                                                                                               \
        }                                                                                                            \
        synced = NEXT (name) (fd);                                                                                   \
        if (synced == 0) {                                                                                           \
            forget (fd, false);                                                                                      \
            forget_names (fd);                                                                                       \
        }                                                                                                            \
        return synced;                                                                                               \
    }

DEFINE_SYNC (fdatasync)
DEFINE_SYNC (fsync)
DEFINE_SYNC (syncfs)
