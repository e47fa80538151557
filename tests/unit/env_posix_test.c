/* env_posix_test.c: the disk behind env.h, on a directory of its own under TMPDIR (or /tmp). */
#include "storage/env_posix.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MIB (1024 * 1024)

/* ---- fixture ---- */

struct disk {
    struct env *env;
    char dir[128];
    char paths[4][192];
    unsigned path_count;
    struct error error;
};

static struct disk disk;

static void disk_open(void) {
    const char *parent = getenv("TMPDIR");
    snprintf(disk.dir, sizeof disk.dir, "%s/kvd_env_XXXXXX", parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(disk.dir));
    ck_assert_int_eq(env_posix_create(&disk.env), STATUS_OK);
}

static enum status remove_cb(void *arg, const char *name, uint64_t size_bytes) {
    char path[512];
    (void)arg;
    (void)size_bytes;
    snprintf(path, sizeof path, "%s/%s", disk.dir, name);
    return env_remove(disk.env, path, NULL);
}

static void disk_close(void) {
    ck_assert_int_eq(env_list(disk.env, disk.dir, remove_cb, NULL, &disk.error), STATUS_OK);
    rmdir(disk.dir);
    env_posix_destroy(disk.env);
}

static const char *path_of(const char *name) {
    char *path = disk.paths[disk.path_count++ % 4];
    snprintf(path, sizeof disk.paths[0], "%s/%s", disk.dir, name);
    return path;
}

static struct env_file *create(const char *name) {
    struct env_file *file = NULL;
    ck_assert_int_eq(env_create(disk.env, path_of(name), &file, &disk.error), STATUS_OK);
    return file;
}

static struct env_file *open_as(const char *name, enum env_read_mode mode) {
    struct env_file *file = NULL;
    ck_assert_int_eq(env_open(disk.env, path_of(name), mode, &file, &disk.error), STATUS_OK);
    return file;
}

static void append(struct env_file *file, const char *text) {
    struct slice slice = slice_from_text(text);
    ck_assert_int_eq(env_append(file, &slice, 1, &disk.error), STATUS_OK);
}

static void append_bytes(struct env_file *file, size_t bytes, int seed) {
    uint8_t *block = memory_alloc(bytes);
    struct slice slice = slice_make(block, bytes);
    for (size_t i = 0; i < bytes; i++) {
        block[i] = (uint8_t)(i * 7 + (size_t)seed);
    }
    ck_assert_int_eq(env_append(file, &slice, 1, &disk.error), STATUS_OK);
    memory_free(block);
}

