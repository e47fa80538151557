/* env_posix_kernel_test.c: env_posix over a kernel that is short, interrupted or failing. The
 * system calls below stand in front of libc's, and the tests turn what they do wrong. */
#include "storage/env_posix.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ---- the kernel ---- */

static struct {
    size_t transfer_bytes_max; /* of one read or write; 0 for no limit */
    bool interrupt;            /* every other read, write and open is EINTR */
    unsigned calls;
    int write_errno; /* 0 for none; likewise below */
    int read_errno;
    int sync_errno; /* of the next fdatasync only */
    int fallocate_errno;
    bool refuse_direct_open;
    bool refuse_direct_read;
} kernel;

static bool interrupted(void) {
    if (kernel.interrupt && kernel.calls++ % 2 == 0) {
        errno = EINTR;
        return true;
    }
    return false;
}

static size_t shortened(size_t len) {
    return kernel.transfer_bytes_max && len > kernel.transfer_bytes_max ? kernel.transfer_bytes_max
                                                                        : len;
}

int open(const char *path, int flags, ...) {
    va_list args;
    mode_t mode;
    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (interrupted()) {
        return -1;
    }
    if (kernel.refuse_direct_open && (flags & O_DIRECT)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t pwritev(int fd, const struct iovec *iovecs, int count, off_t offset) {
    (void)count;
    if (interrupted()) {
        return -1;
    }
    if (kernel.write_errno) {
        errno = kernel.write_errno;
        return -1;
    }
    if (kernel.transfer_bytes_max == 0) {
        return syscall(SYS_pwritev, fd, iovecs, count, offset, 0);
    }
    return syscall(SYS_pwrite64, fd, iovecs[0].iov_base, shortened(iovecs[0].iov_len), offset);
}

ssize_t pread(int fd, void *ptr, size_t len, off_t offset) {
    if (interrupted()) {
        return -1;
    }
    if (kernel.read_errno) {
        errno = kernel.read_errno;
        return -1;
    }
    if (kernel.refuse_direct_read && (fcntl(fd, F_GETFL) & O_DIRECT)) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_pread64, fd, ptr, shortened(len), offset);
}

int fdatasync(int fd) {
    (void)fd;
    errno = kernel.sync_errno;
    kernel.sync_errno = 0;
    return errno ? -1 : 0;
}

int fallocate(int fd, int mode, off_t offset, off_t len) {
    (void)fd;
    (void)mode;
    (void)offset;
    (void)len;
    errno = kernel.fallocate_errno;
    return errno ? -1 : 0;
}

/* ---- fixture: one file "a" ---- */

static struct env *env;
static struct env_file *file;
static char dir[128];
static char path[160];
static struct error error;

static void start(void) {
    const char *parent = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/kvd_env_XXXXXX", parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a", dir);
    ck_assert_int_eq(env_posix_create(&env), STATUS_OK);
    ck_assert_int_eq(env_create(env, path, &file, &error), STATUS_OK);
}

static void end(void) {
    ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
    ck_assert_int_eq(env_remove(env, path, &error), STATUS_OK);
    rmdir(dir);
    env_posix_destroy(env);
}

static enum status append_words(void) {
    struct slice slices[] = {slice_from_text("alpha "), slice_from_text(""),
                             slice_from_text("beta "), slice_from_text("gamma")};
    return env_append(file, slices, 4, &error);
}

