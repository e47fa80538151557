/* kvcli_tree_test.c: walking a directory tree in key order, and placing files safely in one. */
#include "client/kvcli/tree_place.h"
#include "client/kvcli/tree_walk.h"
#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- fixture: a directory of its own --- */

struct tree {
    char root[64];
    int root_fd;
    struct tree_walk *walk;
    struct error error;
};

static void open_tree(struct tree *tree) {
    memset(tree, 0, sizeof *tree);
    snprintf(tree->root, sizeof tree->root, "/tmp/kvcli-tree-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree->root));
    tree->root_fd = open(tree->root, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(tree->root_fd, 0);
    tree->walk = memory_alloc_zeroed(sizeof *tree->walk);
    ck_assert_ptr_nonnull(tree->walk);
}

static void close_tree(struct tree *tree) {
    char command[128];

    tree_walk_close(tree->walk);
    memory_free(tree->walk);
    close(tree->root_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", tree->root);
    ck_assert_int_eq(system(command), 0);
}

static enum status place_bytes(struct tree *tree, struct slice path, const char *content) {
    return tree_place_write(tree->root_fd, path, slice_from_text(content), &tree->error);
}

static enum status place(struct tree *tree, const char *path, const char *content) {
    return place_bytes(tree, slice_from_text(path), content);
}

static void add(struct tree *tree, const char *path) {
    ck_assert_int_eq(place(tree, path, path), STATUS_OK);
}

static void expect_content(struct tree *tree, const char *path, const char *content) {
    char bytes[256] = {0};
    int fd = openat(tree->root_fd, path, O_RDONLY);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, bytes, sizeof bytes - 1), (ssize_t)strlen(content));
    ck_assert_str_eq(bytes, content);
    close(fd);
}

static void begin_walk(struct tree *tree) {
    ck_assert_int_eq(tree_walk_open(tree->walk, tree->root, &tree->error), STATUS_OK);
}

static void expect_next(struct tree *tree, const char *path) {
    struct tree_file file;

    ck_assert_int_eq(tree_walk_next(tree->walk, &file, &tree->error), STATUS_OK);
    ck_assert_str_eq(file.path, path);
}

static void expect_end(struct tree *tree) {
    struct tree_file file;

    ck_assert_int_eq(tree_walk_next(tree->walk, &file, &tree->error), STATUS_END);
}

/* --- walking --- */

START_TEST(files_come_in_the_order_of_their_whole_paths) {
    struct tree tree;

    open_tree(&tree);
    add(&tree, "a/b");
    add(&tree, "a.c");
    add(&tree, "a-c");
    add(&tree, "a0");
    add(&tree, "a/a/z");
    add(&tree, "\xff");
    add(&tree, "B");
    begin_walk(&tree);
    expect_next(&tree, "B");
    expect_next(&tree, "a-c");
    expect_next(&tree, "a.c");
    expect_next(&tree, "a/a/z");
    expect_next(&tree, "a/b");
    expect_next(&tree, "a0");
    expect_next(&tree, "\xff");
    expect_end(&tree);
    expect_end(&tree);
    close_tree(&tree);
}
END_TEST

START_TEST(links_and_special_files_are_counted_and_left_out) {
    struct tree tree;

    open_tree(&tree);
    add(&tree, "file");
    ck_assert_int_eq(mkdirat(tree.root_fd, "empty", 0755), 0);
    ck_assert_int_eq(symlinkat("file", tree.root_fd, "link"), 0);
    ck_assert_int_eq(symlinkat("/", tree.root_fd, "way_out"), 0);
    ck_assert_int_eq(mkfifoat(tree.root_fd, "pipe", 0644), 0);
    begin_walk(&tree);
    expect_next(&tree, "file");
    expect_end(&tree);
    ck_assert_uint_eq(tree.walk->links, 2);
    ck_assert_uint_eq(tree.walk->others, 1);
    close_tree(&tree);
}
END_TEST

START_TEST(a_file_replaced_by_a_link_is_not_opened) {
    struct tree tree;
    struct tree_file file;
    uint64_t bytes;
    int fd;

    open_tree(&tree);
    add(&tree, "file");
    begin_walk(&tree);
    ck_assert_int_eq(tree_walk_next(tree.walk, &file, &tree.error), STATUS_OK);
    ck_assert_int_eq(tree_file_open(&file, &fd, &bytes, &tree.error), STATUS_OK);
    ck_assert_uint_eq(bytes, 4);
    close(fd);
    ck_assert_int_eq(unlinkat(tree.root_fd, "file", 0), 0);
    ck_assert_int_eq(symlinkat("/etc/passwd", tree.root_fd, "file"), 0);
    ck_assert_int_eq(tree_file_open(&file, &fd, &bytes, &tree.error), STATUS_IO);
    close_tree(&tree);
}
END_TEST

START_TEST(a_directory_that_goes_away_is_told_and_the_walk_goes_on) {
    struct tree tree;
    struct tree_file file;

    open_tree(&tree);
    add(&tree, "a/file");
    add(&tree, "b");
    begin_walk(&tree);
    ck_assert_int_eq(unlinkat(tree.root_fd, "a/file", 0), 0);
    ck_assert_int_eq(unlinkat(tree.root_fd, "a", AT_REMOVEDIR), 0);
    ck_assert_int_eq(tree_walk_next(tree.walk, &file, &tree.error), STATUS_IO);
    ck_assert_str_eq(tree.error.path, "a");
    expect_next(&tree, "b");
    expect_end(&tree);
    close_tree(&tree);
}
END_TEST

START_TEST(a_walk_says_when_memory_ends_and_leaks_nothing) {
    struct tree tree;
    uint64_t countdown = 0;
    enum status status = STATUS_NO_MEMORY;

    open_tree(&tree);
    add(&tree, "a/b/c");
    for (; status == STATUS_NO_MEMORY; countdown++) {
        struct tree_file file;
        memory_fail_after(countdown, true);
        status = tree_walk_open(tree.walk, tree.root, &tree.error);
        if (status == STATUS_OK) {
            status = tree_walk_next(tree.walk, &file, &tree.error);
        }
        memory_fail_never();
        tree_walk_close(tree.walk);
    }
    ck_assert_int_eq(status, STATUS_OK);
    ck_assert_uint_gt(countdown, 3);
    close_tree(&tree);
}
END_TEST

START_TEST(a_root_that_is_none_is_told) {
    struct tree tree;

    open_tree(&tree);
    ck_assert_int_eq(tree_walk_open(tree.walk, "/nonexistent/kvcli", &tree.error), STATUS_IO);
    ck_assert_int_eq(tree.error.os_errno, ENOENT);
    close_tree(&tree);
}
END_TEST

/* --- placing --- */

START_TEST(files_are_placed_with_their_directories_and_replaced) {
    struct tree tree;

    open_tree(&tree);
    ck_assert_int_eq(place(&tree, "one/two/three", "a longer content"), STATUS_OK);
    ck_assert_int_eq(place(&tree, "one/two/three", "short"), STATUS_OK);
    ck_assert_int_eq(place(&tree, "one/two/empty", ""), STATUS_OK);
    expect_content(&tree, "one/two/three", "short");
    expect_content(&tree, "one/two/empty", "");
    close_tree(&tree);
}
END_TEST

START_TEST(paths_that_leave_the_tree_are_refused) {
    static const char *const paths[] = {"",     "/",    "/a",     "a/",  "a//b",  ".",   "..",
                                        "../a", "a/..", "a/../b", "./a", "a/./b", "a/.."};
    char long_name[300];
    struct tree tree;

    open_tree(&tree);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ck_assert_msg(place(&tree, paths[i], "x") == STATUS_INVALID, "taken: '%s'", paths[i]);
    }
    ck_assert_int_eq(place_bytes(&tree, slice_make("a\0b", 3), "x"), STATUS_INVALID);
    memset(long_name, 'n', sizeof long_name);
    ck_assert_int_eq(place_bytes(&tree, slice_make(long_name, 256), "x"), STATUS_INVALID);
    ck_assert_int_eq(place_bytes(&tree, slice_make(long_name, 255), "x"), STATUS_OK);
    ck_assert_int_eq(place(&tree, "...", "x"), STATUS_OK); /* an ordinary name */
    close_tree(&tree);
}
END_TEST

