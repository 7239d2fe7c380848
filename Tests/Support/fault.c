/* A shim for LD_PRELOAD that watches, fails, kills or records what a program does to the files below one directory.
 *
 * The program under test links libc dynamically, so its calls and those of SQLite come through here. The shim keeps no
 * table of descriptors: it asks /proc/self/fd what a descriptor is, which stays right whatever was duplicated or passed.
 *
 *   VAULT_FAULT_DIR    absolute path without links; only files below it count. Without it the shim does nothing.
 *   VAULT_FAULT_KINDS  comma list of open,write,sync,truncate,rename,unlink,mkdir,close,read: what is counted (default:
 *                      all but read)
 *   VAULT_FAULT_COUNT  file that receives the counters: one u64 for the total and one for each kind, in the order above
 *   VAULT_FAULT_FAIL   N:ERROR[:sticky]: the N-th counted call (from 1) fails; ERROR is EIO, ENOSPC, EFBIG, EACCES, EMFILE,
 *                      SHORT (a write takes half of its bytes) or FULL (a write takes half, then all writes ENOSPC)
 *   VAULT_FAULT_KILL   N: SIGKILL instead of the N-th counted call
 *   VAULT_FAULT_STOP   N: SIGSTOP before the N-th counted call, which is made once the test sends SIGCONT
 *   VAULT_FAULT_TRACE  file to which every change and every sync that succeeded is appended, in the order of its effect
 *
 * A trace record is the struct below, then the path (for a rename: old, NUL, new), then the bytes of a write. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, WRITE, SYNC, TRUNCATE, RENAME, UNLINK, MKDIR, CLOSE, READ, KINDS };
static const char *const kind_names[KINDS] = {"open", "write", "sync", "truncate", "rename", "unlink", "mkdir", "close", "read"};

struct record {
  uint8_t operation; /* C create, W write, T truncate, R rename, L link, U unlink, D rmdir, M mkdir, S sync of a file,
                        s sync of a directory, A sync of everything, O standard output, P start, E end, X cannot model */
  uint8_t reserved[3];
  uint32_t path_length;
  uint64_t inode;
  uint64_t offset; /* of a write; the size for T; the bytes written for O */
  uint64_t length; /* bytes that follow the path */
};

static char directory[PATH_MAX];
static size_t directory_length;
static unsigned counted_kinds;
static struct { _Atomic uint64_t total, of[KINDS]; } local_counters, *counters = &local_counters;
static uint64_t fail_at, kill_at, stop_at;
static int fail_error, fail_short, fail_full, fail_sticky;
static int trace_descriptor = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