static void expect_text(struct env_file *file, const char *text) {
    char got[64] = {0};
    size_t got_bytes = 99;
    ck_assert_int_eq(env_read(file, 0, got, sizeof got - 1, &got_bytes, &disk.error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, strlen(text));
    ck_assert_str_eq(got, text);
}

static void close_file(struct env_file *file) {
    ck_assert_int_eq(env_file_close(file, &disk.error), STATUS_OK);
}

static struct stat stat_of(const char *name) {
    struct stat info;
    ck_assert_int_eq(stat(path_of(name), &info), 0);
    return info;
}

/* ---- files ---- */

START_TEST(what_is_appended_is_read_back_at_once_and_after_reopening) {
    struct env_file *file;
    uint64_t size = 0;
    disk_open();
    file = create("a");
    append(file, "hello ");
    append(file, "world");
    expect_text(file, "hello world");
    ck_assert_int_eq(env_sync(file, &disk.error), STATUS_OK);
    ck_assert_int_eq(env_sync_dir(disk.env, disk.dir, &disk.error), STATUS_OK);
    ck_assert_int_eq(env_size(file, &size, &disk.error), STATUS_OK);
    ck_assert_uint_eq(size, 11);
    close_file(file);
    file = open_as("a", ENV_READ_CACHED);
    expect_text(file, "hello world");
    ck_assert_int_eq(env_size(file, &size, &disk.error), STATUS_OK);
    ck_assert_uint_eq(size, 11);
    close_file(file);
    disk_close();
}
END_TEST

START_TEST(files_are_0600_and_directories_0700) {
    char sub[256];
    disk_open();
    umask(0);
    close_file(create("a"));
    ck_assert_int_eq(stat_of("a").st_mode & 0777, 0600);
    snprintf(sub, sizeof sub, "%s/sub", disk.dir);
    ck_assert_int_eq(env_make_dir(disk.env, sub, &disk.error), STATUS_OK);
    ck_assert_int_eq(stat_of("sub").st_mode & 0777, 0700);
    ck_assert_int_eq(env_make_dir(disk.env, sub, &disk.error), STATUS_OK);
    rmdir(sub);
    disk_close();
}
END_TEST

START_TEST(an_append_of_1024_slices_some_empty_arrives_in_order) {
    static uint8_t bytes[ENV_APPEND_SLICES_MAX];
    struct slice slices[ENV_APPEND_SLICES_MAX];
    uint8_t got[ENV_APPEND_SLICES_MAX];
    size_t got_bytes = 0;
    size_t expected = 0;
    struct env_file *file;
    disk_open();
    for (size_t i = 0; i < ENV_APPEND_SLICES_MAX; i++) {
        bytes[i] = (uint8_t)(i % 251);
        slices[i] = slice_make(i % 5 == 4 ? NULL : &bytes[i], i % 5 == 4 ? 0 : 1);
    }
    file = create("a");
    ck_assert_int_eq(env_append(file, slices, ENV_APPEND_SLICES_MAX, &disk.error), STATUS_OK);
    ck_assert_int_eq(env_read(file, 0, got, sizeof got, &got_bytes, &disk.error), STATUS_OK);
    for (size_t i = 0; i < ENV_APPEND_SLICES_MAX; i++) {
        if (i % 5 != 4) {
            ck_assert_uint_eq(got[expected++], bytes[i]);
        }
    }
    ck_assert_uint_eq(got_bytes, expected);
    close_file(file);
    disk_close();
}
END_TEST

START_TEST(an_append_of_nothing_changes_nothing) {
    struct slice empty = slice_make(NULL, 0);
    struct env_file *file;
    disk_open();
    file = create("a");
    ck_assert_int_eq(env_append(file, &empty, 1, &disk.error), STATUS_OK);
    expect_text(file, "");
    close_file(file);
    disk_close();
}
END_TEST

START_TEST(reads_at_and_past_the_end_are_short) {
    char got[8];
    size_t got_bytes = 99;
    struct env_file *file;
    disk_open();
    file = create("a");
    append(file, "abc");
    ck_assert_int_eq(env_read(file, 2, got, 8, &got_bytes, &disk.error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 1);
    ck_assert_int_eq(env_read(file, 3, got, 8, &got_bytes, &disk.error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 0);
    ck_assert_int_eq(env_read(file, 1000, got, 8, &got_bytes, &disk.error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, 0);
    close_file(file);
    disk_close();
}
END_TEST

START_TEST(a_removed_file_is_read_by_its_open_handle) {
    struct env_file *file;
    struct env_file *other = NULL;
    disk_open();
    file = create("a");
    append(file, "abc");
    ck_assert_int_eq(env_remove(disk.env, path_of("a"), &disk.error), STATUS_OK);
    expect_text(file, "abc");
    close_file(file);
    ck_assert_int_eq(env_open(disk.env, path_of("a"), ENV_READ_CACHED, &other, &disk.error),
                     STATUS_NOT_FOUND);
    ck_assert_int_eq(env_remove(disk.env, path_of("a"), &disk.error), STATUS_NOT_FOUND);
    disk_close();
}
END_TEST

START_TEST(a_link_is_a_second_name_of_the_same_file) {
    struct env_file *file;
    char path[ENV_PATH_MAX];
    disk_open();
    file = create("a");
    append(file, "abc");
    close_file(file);
    snprintf(path, sizeof path, "%s", path_of("a"));
    ck_assert_int_eq(env_link(disk.env, path, path_of("b"), &disk.error), STATUS_OK);
    ck_assert_int_eq(env_link(disk.env, path, path_of("b"), &disk.error), STATUS_EXISTS);
    ck_assert_int_eq(env_remove(disk.env, path, &disk.error), STATUS_OK);
    ck_assert_int_eq(env_open(disk.env, path_of("b"), ENV_READ_CACHED, &file, &disk.error),
                     STATUS_OK);
    expect_text(file, "abc");
    close_file(file);
    ck_assert_int_eq(env_link(disk.env, path, path_of("c"), &disk.error), STATUS_NOT_FOUND);
    disk_close();
}
END_TEST

START_TEST(creating_an_existing_file_says_exists_and_names_it) {
    struct env_file *file = NULL;
    disk_open();
    close_file(create("a"));
    ck_assert_int_eq(env_create(disk.env, path_of("a"), &file, &disk.error), STATUS_EXISTS);
    ck_assert_str_eq(disk.error.path, path_of("a"));
    ck_assert_int_eq(disk.error.os_errno, EEXIST);
    disk_close();
}
END_TEST

START_TEST(symbolic_links_are_not_followed) {
    struct env_file *file = NULL;
    disk_open();
    close_file(create("a"));
    ck_assert_int_eq(symlink("a", path_of("link")), 0);
    ck_assert_int_eq(symlink(disk.dir, path_of("dirlink")), 0);
    ck_assert_int_eq(env_open(disk.env, path_of("link"), ENV_READ_CACHED, &file, &disk.error),
                     STATUS_INVALID);
    ck_assert_int_eq(env_make_dir(disk.env, path_of("dirlink"), &disk.error), STATUS_INVALID);
    ck_assert_int_eq(env_make_dir(disk.env, path_of("a"), &disk.error), STATUS_INVALID);
    unlink(path_of("link"));
    unlink(path_of("dirlink"));
    disk_close();
}
END_TEST

START_TEST(a_path_longer_than_the_limit_is_refused) {
    static char path[ENV_PATH_MAX + 1];
    struct env_file *file = NULL;
    disk_open();
    memset(path, 'a', ENV_PATH_MAX);
    ck_assert_int_eq(env_create(disk.env, path, &file, &disk.error), STATUS_INVALID);
    ck_assert_int_eq(env_create(disk.env, "", &file, &disk.error), STATUS_INVALID);
    disk_close();
}
END_TEST

START_TEST(a_cached_file_is_read_without_waiting_and_a_short_one_would_block) {
    char got[4] = {0};
    enum status status;
    struct env_file *file;
    disk_open();
    file = create("a");
    append(file, "abcd");
    status = env_read_nowait(file, 1, got, 3, &disk.error);
    if (status == STATUS_OK) { /* else the file system of TMPDIR cannot */
        ck_assert_mem_eq(got, "bcd", 3);
    } else {
        ck_assert_int_eq(status, STATUS_WOULD_BLOCK);
    }
    ck_assert_int_eq(env_read_nowait(file, 1, got, 4, &disk.error), STATUS_WOULD_BLOCK);
    close_file(file);
    disk_close();
}
END_TEST

/* ---- direct reads ---- */

static void expect_direct_bytes(size_t file_bytes, int seed) {
    size_t read_bytes = (file_bytes / ENV_DIRECT_ALIGN + 2) * ENV_DIRECT_ALIGN;
    uint8_t *got = memory_alloc_aligned(ENV_DIRECT_ALIGN, read_bytes);
    size_t got_bytes = 0;
    struct env_file *file = open_as("a", ENV_READ_DIRECT);
    ck_assert_int_eq(env_read(file, 0, got, read_bytes, &got_bytes, &disk.error), STATUS_OK);
    ck_assert_uint_eq(got_bytes, file_bytes);
    for (size_t i = 0; i < file_bytes; i++) {
        ck_assert_uint_eq(got[i], (uint8_t)(i * 7 + (size_t)seed));
    }
    ck_assert_int_eq(env_read_nowait(file, 0, got, ENV_DIRECT_ALIGN, &disk.error),
                     STATUS_WOULD_BLOCK);
    close_file(file);
    memory_free(got);
}

START_TEST(direct_reads_see_everything_up_to_an_unaligned_end) {
    static const size_t sizes[] = {0, 1, 511, 4095, 4096, 4097, 8192, 10000, 3 * MIB + 17};
    disk_open();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct env_file *file = create("a");
        if (sizes[i] > 0) {
            append_bytes(file, sizes[i], (int)i);
        }
        ck_assert_int_eq(env_sync(file, &disk.error), STATUS_OK);
        close_file(file);
        expect_direct_bytes(sizes[i], (int)i);
        ck_assert_int_eq(env_remove(disk.env, path_of("a"), &disk.error), STATUS_OK);
    }
    disk_close();
}
END_TEST

START_TEST(direct_reads_of_unsynced_bytes_and_on_tmpfs_work_too) {
    struct env_file *file;
    disk_open();
    file = create("a");
    append_bytes(file, 5000, 3);
    expect_direct_bytes(5000, 3);
    close_file(file);
    disk_close();
    if (access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1);
        disk_open();
        file = create("a");
        append_bytes(file, 5000, 3);
        expect_direct_bytes(5000, 3);
        close_file(file);
        disk_close();
    }
}
END_TEST

/* ---- space ---- */

START_TEST(preallocation_keeps_the_size_and_finish_gives_the_rest_back) {
    struct env_file *file;
    uint64_t size = 99;
    enum status status;
    disk_open();
    file = create("a");
    append(file, "abc");
    status = env_preallocate(file, 8 * MIB, &disk.error);
    if (status == STATUS_OK) {
        ck_assert_int_ge(stat_of("a").st_blocks * 512, 8 * MIB);
    } else {
        ck_assert_int_eq(status, STATUS_UNSUPPORTED);
    }
    ck_assert_int_eq(env_size(file, &size, &disk.error), STATUS_OK);
    ck_assert_uint_eq(size, 3);
    ck_assert_int_eq(stat_of("a").st_size, 3);
    ck_assert_int_eq(env_finish(file, &disk.error), STATUS_OK);
    ck_assert_int_eq(env_sync(file, &disk.error), STATUS_OK);
    ck_assert_int_lt(stat_of("a").st_blocks * 512, MIB);
    expect_text(file, "abc");
    close_file(file);
    disk_close();
}
END_TEST

START_TEST(many_appends_across_write_back_borders_keep_every_byte) {
    size_t piece = MIB + 1000;
    struct env_file *file;
    uint8_t got[16];
    size_t got_bytes;
    disk_open();
    file = create("a");
    for (int i = 0; i < 12; i++) {
        append_bytes(file, piece, i);
    }
    for (size_t i = 0; i < 12; i++) {
        ck_assert_int_eq(env_read(file, i * piece, got, 16, &got_bytes, &disk.error), STATUS_OK);
        ck_assert_uint_eq(got[0], (uint8_t)i);
        ck_assert_uint_eq(got[1], (uint8_t)(i + 7));
    }
    ck_assert_int_eq(env_sync(file, &disk.error), STATUS_OK);
    close_file(file);
    disk_close();
}
END_TEST

START_TEST(a_file_over_the_limit_is_no_space_and_takes_no_further_append_or_sync) {
    struct rlimit limit = {.rlim_cur = 10000, .rlim_max = RLIM_INFINITY};
    static uint8_t block[8000];
    struct slice slice = slice_make(block, sizeof block);
    struct env_file *file;
    disk_open();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 10000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    file = create("a");
    ck_assert_int_eq(env_append(file, &slice, 1, &disk.error), STATUS_OK);
    ck_assert_int_eq(env_append(file, &slice, 1, &disk.error), STATUS_NO_SPACE);
    ck_assert_int_eq(disk.error.os_errno, EFBIG);
    ck_assert_uint_eq(disk.error.offset, 10000);
    ck_assert_int_eq(env_append(file, &slice, 1, &disk.error), STATUS_IO);
    ck_assert_int_eq(env_sync(file, &disk.error), STATUS_IO);
    ck_assert_int_eq(env_finish(file, &disk.error), STATUS_IO);
    close_file(file);
    disk_close();
}
END_TEST

START_TEST(space_tells_of_the_file_system) {
    struct env_space space = {0};
    disk_open();
    ck_assert_int_eq(env_space(disk.env, disk.dir, &space, &disk.error), STATUS_OK);
    ck_assert_uint_gt(space.total_bytes, 0);
    ck_assert_uint_le(space.free_bytes, space.total_bytes);
    ck_assert_int_eq(env_space(disk.env, path_of("none"), &space, &disk.error), STATUS_NOT_FOUND);
    disk_close();
}
END_TEST

/* ---- directories ---- */

struct listing {
    unsigned count;
    uint64_t bytes;
};

static enum status count_cb(void *arg, const char *name, uint64_t size_bytes) {
    struct listing *listing = arg;
    ck_assert_str_ne(name, "sub");
    listing->count++;
    listing->bytes += size_bytes;
    return STATUS_OK;
}

static enum status stop_cb(void *arg, const char *name, uint64_t size_bytes) {
    (void)arg;
    (void)name;
    (void)size_bytes;
    return STATUS_END;
}

START_TEST(a_listing_has_each_regular_file_with_its_size) {
    struct listing listing = {0};
    struct env_file *file;
    disk_open();
    file = create("a");
    append(file, "abc");
    close_file(file);
    close_file(create("b"));
    ck_assert_int_eq(env_make_dir(disk.env, path_of("sub"), &disk.error), STATUS_OK);
    ck_assert_int_eq(env_list(disk.env, disk.dir, count_cb, &listing, &disk.error), STATUS_OK);
    ck_assert_uint_eq(listing.count, 2);
    ck_assert_uint_eq(listing.bytes, 3);
    ck_assert_int_eq(env_list(disk.env, disk.dir, stop_cb, NULL, &disk.error), STATUS_END);
    ck_assert_int_eq(env_list(disk.env, path_of("none"), count_cb, &listing, &disk.error),
                     STATUS_NOT_FOUND);
    rmdir(path_of("sub"));
    disk_close();
}
END_TEST

START_TEST(make_dir_finds_its_parent_however_the_path_is_written) {
    char path[256];
    disk_open();
    snprintf(path, sizeof path, "%s//sub//", disk.dir);
    ck_assert_int_eq(env_make_dir(disk.env, path, &disk.error), STATUS_OK);
    rmdir(path);
    ck_assert_int_eq(chdir(disk.dir), 0);
    ck_assert_int_eq(env_make_dir(disk.env, "sub", &disk.error), STATUS_OK);
    rmdir("sub");
    ck_assert_int_eq(env_make_dir(disk.env, "none/sub", &disk.error), STATUS_NOT_FOUND);
    ck_assert_int_eq(env_make_dir(disk.env, "/", &disk.error), STATUS_OK);
    disk_close();
}
END_TEST

/* ---- the lock ---- */

START_TEST(a_second_lock_in_the_same_process_is_refused_and_names_the_owner) {
    struct env_lock *lock = NULL;
    struct env_lock *second = NULL;
    char expected[64];
    disk_open();
    ck_assert_int_eq(env_lock_dir(disk.env, disk.dir, &lock, &disk.error), STATUS_OK);
    ck_assert_int_eq(env_lock_dir(disk.env, disk.dir, &second, &disk.error), STATUS_LOCKED);
    snprintf(expected, sizeof expected, "in use by pid %ld since 2", (long)getpid());
    ck_assert_int_eq(strncmp(disk.error.text, expected, strlen(expected)), 0);
    ck_assert_uint_eq(strlen(disk.error.text), strlen(expected) + 19); /* "026-01-31T23:59:59Z" */
    env_unlock(disk.env, lock);
    ck_assert_int_eq(env_lock_dir(disk.env, disk.dir, &second, &disk.error), STATUS_OK);
    env_unlock(disk.env, second);
    disk_close();
}
END_TEST

START_TEST(an_unreadable_owner_is_another_process) {
    struct env_lock *lock = NULL;
    struct env_lock *second = NULL;
    disk_open();
    ck_assert_int_eq(env_lock_dir(disk.env, disk.dir, &lock, &disk.error), STATUS_OK);
    ck_assert_int_eq(truncate(path_of("LOCK"), 0), 0);
    ck_assert_int_eq(env_lock_dir(disk.env, disk.dir, &second, &disk.error), STATUS_LOCKED);
    ck_assert_str_eq(disk.error.text, "in use by another process");
    env_unlock(disk.env, lock);
    disk_close();
}
END_TEST

START_TEST(a_lock_in_a_missing_directory_is_not_found) {
    struct env_lock *lock = NULL;
    disk_open();
    ck_assert_int_eq(env_lock_dir(disk.env, path_of("none"), &lock, &disk.error), STATUS_NOT_FOUND);
    disk_close();
}
END_TEST

/* ---- the rest ---- */

START_TEST(the_nth_allocation_fails_and_leaves_no_descriptor) {
    struct env_file *file = NULL;
    struct env_lock *lock = NULL;
    struct env *env = NULL;
    disk_open();
    close_file(create("a"));
    memory_fail_after(0, true);
    ck_assert_int_eq(env_posix_create(&env), STATUS_NO_MEMORY);
    ck_assert_int_eq(env_create(disk.env, path_of("b"), &file, &disk.error), STATUS_NO_MEMORY);
    ck_assert_int_eq(env_open(disk.env, path_of("a"), ENV_READ_CACHED, &file, &disk.error),
                     STATUS_NO_MEMORY);
    ck_assert_int_eq(env_lock_dir(disk.env, disk.dir, &lock, &disk.error), STATUS_NO_MEMORY);
    memory_fail_never();
    ck_assert_int_ne(access(path_of("b"), F_OK), 0);
    disk_close();
}
END_TEST

START_TEST(running_out_of_descriptors_is_an_io_error_with_its_errno) {
    struct rlimit limit;
    struct env_file *file = NULL;
    disk_open();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(env_create(disk.env, path_of("a"), &file, &disk.error), STATUS_IO);
    ck_assert_int_eq(disk.error.os_errno, EMFILE);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    disk_close();
}
END_TEST

static bool is_tmpfs(const char *dir) {
    struct statfs file_system;
    return statfs(dir, &file_system) == 0 && file_system.f_type == TMPFS_MAGIC;
}

START_TEST(an_ordinary_directory_passes_the_check_and_tmpfs_is_warned_about) {
    char warning[ENV_POSIX_WARNING_MAX] = "?";
    disk_open();
    ck_assert_int_eq(env_posix_check_dir(disk.env, disk.dir, warning, &disk.error), STATUS_OK);
    ck_assert_str_ne(warning, "?");
    ck_assert_int_eq(env_posix_check_dir(disk.env, path_of("none"), warning, &disk.error),
                     STATUS_NOT_FOUND);
    if (access("/dev/shm", W_OK) == 0 && is_tmpfs("/dev/shm")) {
        ck_assert_int_eq(env_posix_check_dir(disk.env, "/dev/shm", warning, &disk.error),
                         STATUS_OK);
        ck_assert_ptr_nonnull(strstr(warning, "tmpfs"));
    }
    disk_close();
}
END_TEST

START_TEST(a_file_system_that_cannot_sync_directories_is_refused) {
    char warning[ENV_POSIX_WARNING_MAX];
    disk_open();
    ck_assert_int_eq(env_posix_check_dir(disk.env, "/proc/self/task", warning, &disk.error),
                     STATUS_UNSUPPORTED);
    disk_close();
}
END_TEST

START_TEST(the_clocks_go_forward) {
    uint64_t before;
    disk_open();
    before = env_monotonic_ns(disk.env);
    usleep(2000);
    ck_assert_uint_ge(env_monotonic_ns(disk.env), before + 2000000);
    ck_assert_uint_gt(env_wall_clock_ms(disk.env), UINT64_C(1600000000000));
    disk_close();
}
END_TEST

UNIT_MAIN("env_posix", what_is_appended_is_read_back_at_once_and_after_reopening,
          files_are_0600_and_directories_0700, an_append_of_1024_slices_some_empty_arrives_in_order,
          an_append_of_nothing_changes_nothing, reads_at_and_past_the_end_are_short,
          a_removed_file_is_read_by_its_open_handle, a_link_is_a_second_name_of_the_same_file,
          creating_an_existing_file_says_exists_and_names_it, symbolic_links_are_not_followed,
          a_path_longer_than_the_limit_is_refused,
          a_cached_file_is_read_without_waiting_and_a_short_one_would_block,
          direct_reads_see_everything_up_to_an_unaligned_end,
          direct_reads_of_unsynced_bytes_and_on_tmpfs_work_too,
          preallocation_keeps_the_size_and_finish_gives_the_rest_back,
          many_appends_across_write_back_borders_keep_every_byte,
          a_file_over_the_limit_is_no_space_and_takes_no_further_append_or_sync,
          space_tells_of_the_file_system, a_listing_has_each_regular_file_with_its_size,
          make_dir_finds_its_parent_however_the_path_is_written,
          a_second_lock_in_the_same_process_is_refused_and_names_the_owner,
          an_unreadable_owner_is_another_process, a_lock_in_a_missing_directory_is_not_found,
          the_nth_allocation_fails_and_leaves_no_descriptor,
          running_out_of_descriptors_is_an_io_error_with_its_errno,
          an_ordinary_directory_passes_the_check_and_tmpfs_is_warned_about,
          a_file_system_that_cannot_sync_directories_is_refused, the_clocks_go_forward)