START_TEST(links_are_not_followed_when_placing) {
    struct tree tree;

    open_tree(&tree);
    ck_assert_int_eq(place(&tree, "outside", "untouched"), STATUS_OK);
    ck_assert_int_eq(mkdirat(tree.root_fd, "in", 0755), 0);
    ck_assert_int_eq(symlinkat("..", tree.root_fd, "in/up"), 0);
    ck_assert_int_eq(symlinkat("../outside", tree.root_fd, "in/file"), 0);
    ck_assert_int_eq(place(&tree, "in/up/outside", "changed"), STATUS_IO);
    ck_assert_int_eq(place(&tree, "in/file", "changed"), STATUS_IO);
    expect_content(&tree, "outside", "untouched");
    close_tree(&tree);
}
END_TEST

START_TEST(a_file_where_a_directory_must_be_is_told) {
    struct tree tree;

    open_tree(&tree);
    add(&tree, "a");
    ck_assert_int_eq(place(&tree, "a/b", "x"), STATUS_IO);
    add(&tree, "d/e");
    ck_assert_int_eq(place(&tree, "d", "x"), STATUS_IO);
    ck_assert_int_eq(mkfifoat(tree.root_fd, "pipe", 0644), 0);
    ck_assert_int_eq(place(&tree, "pipe", "x"), STATUS_IO);
    close_tree(&tree);
}
END_TEST

UNIT_MAIN("kvcli_tree", files_come_in_the_order_of_their_whole_paths,
          links_and_special_files_are_counted_and_left_out, a_file_replaced_by_a_link_is_not_opened,
          a_directory_that_goes_away_is_told_and_the_walk_goes_on,
          a_walk_says_when_memory_ends_and_leaks_nothing, a_root_that_is_none_is_told,
          files_are_placed_with_their_directories_and_replaced,
          paths_that_leave_the_tree_are_refused, links_are_not_followed_when_placing,
          a_file_where_a_directory_must_be_is_told)
