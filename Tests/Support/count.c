/* A shim for LD_PRELOAD that counts what a program asks of its memory: allocations, and bytes that are copied.
 *
 * The program under test links libc dynamically, so its calls and those of SQLite, OpenSSL, LZ4 and libpq come through here.
 * Not seen: copies of a few bytes that compilers write out, and what a library changes while it moves it, as compression and
 * encryption do.
 *
 *   VAULT_COUNT_FILE        file that receives the counters below, each an u64, while the program runs; without it nothing is
 *                           counted
 *   VAULT_COUNT_PROCESSORS  how many processors the program is told that there are
 *   VAULT_COUNT_DELAY       microseconds that every pwrite of at least LARGE bytes takes longer: a slow disk fills all queues
 *
 * An allocation is a call that gives memory: malloc, calloc, posix_memalign, aligned_alloc, and a realloc of nothing or to
 * more than there was. A large one has room for at least LARGE bytes; a pooled one is large and begins with a page, as the
 * program's buffers of blocks and groups do and what else is large does not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LARGE ((size_t)256 << 10)

/* The order of these is that of Tests/Support/counting.py. Each has a cache line of its own. */
static struct counters {
  struct { _Alignas(64) _Atomic uint64_t value; }
      allocations,     /* calls that gave memory */
      large,           /* large allocations that are in use now */
      large_peak,      /* most of them at once */
      pooled,          /* pooled allocations that are in use now */
      pooled_peak,     /* most of them at once */
      copied,          /* bytes through memcpy and memmove */
      moved;           /* bytes through read and write calls */
} unseen, *counters = &unseen;

static useconds_t delay;
static long processors;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static void *(*real_memcpy)(void *, const void *, size_t);
static void *(*real_memmove)(void *, const void *, size_t);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_readv)(int, const struct iovec *, int);
static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static long (*real_sysconf)(int);

static void add(_Atomic uint64_t *counter, uint64_t count) {
  atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

/* ---- Start ---- */

/* What is allocated while the next definitions are looked up; never freed. */
static _Alignas(16) char early[64 << 10];
static _Atomic size_t early_count;

static int is_early(const void *memory) {
  return (const char *)memory >= early && (const char *)memory < early + sizeof early;
}

static void *early_memory(size_t size) {
  size_t at = atomic_fetch_add(&early_count, (size + 15) & ~(size_t)15);
  return at + size <= sizeof early ? early + at : NULL;
}

/* Constructors of other libraries may need memory before this one's runs; looking up a definition may, too. */
__attribute__((constructor)) static void start(void) {
  static _Atomic int is_started;
  if (atomic_exchange(&is_started, 1)) return;
#define NEXT(name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name)
  NEXT(calloc); NEXT(realloc); NEXT(free); NEXT(posix_memalign); NEXT(aligned_alloc); NEXT(memcpy); NEXT(memmove);
  NEXT(read); NEXT(pread); NEXT(readv); NEXT(recv); NEXT(write); NEXT(pwrite); NEXT(writev); NEXT(pwritev); NEXT(send);
  NEXT(sysconf); NEXT(malloc);
  const char *value = getenv("VAULT_COUNT_FILE");
  if (value) {
    int fd = open(value, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *shared = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof unseen) == 0)
      shared = mmap(NULL, sizeof unseen, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) counters = shared;
    if (fd >= 0) close(fd);
  }
  if ((value = getenv("VAULT_COUNT_DELAY"))) delay = (useconds_t)atol(value);
  if ((value = getenv("VAULT_COUNT_PROCESSORS"))) processors = atol(value);
}

long sysconf(int name) {
  if (!real_sysconf) start();
  return name == _SC_NPROCESSORS_ONLN && processors > 0 ? processors : real_sysconf(name);
}

/* ---- Allocations ---- */

static int begins_page(const void *memory) { return (uintptr_t)memory % 4096 == 0; }

static void one_more(_Atomic uint64_t *counter, _Atomic uint64_t *peak) {
  uint64_t now = atomic_fetch_add(counter, 1) + 1, most = atomic_load(peak);
  while (now > most && !atomic_compare_exchange_weak(peak, &most, now)) {}
}

static void gave(void *memory) {
  if (!memory) return;
  add(&counters->allocations.value, 1);
  if (malloc_usable_size(memory) < LARGE) return;
  one_more(&counters->large.value, &counters->large_peak.value);
  if (begins_page(memory)) one_more(&counters->pooled.value, &counters->pooled_peak.value);
}