/* The next definition of a function, looked up once. */
#define REAL(result, name, ...) \
  static result (*real_##name)(__VA_ARGS__); \
  if (!real_##name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name)

static long raw(long number, long a, long b, long c, long d, long e, long f) {
  REAL(long, syscall, long, ...);
  return real_syscall(number, a, b, c, d, e, f);
}
#define RAW(number, ...) raw_pick(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define raw_pick(number, a, b, c, d, e, f, ...) raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

__attribute__((constructor)) static void start(void);
__attribute__((destructor)) static void end(void);

/* ---- What lies below the directory ---- */

static int is_below(const char *path) {
  return directory_length && !strncmp(path, directory, directory_length) &&
         (path[directory_length] == '/' || !path[directory_length]);
}

/* The path of a descriptor, when it is a file or directory below the directory. */
static int describe(int fd, char *path, struct stat *status) {
  if (!directory_length || fd < 0) return 0;
  int saved = errno;
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = RAW(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
  int found = 0;
  if (length > 0) {
    path[length] = 0;
    found = is_below(path) && (!status || fstat(fd, status) == 0);
  }
  errno = saved;
  return found;
}

/* The absolute path that a call names. */
static int resolve(int at, const char *name, char *path) {
  if (!directory_length || !name) return 0;
  int saved = errno;
  size_t base = 0;
  if (name[0] != '/') {
    if (at == AT_FDCWD) {
      if (RAW(SYS_getcwd, path, PATH_MAX) < 0) { errno = saved; return 0; }
    } else {
      char link[40];
      snprintf(link, sizeof link, "/proc/self/fd/%d", at);
      long length = RAW(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
      if (length <= 0) { errno = saved; return 0; }
      path[length] = 0;
    }
    base = strlen(path);
    while (name[0] == '.' && name[1] == '/') name += 2;
    if (strcmp(name, ".") && name[0] && base + 1 < PATH_MAX) path[base++] = '/';
    if (!strcmp(name, ".")) name = "";
  }
  errno = saved;
  if (base + strlen(name) >= PATH_MAX) return 0;
  strcpy(path + base, name);
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') path[--length] = 0;
  return is_below(path);
}

/* ---- Counting and failing ---- */

/* What is to happen to a counted call: 0 go on, -1 take half of the bytes, else the error number. */
static int verdict(enum kind kind) {
  if (!(counted_kinds & 1u << kind)) return 0;
  atomic_fetch_add(&counters->of[kind], 1);
  uint64_t number = atomic_fetch_add(&counters->total, 1) + 1;
  if (kill_at && number >= kill_at) {
    RAW(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
  }
  /* To this thread: the call must not be made while another one takes the signal. */
  if (number == stop_at) RAW(SYS_tgkill, getpid(), gettid(), SIGSTOP);
  if (!fail_at || number < fail_at || (number > fail_at && !fail_sticky)) return 0;
  if (fail_full) return kind != WRITE ? 0 : number == fail_at ? -1 : ENOSPC;
  if (fail_short) return kind == WRITE ? -1 : 0;
  return fail_error;
}

#define FAIL_IF(condition, kind) \
  do { int error_ = (condition) ? verdict(kind) : 0; if (error_ > 0) { errno = error_; return -1; } } while (0)

/* ---- Recording ---- */

static void record(char operation, const char *path, size_t path_length, uint64_t inode, uint64_t offset,
                   const struct iovec *data, int pieces, uint64_t length) {
  struct record head = {.operation = (uint8_t)operation, .path_length = (uint32_t)path_length, .inode = inode,
                        .offset = offset, .length = length};
  struct iovec vector[18] = {{&head, sizeof head}, {(void *)path, path_length}};
  int saved = errno, count = 2;
  for (uint64_t left = length; pieces > 0 && left && count < 18; pieces--, data++) {
    size_t take = data->iov_len < left ? data->iov_len : left;
    vector[count++] = (struct iovec){data->iov_base, take};
    left -= take;
  }
  RAW(SYS_writev, trace_descriptor, vector, count);
  errno = saved;
}

static void record_path(char operation, const char *path, uint64_t inode, uint64_t offset) {
  if (trace_descriptor >= 0) record(operation, path, strlen(path), inode, offset, NULL, 0, 0);
}

/* In a trace the order of records is the order of effects, so a call and its record are one step. */
static void enter(void) { if (trace_descriptor >= 0) pthread_mutex_lock(&order); }
static void leave(void) { if (trace_descriptor >= 0) pthread_mutex_unlock(&order); }

static void start(void) {
  const char *value = getenv("VAULT_FAULT_DIR");
  if (!value || value[0] != '/' || strlen(value) >= sizeof directory) return;
  const char *kinds = getenv("VAULT_FAULT_KINDS");
  for (int kind = 0; kind < KINDS; kind++)
    if (kinds ? strstr(kinds, kind_names[kind]) != NULL : kind != READ) counted_kinds |= 1u << kind;
  const char *count = getenv("VAULT_FAULT_COUNT");
  if (count) {
    int fd = (int)RAW(SYS_openat, AT_FDCWD, count, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    void *shared = MAP_FAILED;
    if (fd >= 0 && RAW(SYS_ftruncate, fd, sizeof local_counters) == 0)
      shared = (void *)RAW(SYS_mmap, 0, sizeof local_counters, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) counters = shared;
    if (fd >= 0) RAW(SYS_close, fd);
  }
  const char *fail = getenv("VAULT_FAULT_FAIL");
  if (fail) {
    char *rest;
    fail_at = strtoull(fail, &rest, 10);
    fail_sticky = strstr(rest, ":sticky") != NULL;
    fail_short = strstr(rest, "SHORT") != NULL;
    fail_full = strstr(rest, "FULL") != NULL;
    if (fail_full) fail_sticky = 1;
    fail_error = strstr(rest, "ENOSPC") ? ENOSPC
                 : strstr(rest, "EFBIG") ? EFBIG
                 : strstr(rest, "EACCES") ? EACCES
                 : strstr(rest, "EMFILE") ? EMFILE
                                          : EIO;
  }
  const char *kill_number = getenv("VAULT_FAULT_KILL");
  if (kill_number) kill_at = strtoull(kill_number, NULL, 10);
  const char *stop_number = getenv("VAULT_FAULT_STOP");
  if (stop_number) stop_at = strtoull(stop_number, NULL, 10);
  const char *trace = getenv("VAULT_FAULT_TRACE");
  if (trace) {
    int fd = (int)RAW(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* High up, so that the program's own numbers stay what they are without the shim. */
    if (fd >= 0) { trace_descriptor = (int)RAW(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900); RAW(SYS_close, fd); }
  }
  strcpy(directory, value);
  directory_length = strlen(directory);
  record_path('P', "", (uint64_t)getpid(), 0);
}

static void end(void) {
  if (directory_length) record_path('E', "", (uint64_t)getpid(), 0);
}

/* ---- open ---- */

static int do_open(int at, const char *name, int flags, mode_t mode, const struct open_how *how) {
  char path[PATH_MAX];
  int below = resolve(at, name, path);
  FAIL_IF(below, OPEN);
  if (!below || trace_descriptor < 0)
    return how ? (int)RAW(SYS_openat2, at, name, how, sizeof *how) : (int)RAW(SYS_openat, at, name, flags, mode);
  enter();
  struct stat status;
  int existed = RAW(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
  int fd = how ? (int)RAW(SYS_openat2, at, name, how, sizeof *how) : (int)RAW(SYS_openat, at, name, flags, mode);
  if (fd >= 0 && (flags & (O_CREAT | O_TRUNC)) && fstat(fd, &status) == 0) {
    if (!existed) record_path('C', path, status.st_ino, 0);
    else if (flags & O_TRUNC) record_path('T', path, status.st_ino, 0);
  }
  leave();
  return fd;
}

#define MODE_ARGUMENT(flags, mode) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }

int open(const char *name, int flags, ...) { MODE_ARGUMENT(flags, mode) return do_open(AT_FDCWD, name, flags, mode, NULL); }
int open64(const char *name, int flags, ...) { MODE_ARGUMENT(flags, mode) return do_open(AT_FDCWD, name, flags, mode, NULL); }
int openat(int at, const char *name, int flags, ...) { MODE_ARGUMENT(flags, mode) return do_open(at, name, flags, mode, NULL); }
int openat64(int at, const char *name, int flags, ...) { MODE_ARGUMENT(flags, mode) return do_open(at, name, flags, mode, NULL); }
int __open_2(const char *name, int flags) { return do_open(AT_FDCWD, name, flags, 0, NULL); }
int __open64_2(const char *name, int flags) { return do_open(AT_FDCWD, name, flags, 0, NULL); }
int __openat_2(int at, const char *name, int flags) { return do_open(at, name, flags, 0, NULL); }
int __openat64_2(int at, const char *name, int flags) { return do_open(at, name, flags, 0, NULL); }
int creat(const char *name, mode_t mode) { return do_open(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode, NULL); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

static FILE *do_fopen(const char *name, const char *mode, const char *symbol) {
  char path[PATH_MAX];
  /* What stdio writes does not come through here, so nobody may believe it was modelled. */
  if (resolve(AT_FDCWD, name, path) && strpbrk(mode, "wa+")) record_path('X', path, 0, 0);
  FILE *(*real)(const char *, const char *);
  *(void **)&real = dlsym(RTLD_NEXT, symbol);
  return real(name, mode);
}
FILE *fopen(const char *name, const char *mode) { return do_fopen(name, mode, "fopen"); }
FILE *fopen64(const char *name, const char *mode) { return do_fopen(name, mode, "fopen64"); }

int close(int fd) {
  char path[PATH_MAX];
  if (fd == trace_descriptor && fd >= 0) { errno = EBADF; return -1; }
  int error = describe(fd, path, NULL) ? verdict(CLOSE) : 0;
  int result = (int)RAW(SYS_close, fd);
  if (error > 0) { errno = error; return -1; }
  return result;
}

/* ---- write ---- */

static ssize_t raw_write(int fd, const struct iovec *data, int count, off_t offset) {
  if (count == 1) {
    if (offset < 0) return RAW(SYS_write, fd, data->iov_base, data->iov_len);
    return RAW(SYS_pwrite64, fd, data->iov_base, data->iov_len, offset);
  }
  if (offset < 0) return RAW(SYS_writev, fd, data, count);
  return RAW(SYS_pwritev, fd, data, count, offset, 0);
}

/* `offset` is negative for a write at the file's position. */
static ssize_t do_write(int fd, const struct iovec *data, int count, off_t offset) {
  char path[PATH_MAX];
  struct stat status;
  if (!describe(fd, path, &status)) {
    ssize_t result = raw_write(fd, data, count, offset);
    if (fd == 1 && result > 0 && directory_length) { enter(); record_path('O', "", 0, (uint64_t)result); leave(); }
    return result;
  }
  int error = verdict(WRITE);
  if (error > 0) { errno = error; return -1; }
  size_t total = 0;
  for (int index = 0; index < count; index++) total += data[index].iov_len;
  struct iovec half = {data->iov_base, data->iov_len / 2};
  if (error < 0 && half.iov_len) { data = &half; count = 1; }
  if (trace_descriptor < 0) return raw_write(fd, data, count, offset);
  enter();
  uint64_t position = (uint64_t)offset;
  if (offset < 0) position = (uint64_t)RAW(SYS_lseek, fd, 0, SEEK_CUR);
  if (RAW(SYS_fcntl, fd, F_GETFL) & O_APPEND) { fstat(fd, &status); position = (uint64_t)status.st_size; }
  ssize_t result = raw_write(fd, data, count, offset);
  if (result > 0) {
    if (count > 16) record_path('X', path, status.st_ino, 0);
    else record('W', path, strlen(path), status.st_ino, position, data, count, (uint64_t)result);
  }
  leave();
  return result;
}

ssize_t write(int fd, const void *bytes, size_t count) { return do_write(fd, &(struct iovec){(void *)bytes, count}, 1, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return do_write(fd, &(struct iovec){(void *)bytes, count}, 1, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite(fd, bytes, count, at); }
ssize_t writev(int fd, const struct iovec *data, int count) { return do_write(fd, data, count, -1); }
ssize_t pwritev(int fd, const struct iovec *data, int count, off_t at) { return do_write(fd, data, count, at); }
ssize_t pwritev64(int fd, const struct iovec *data, int count, off64_t at) { return do_write(fd, data, count, at); }

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  char path[PATH_MAX];
  if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && describe(fd, path, NULL)) record_path('X', path, 0, 0);
  return (void *)RAW(SYS_mmap, address, length, protection, flags, fd, offset);
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
  return mmap(address, length, protection, flags, fd, offset);
}

/* ---- read ---- */

static ssize_t do_read(int fd, void *bytes, size_t count, off_t offset) {
  char path[PATH_MAX];
  FAIL_IF(counted_kinds & 1u << READ && describe(fd, path, NULL), READ);
  return offset < 0 ? RAW(SYS_read, fd, bytes, count) : RAW(SYS_pread64, fd, bytes, count, offset);
}
ssize_t read(int fd, void *bytes, size_t count) { return do_read(fd, bytes, count, -1); }
ssize_t pread(int fd, void *bytes, size_t count, off_t at) { return do_read(fd, bytes, count, at); }
ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) { return do_read(fd, bytes, count, at); }

/* ---- sync ---- */

static int do_sync(long number, int fd) {
  char path[PATH_MAX];
  struct stat status;
  int below = describe(fd, path, &status);
  FAIL_IF(below, SYNC);
  if (!below || trace_descriptor < 0) return (int)RAW(number, fd);
  enter();
  int result = (int)RAW(number, fd);
  if (result == 0) record_path(number == SYS_syncfs ? 'A' : S_ISDIR(status.st_mode) ? 's' : 'S', path, status.st_ino, 0);
  leave();
  return result;
}
int fsync(int fd) { return do_sync(SYS_fsync, fd); }
int fdatasync(int fd) { return do_sync(SYS_fdatasync, fd); }
int syncfs(int fd) { return do_sync(SYS_syncfs, fd); }

/* ---- truncate ---- */

int ftruncate(int fd, off_t size) {
  char path[PATH_MAX];
  struct stat status;
  int below = describe(fd, path, &status);
  FAIL_IF(below, TRUNCATE);
  if (!below || trace_descriptor < 0) return (int)RAW(SYS_ftruncate, fd, size);
  enter();
  int result = (int)RAW(SYS_ftruncate, fd, size);
  if (result == 0) record_path('T', path, status.st_ino, (uint64_t)size);
  leave();
  return result;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int fallocate(int fd, int mode, off_t offset, off_t length) {
  char path[PATH_MAX];
  struct stat before, after;
  int below = describe(fd, path, &before);
  FAIL_IF(below, TRUNCATE);
  if (!below || trace_descriptor < 0) return (int)RAW(SYS_fallocate, fd, mode, offset, length);
  enter();
  int result = (int)RAW(SYS_fallocate, fd, mode, offset, length);
  if (result == 0 && (mode & ~FALLOC_FL_KEEP_SIZE)) record_path('X', path, before.st_ino, 0);
  if (result == 0 && fstat(fd, &after) == 0 && after.st_size != before.st_size)
    record_path('T', path, after.st_ino, (uint64_t)after.st_size);
  leave();
  return result;
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

/* ---- names ---- */

static int do_rename(long number, int from, const char *old_name, int to, const char *new_name, unsigned flags) {
  char path[2 * PATH_MAX], other[PATH_MAX];
  int below = resolve(from, old_name, path) + resolve(to, new_name, other);
  FAIL_IF(below, RENAME);
  if (!below || trace_descriptor < 0) return (int)RAW(number, from, old_name, to, new_name, flags);
  enter();
  int result = (int)RAW(number, from, old_name, to, new_name, flags);
  if (result == 0) {
    size_t length = strlen(path) + 1;
    strcpy(path + length, other);
    char operation = below < 2 || (flags && number == SYS_renameat2 && flags != 1) ? 'X' : number == SYS_linkat ? 'L' : 'R';
    record(operation, path, length + strlen(other), 0, 0, NULL, 0, 0);
  }
  leave();
  return result;
}
int rename(const char *old_name, const char *new_name) { return do_rename(SYS_renameat2, AT_FDCWD, old_name, AT_FDCWD, new_name, 0); }
int renameat(int from, const char *old_name, int to, const char *new_name) { return do_rename(SYS_renameat2, from, old_name, to, new_name, 0); }
int renameat2(int from, const char *old_name, int to, const char *new_name, unsigned flags) { return do_rename(SYS_renameat2, from, old_name, to, new_name, flags); }
int link(const char *old_name, const char *new_name) { return do_rename(SYS_linkat, AT_FDCWD, old_name, AT_FDCWD, new_name, 0); }
int linkat(int from, const char *old_name, int to, const char *new_name, int flags) { return do_rename(SYS_linkat, from, old_name, to, new_name, (unsigned)flags); }

static int do_unlink(int at, const char *name, int flags) {
  char path[PATH_MAX];
  int below = resolve(at, name, path);
  FAIL_IF(below, UNLINK);
  if (!below || trace_descriptor < 0) return (int)RAW(SYS_unlinkat, at, name, flags);
  enter();
  int result = (int)RAW(SYS_unlinkat, at, name, flags);
  if (result == 0) record_path(flags & AT_REMOVEDIR ? 'D' : 'U', path, 0, 0);
  leave();
  return result;
}
int unlink(const char *name) { return do_unlink(AT_FDCWD, name, 0); }
int unlinkat(int at, const char *name, int flags) { return do_unlink(at, name, flags); }
int rmdir(const char *name) { return do_unlink(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int at, const char *name, mode_t mode) {
  char path[PATH_MAX];
  int below = resolve(at, name, path);
  FAIL_IF(below, MKDIR);
  if (!below || trace_descriptor < 0) return (int)RAW(SYS_mkdirat, at, name, mode);
  enter();
  int result = (int)RAW(SYS_mkdirat, at, name, mode);
  if (result == 0) record_path('M', path, 0, mode);
  leave();
  return result;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

/* ---- Calls by number ---- */

long syscall(long number, ...) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (int index = 0; index < 6; index++) a[index] = va_arg(list, long);
  va_end(list);
  switch (number) {
  case SYS_openat2: {
    const struct open_how *how = (const struct open_how *)a[2];
    return do_open((int)a[0], (const char *)a[1], (int)how->flags, (mode_t)how->mode, how);
  }
  case SYS_openat: return do_open((int)a[0], (const char *)a[1], (int)a[2], (mode_t)a[3], NULL);
  case SYS_renameat2: return do_rename(number, (int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3], (unsigned)a[4]);
  case SYS_syncfs: return do_sync(number, (int)a[0]);
  default: return raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
}
