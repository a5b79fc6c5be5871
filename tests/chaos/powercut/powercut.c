// Preloaded into a process, writes down what it does to the files below one folder, so that a test
// can say what a power cut at any moment would have left of them.
//
// WEFT_POWERCUT_FOLDER is the folder, WEFT_POWERCUT_JOURNAL the file the records go to (journal.h
// has their form). A change is recorded before it is made, a flush after it returned and with the
// number of records there were when it began. What this cannot follow, a writable shared map or a
// copy inside the kernel, ends the process: a test must not pass because nobody looked.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kCreate = 1, kWrite, kTruncate, kFlush, kFlushFolder, kRename, kUnlink, kMark, kWritten };
enum { kFilesMax = 1024, kPathMax = 512 };

struct record {
  uint32_t kind;
  uint32_t path_bytes;
  uint32_t data_bytes;
  uint32_t unused;
  uint64_t number;
};

struct file {
  char path[kPathMax];  // Empty: not watched.
  int writes_through;   // Opened so that each write is durable when it returns.
  int folder;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[kFilesMax];
static char folder[kPathMax];
static int journal = -1;
static uint64_t records;

static void stop(const char* why, const char* what) {
  dprintf(2, "powercut: %s: %s\n", why, what);
  syscall(SYS_exit_group, 97);
}

__attribute__((constructor)) static void start(void) {
  const char* where = getenv("WEFT_POWERCUT_FOLDER");
  const char* to = getenv("WEFT_POWERCUT_JOURNAL");
  if (where == NULL || to == NULL) return;
  snprintf(folder, sizeof folder, "%s", where);
  journal = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) stop("cannot open the journal", to);
}

// Appends a record with the lock held.
static uint64_t append(uint32_t kind, const char* path, uint64_t number, const void* data,
                       size_t size) {
  struct record head = {kind, (uint32_t)strlen(path), (uint32_t)size, 0, number};
  struct iovec parts[3] = {
      {&head, sizeof head}, {(void*)path, head.path_bytes}, {(void*)data, size}};
  ssize_t whole = (ssize_t)(sizeof head + head.path_bytes + size);
  if (syscall(SYS_writev, journal, parts, 3) != whole) stop("cannot write the journal", path);
  return records++;
}

static uint64_t record(uint32_t kind, const char* path, uint64_t number, const void* data,
                       size_t size) {
  pthread_mutex_lock(&lock);
  uint64_t place = append(kind, path, number, data, size);
  pthread_mutex_unlock(&lock);
  return place;
}

static int watched_path(const char* path) {
  size_t size = strlen(folder);
  size_t end = strlen(path);
  if (journal < 0 || strncmp(path, folder, size) != 0) return 0;
  // LMDB's table of readers: mapped, and made anew at each start.
  if (end > 5 && strcmp(path + end - 5, "-lock") == 0) return 0;
  // SQLite's index of its log: mapped, and made anew from the log by whoever opens the file first.
  if (end > 4 && strcmp(path + end - 4, "-shm") == 0) return 0;
  return path[size] == '/' || path[size] == 0;
}

static struct file* watched(int fd) {
  if (journal < 0 || fd < 0 || fd >= kFilesMax || files[fd].path[0] == 0) return NULL;
  return &files[fd];
}