/* To be told before the memory is given back: another thread may have it at once. */
static void takes(void *memory) {
  if (malloc_usable_size(memory) < LARGE) return;
  atomic_fetch_sub(&counters->large.value, 1);
  if (begins_page(memory)) atomic_fetch_sub(&counters->pooled.value, 1);
}

void *malloc(size_t size) {
  if (!real_malloc) start();
  if (!real_malloc) return early_memory(size);
  void *memory = real_malloc(size);
  gave(memory);
  return memory;
}

void *calloc(size_t count, size_t size) {
  if (!real_malloc) start();
  /* What is early is zero: nothing of it is used twice. */
  if (!real_malloc) return early_memory(count * size);
  void *memory = real_calloc(count, size);
  gave(memory);
  return memory;
}

void free(void *memory) {
  if (!memory || is_early(memory)) return;
  takes(memory);
  real_free(memory);
}

void *realloc(void *memory, size_t size) {
  if (!memory) return malloc(size);
  if (!real_malloc || is_early(memory)) {
    char *other = malloc(size);
    size_t room = (size_t)(early + sizeof early - (char *)memory);
    for (size_t index = 0; other && index < size && index < room; index++) other[index] = ((volatile char *)memory)[index];
    return other;
  }
  if (!size) {
    free(memory);
    return NULL;
  }
  size_t before = malloc_usable_size(memory);
  takes(memory);
  void *other = real_realloc(memory, size);
  gave(other ? other : memory);
  if (!other || size <= before) atomic_fetch_sub(&counters->allocations.value, 1);
  return other;
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (!real_malloc) start();
  int error = real_posix_memalign(memory, alignment, size);
  if (!error) gave(*memory);
  return error;
}

void *aligned_alloc(size_t alignment, size_t size) {
  if (!real_malloc) start();
  void *memory = real_aligned_alloc(alignment, size);
  gave(memory);
  return memory;
}

/* ---- Copies ---- */

static void *move_bytes(void *to, const void *from, size_t count) {
  /* Before the start: bytes one by one, or the compiler makes a call to memmove of it. */
  volatile char *target = to;
  const volatile char *source = from;
  if ((char *)to <= (const char *)from)
    for (size_t index = 0; index < count; index++) target[index] = source[index];
  else
    while (count--) target[count] = source[count];
  return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  if (!real_memcpy) return move_bytes(to, from, count);
  add(&counters->copied.value, count);
  return real_memcpy(to, from, count);
}

void *memmove(void *to, const void *from, size_t count) {
  if (!real_memmove) return move_bytes(to, from, count);
  add(&counters->copied.value, count);
  return real_memmove(to, from, count);
}

void *mempcpy(void *restrict to, const void *restrict from, size_t count) { return (char *)memcpy(to, from, count) + count; }
void *__memcpy_chk(void *restrict to, const void *restrict from, size_t count, size_t room) {
  if (count > room) abort();
  return memcpy(to, from, count);
}
void *__memmove_chk(void *to, const void *from, size_t count, size_t room) {
  if (count > room) abort();
  return memmove(to, from, count);
}

/* ---- Bytes from and to the system ---- */

static ssize_t moved(ssize_t count) {
  if (count > 0) add(&counters->moved.value, (uint64_t)count);
  return count;
}

/* A call that moves bytes. */
#define MOVES(name, parameters, ...) \
  ssize_t name parameters { \
    if (!real_##name) start(); \
    return moved(real_##name(__VA_ARGS__)); \
  }

MOVES(read, (int fd, void *bytes, size_t count), fd, bytes, count)
MOVES(pread, (int fd, void *bytes, size_t count, off_t at), fd, bytes, count, at)
MOVES(readv, (int fd, const struct iovec *parts, int count), fd, parts, count)
MOVES(recv, (int fd, void *bytes, size_t count, int flags), fd, bytes, count, flags)
MOVES(write, (int fd, const void *bytes, size_t count), fd, bytes, count)
MOVES(writev, (int fd, const struct iovec *parts, int count), fd, parts, count)
MOVES(pwritev, (int fd, const struct iovec *parts, int count, off_t at), fd, parts, count, at)
MOVES(send, (int fd, const void *bytes, size_t count, int flags), fd, bytes, count, flags)

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  if (!real_pwrite) start();
  if (delay && count >= LARGE) usleep(delay);
  return moved(real_pwrite(fd, bytes, count, at));
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) { return pread(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { return pwrite(fd, bytes, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return pwritev(fd, parts, count, at); }
