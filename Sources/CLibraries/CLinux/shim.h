#pragma once
/* No _GNU_SOURCE here: Swift's own Glibc module is built without it, and some structs differ with it. What only
 * _GNU_SOURCE declares is therefore reached by its system call or its documented constant. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <malloc.h>
#include <pwd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
  VAULT_O_NOATIME = __O_NOATIME,
  VAULT_O_PATH = __O_PATH,
  VAULT_O_DIRECT = __O_DIRECT,
  VAULT_F_OFD_GETLK = 36,
  VAULT_F_OFD_SETLK = 37,
  VAULT_AT_EMPTY_PATH = 0x1000,
  VAULT_SEEK_DATA = 3,
  VAULT_SEEK_HOLE = 4,
  VAULT_AT_NO_AUTOMOUNT = 0x800,
};

/* Variadic in C, so Swift does not import it. */
static inline int vault_openat(int at, const char *path, int flags, mode_t mode) { return openat(at, path, flags, mode); }
static inline int vault_open_unnamed(int at, mode_t mode) { return openat(at, ".", O_RDWR | __O_TMPFILE | O_CLOEXEC, mode); }
static inline int vault_fcntl_lock(int fd, int command, struct flock *lock) { return fcntl(fd, command, lock); }
static inline int vault_fcntl_int(int fd, int command, int value) { return fcntl(fd, command, value); }
/* The kernel reads and writes an int, whatever the macros say. */
static inline int vault_inode_flags_get(int fd, unsigned *flags) { return ioctl(fd, FS_IOC_GETFLAGS, flags); }
static inline int vault_inode_flags_set(int fd, const unsigned *flags) { return ioctl(fd, FS_IOC_SETFLAGS, flags); }
/* Declared only for _GNU_SOURCE, or by no libc at all. */
static inline int vault_statx(int at, const char *path, int flags, unsigned mask, struct statx *out) { return (int)syscall(SYS_statx, at, path, flags, mask, out); }
static inline long vault_openat2(int at, const char *path, struct open_how *how) { return syscall(SYS_openat2, at, path, how, sizeof *how); }
static inline long vault_getdents64(int fd, void *buffer, size_t count) { return syscall(SYS_getdents64, fd, buffer, count); }
static inline int vault_renameat2(int from, const char *old_name, int to, const char *new_name, unsigned flags) { return (int)syscall(SYS_renameat2, from, old_name, to, new_name, flags); }
extern int syncfs(int fd);
static inline int vault_syncfs(int fd) { return syncfs(fd); }
static inline int vault_set_thread_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }
static inline uint64_t vault_device_make(unsigned major, unsigned minor) { return gnu_dev_makedev(major, minor); }
/* A macro over a thread-local. */
static inline int vault_errno(void) { return errno; }
/* Declared only for _GNU_SOURCE. */
static inline int vault_accept4(int fd, struct sockaddr *address, socklen_t *length) { return (int)syscall(SYS_accept4, fd, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK); }
/* `struct epoll_event` is packed and holds a union. */
static inline int vault_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, operation, fd, &event);
}
enum { VAULT_EPOLL_BATCH = 64 };
static inline int vault_epoll_wait(int epoll, uint64_t *tokens, uint32_t *events, int milliseconds) {
  struct epoll_event ready[VAULT_EPOLL_BATCH];
  int count = epoll_wait(epoll, ready, VAULT_EPOLL_BATCH, milliseconds);
  for (int index = 0; index < count; index++) {
    tokens[index] = ready[index].data.u64;
    events[index] = ready[index].events;
  }
  return count;
}
/* EPOLLONESHOT is an enumerator whose value does not fit Swift's idea of the enumeration. */
enum { VAULT_EPOLL_IN = 0x001, VAULT_EPOLL_OUT = 0x004, VAULT_EPOLL_ERROR = 0x008, VAULT_EPOLL_HANG_UP = 0x010 };
static const uint32_t VAULT_EPOLL_ONE_SHOT = 1u << 30;