static int open_file(int at, const char* path, int flags, mode_t mode) {
  if (!watched_path(path)) return (int)syscall(SYS_openat, at, path, flags, mode);
  int there = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
  int fd = (int)syscall(SYS_openat, at, path, flags, mode);
  if (fd < 0) return fd;
  if (fd >= kFilesMax) stop("too many open files", path);
  struct stat info;
  struct file* file = &files[fd];
  pthread_mutex_lock(&lock);
  snprintf(file->path, kPathMax, "%s", path);
  file->writes_through = (flags & (O_DSYNC | O_SYNC)) != 0;
  file->folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
  if (!there) append(kCreate, path, 0, NULL, 0);
  if (there && (flags & O_TRUNC)) append(kTruncate, path, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return fd;
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_file(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_file(at, path, flags, mode);
}

int creat(const char* path, mode_t mode) {
  return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int fd) {
  struct file* file = watched(fd);
  if (file != NULL) file->path[0] = 0;
  return (int)syscall(SYS_close, fd);
}

static void note_written(struct file* file, uint64_t place) {
  if (file->writes_through) record(kWritten, file->path, place, NULL, 0);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  struct file* file = watched(fd);
  if (file == NULL) return syscall(SYS_pwrite64, fd, data, size, offset);
  uint64_t place = record(kWrite, file->path, (uint64_t)offset, data, size);
  ssize_t done = syscall(SYS_pwrite64, fd, data, size, offset);
  if (done == (ssize_t)size) note_written(file, place);
  return done;
}

ssize_t write(int fd, const void* data, size_t size) {
  if (watched(fd) == NULL) return syscall(SYS_write, fd, data, size);
  off_t offset = lseek(fd, 0, SEEK_CUR);
  ssize_t done = pwrite(fd, data, size, offset);
  if (done > 0) lseek(fd, offset + done, SEEK_SET);
  return done;
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) {
  struct file* file = watched(fd);
  if (file == NULL) return syscall(SYS_pwritev, fd, parts, count, offset, 0);
  ssize_t done = 0;
  for (int i = 0; i < count; ++i) {
    ssize_t size = pwrite(fd, parts[i].iov_base, parts[i].iov_len, offset + done);
    if (size < 0) return done > 0 ? done : size;
    done += size;
    if (size != (ssize_t)parts[i].iov_len) break;
  }
  return done;
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (watched(fd) == NULL) return syscall(SYS_writev, fd, parts, count);
  off_t offset = lseek(fd, 0, SEEK_CUR);
  ssize_t done = pwritev(fd, parts, count, offset);
  if (done > 0) lseek(fd, offset + done, SEEK_SET);
  return done;
}

int ftruncate(int fd, off_t size) {
  struct file* file = watched(fd);
  if (file != NULL) record(kTruncate, file->path, (uint64_t)size, NULL, 0);
  return (int)syscall(SYS_ftruncate, fd, size);
}

static int flush(int fd, long call) {
  struct file* file = watched(fd);
  if (file == NULL) return (int)syscall(call, fd);
  pthread_mutex_lock(&lock);
  uint64_t begun = records;
  pthread_mutex_unlock(&lock);
  int outcome = (int)syscall(call, fd);
  if (outcome == 0) record(file->folder ? kFlushFolder : kFlush, file->path, begun, NULL, 0);
  return outcome;
}

int fsync(int fd) {
  return flush(fd, SYS_fsync);
}
int fdatasync(int fd) {
  return flush(fd, SYS_fdatasync);
}

int rename(const char* from, const char* to) {
  if (watched_path(from) || watched_path(to)) record(kRename, from, 0, to, strlen(to));
  return (int)syscall(SYS_rename, from, to);
}

int unlink(const char* path) {
  if (watched_path(path) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0) {
    record(kUnlink, path, 0, NULL, 0);
  }
  return (int)syscall(SYS_unlink, path);
}

void* mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
  struct file* file = (flags & MAP_ANONYMOUS) ? NULL : watched(fd);
  if (file != NULL && (protection & PROT_WRITE) && (flags & MAP_TYPE) != MAP_PRIVATE) {
    stop("a writable shared map", file->path);
  }
  return (void*)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  struct file* file = watched(fd);
  if (file != NULL) stop("fallocate", file->path);
  return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

ssize_t copy_file_range(int in, off_t* in_at, int out, off_t* out_at, size_t size, unsigned flags) {
  struct file* file = watched(out);
  if (file != NULL) stop("copy_file_range", file->path);
  return syscall(SYS_copy_file_range, in, in_at, out, out_at, size, flags);
}

int open64(const char*, int, ...) __attribute__((alias("open")));
int openat64(int, const char*, int, ...) __attribute__((alias("openat")));
int creat64(const char*, mode_t) __attribute__((alias("creat")));
ssize_t pwrite64(int, const void*, size_t, off_t) __attribute__((alias("pwrite")));
ssize_t pwritev64(int, const struct iovec*, int, off_t) __attribute__((alias("pwritev")));
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));
void* mmap64(void*, size_t, int, int, int, off_t) __attribute__((alias("mmap")));
int fallocate64(int, int, off_t, off_t) __attribute__((alias("fallocate")));

// Called by a program that knows of the shim: from here on it has promised that `number` is kept.
void powercut_mark(uint64_t number) {
  if (journal >= 0) record(kMark, "", number, NULL, 0);
}