static void expect_text(const char *text) {
    char got[64] = {0};
    size_t got_bytes;
    ck_assert_int_eq(env_read(file, 0, got, sizeof got - 1, &got_bytes, &error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, strlen(text));
    ck_assert_str_eq(got, text);
}

/* ---- tests ---- */

START_TEST(short_writes_and_reads_are_continued_where_they_stopped) {
    start();
    for (kernel.transfer_bytes_max = 1; kernel.transfer_bytes_max <= 7;
         kernel.transfer_bytes_max++) {
        ck_assert_int_eq(append_words(), STATUS_OK);
        expect_text("alpha beta gamma");
        ck_assert_int_eq(env_file_close(file, &error), STATUS_OK);
        ck_assert_int_eq(env_remove(env, path, &error), STATUS_OK);
        ck_assert_int_eq(env_create(env, path, &file, &error), STATUS_OK);
    }
    end();
}
END_TEST

START_TEST(interrupted_calls_are_made_again) {
    kernel.interrupt = true;
    start();
    ck_assert_int_eq(append_words(), STATUS_OK);
    kernel.transfer_bytes_max = 2;
    ck_assert_int_eq(append_words(), STATUS_OK);
    expect_text("alpha beta gammaalpha beta gamma");
    end();
}
END_TEST

START_TEST(a_full_disk_or_quota_is_no_space_and_other_failures_are_io) {
    static const struct {
        int os_errno;
        enum status status;
    } cases[] = {{ENOSPC, STATUS_NO_SPACE},
                 {EDQUOT, STATUS_NO_SPACE},
                 {EIO, STATUS_IO},
                 {ENOENT, STATUS_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start();
        kernel.write_errno = cases[i].os_errno;
        ck_assert_int_eq(append_words(), cases[i].status);
        ck_assert_int_eq(error.status, cases[i].status);
        ck_assert_int_eq(error.os_errno, cases[i].os_errno);
        kernel.write_errno = 0;
        end();
    }
}
END_TEST

START_TEST(a_failed_append_ends_a_file_for_good) {
    uint64_t size = 99;
    start();
    kernel.write_errno = ENOSPC;
    ck_assert_int_eq(append_words(), STATUS_NO_SPACE);
    kernel.write_errno = 0;
    ck_assert_int_eq(append_words(), STATUS_IO);
    ck_assert_int_eq(env_size(file, &size, &error), STATUS_OK);
    ck_assert_uint_eq(size, 0);
    end();
}
END_TEST

START_TEST(a_failed_sync_is_never_tried_again) {
    start();
    ck_assert_int_eq(append_words(), STATUS_OK);
    ck_assert_int_eq(env_sync(file, &error), STATUS_OK);
    kernel.sync_errno = EIO;
    ck_assert_int_eq(env_sync(file, &error), STATUS_IO);
    ck_assert_int_eq(error.os_errno, EIO);
    ck_assert_str_eq(error.path, path);
    ck_assert_int_eq(env_sync(file, &error), STATUS_IO); /* the kernel would say OK */
    ck_assert_int_eq(append_words(), STATUS_IO);
    expect_text("alpha beta gamma"); /* reads go on */
    end();
}
END_TEST

START_TEST(a_failed_read_names_file_and_offset) {
    char got[4];
    size_t got_bytes = 77;
    start();
    ck_assert_int_eq(append_words(), STATUS_OK);
    kernel.read_errno = EIO;
    ck_assert_int_eq(env_read(file, 3, got, 4, &got_bytes, &error), STATUS_IO);
    ck_assert_uint_eq(error.offset, 3);
    ck_assert_str_eq(error.path, path);
    ck_assert_uint_eq(got_bytes, 77);
    end();
}
END_TEST

START_TEST(preallocation_tells_a_full_disk_from_a_system_that_cannot) {
    start();
    kernel.fallocate_errno = ENOSPC;
    ck_assert_int_eq(env_preallocate(file, 4096, &error), STATUS_NO_SPACE);
    kernel.fallocate_errno = EOPNOTSUPP;
    ck_assert_int_eq(env_preallocate(file, 4096, &error), STATUS_UNSUPPORTED);
    kernel.fallocate_errno = 0;
    ck_assert_int_eq(env_preallocate(file, 4096, &error), STATUS_OK);
    ck_assert_int_eq(env_preallocate(file, 0, &error), STATUS_OK);
    ck_assert_int_eq(append_words(), STATUS_OK); /* none of it is held against the file */
    end();
}
END_TEST

static void expect_direct_words(void) {
    char *got = memory_alloc_aligned(ENV_DIRECT_ALIGN, ENV_DIRECT_ALIGN);
    size_t got_bytes;
    struct env_file *direct;
    ck_assert_int_eq(append_words(), STATUS_OK);
    ck_assert_int_eq(env_open(env, path, ENV_READ_DIRECT, &direct, &error), STATUS_OK);
    ck_assert_int_eq(env_read(direct, 0, got, ENV_DIRECT_ALIGN, &got_bytes, &error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 16);
    ck_assert_mem_eq(got, "alpha beta gamma", 16);
    ck_assert_int_eq(env_file_close(direct, &error), STATUS_OK);
    memory_free(got);
}

START_TEST(a_file_system_that_refuses_direct_files_is_read_the_ordinary_way) {
    start();
    kernel.refuse_direct_open = true;
    expect_direct_words();
    end();
}
END_TEST

START_TEST(a_file_system_that_refuses_direct_reads_is_read_the_ordinary_way) {
    start();
    kernel.refuse_direct_read = true;
    expect_direct_words();
    end();
}
END_TEST

START_TEST(a_direct_read_cut_in_mid_file_is_an_error_and_not_an_end) {
    char *got = memory_alloc_aligned(ENV_DIRECT_ALIGN, ENV_DIRECT_ALIGN);
    size_t got_bytes;
    struct env_file *direct;
    start();
    ck_assert_int_eq(append_words(), STATUS_OK);
    kernel.refuse_direct_open = true; /* so that the kernel takes odd lengths */
    ck_assert_int_eq(env_open(env, path, ENV_READ_DIRECT, &direct, &error), STATUS_OK);
    kernel.transfer_bytes_max = 10;
    ck_assert_int_eq(env_read(direct, 0, got, ENV_DIRECT_ALIGN, &got_bytes, &error), STATUS_IO);
    ck_assert_uint_eq(error.offset, 10);
    ck_assert_int_eq(env_file_close(direct, &error), STATUS_OK);
    memory_free(got);
    end();
}
END_TEST

UNIT_MAIN("env_posix_kernel", short_writes_and_reads_are_continued_where_they_stopped,
          interrupted_calls_are_made_again,
          a_full_disk_or_quota_is_no_space_and_other_failures_are_io,
          a_failed_append_ends_a_file_for_good, a_failed_sync_is_never_tried_again,
          a_failed_read_names_file_and_offset,
          preallocation_tells_a_full_disk_from_a_system_that_cannot,
          a_file_system_that_refuses_direct_files_is_read_the_ordinary_way,
          a_file_system_that_refuses_direct_reads_is_read_the_ordinary_way,
          a_direct_read_cut_in_mid_file_is_an_error_and_not_an_end)
