/* server_client_list_test.c: the list of connections. */
#include "protocol/base/memory.h"
#include "server/client_list.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <string.h>

#define RECORDS_MAX 8

struct room {
    struct client_list *list;
    struct client_record records[RECORDS_MAX];
};

static void open_room(struct room *room) {
    memset(room, 0, sizeof *room);
    ck_assert_int_eq(client_list_create(&room->list), STATUS_OK);
    for (uint64_t i = 0; i < RECORDS_MAX; i++) {
        room->records[i].id = i + 1;
    }
}

/* The ids that are listed, as a number in base 10. */
static uint64_t ids(struct room *room) {
    struct client_view *views;
    uint32_t count;
    uint64_t all = 0;

    ck_assert_int_eq(client_list_copy(room->list, &views, &count), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        all = all * 10 + views[i].id;
    }
    memory_free(views);
    return all;
}

START_TEST(those_that_are_there_are_listed_by_id) {
    struct room room;

    open_room(&room);
    ck_assert_uint_eq(ids(&room), 0);
    client_list_add(room.list, &room.records[1]);
    client_list_add(room.list, &room.records[2]);
    client_list_add(room.list, &room.records[0]);
    ck_assert_uint_eq(ids(&room), 123);
    client_list_remove(room.list, &room.records[2]); /* in the middle */
    ck_assert_uint_eq(ids(&room), 12);
    client_list_remove(room.list, &room.records[0]); /* the first */
    client_list_remove(room.list, &room.records[1]); /* the only one */
    ck_assert_uint_eq(ids(&room), 0);
    client_list_destroy(room.list);
}
END_TEST

START_TEST(many_are_listed_too) {
    static struct client_record many[100];
    struct room room;
    struct client_view *views;
    uint32_t count;

    open_room(&room);
    for (uint64_t i = 0; i < 100; i++) {
        many[i].id = 100 - i;
        client_list_add(room.list, &many[i]);
    }
    ck_assert_int_eq(client_list_copy(room.list, &views, &count), STATUS_OK);
    ck_assert_uint_eq(count, 100);
    ck_assert_uint_eq(views[99].id, 100);
    memory_free(views);
    for (size_t i = 0; i < 100; i++) {
        client_list_remove(room.list, &many[i]);
    }
    client_list_destroy(room.list);
}
END_TEST

START_TEST(a_copy_has_what_the_loop_said_last) {
    const struct client_figures figures = {1, 2, 3, 4, 5, 6, 7, 8};
    struct room room;
    struct client_view *views;
    uint32_t count;

    open_room(&room);
    room.records[0].opened_ms = 9;
    room.records[0].loop = 3;
    client_list_add(room.list, &room.records[0]);
    client_list_name(room.list, &room.records[0],
                     "a name that is longer than there is room for, "
                     "which is sixty-three bytes");
    client_record_update(&room.records[0], &figures);
    ck_assert_int_eq(client_list_copy(room.list, &views, &count), STATUS_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(views->opened_ms, 9);
    ck_assert_uint_eq(views->loop, 3);
    ck_assert_int_eq(memcmp(&views->figures, &figures, sizeof figures), 0);
    ck_assert_uint_eq(strlen(views->name), CLIENT_NAME_BYTES_MAX - 1);
    memory_free(views);
    client_list_remove(room.list, &room.records[0]);
    client_list_destroy(room.list);
}
END_TEST

START_TEST(the_one_that_is_asked_for_is_marked) {
    struct room room;

    open_room(&room);
    client_list_add(room.list, &room.records[0]);
    client_list_add(room.list, &room.records[1]);
    ck_assert(!client_list_close(room.list, 3));
    ck_assert(client_list_close(room.list, 2));
    ck_assert(!client_record_to_close(&room.records[0]));
    ck_assert(client_record_to_close(&room.records[1]));
    client_list_remove(room.list, &room.records[0]);
    client_list_remove(room.list, &room.records[1]);
    ck_assert(!client_list_close(room.list, 2));
    client_list_destroy(room.list);
}
END_TEST

START_TEST(without_a_list_nothing_is_kept) {
    struct room room = {.list = NULL};

    client_list_add(NULL, &room.records[0]);
    client_list_name(NULL, &room.records[0], "name");
    ck_assert(!client_list_close(NULL, 0));
    ck_assert_uint_eq(ids(&room), 0);
    client_list_remove(NULL, &room.records[0]);
    client_list_destroy(NULL);
}
END_TEST

START_TEST(without_memory_nothing_is_copied) {
    struct room room;
    struct client_list *list;
    struct client_view *views;
    uint32_t count;

    open_room(&room);
    memory_fail_after(0, true);
    ck_assert_int_eq(client_list_copy(room.list, &views, &count), STATUS_NO_MEMORY);
    ck_assert_int_eq(client_list_create(&list), STATUS_NO_MEMORY);
    memory_fail_never();
    client_list_destroy(room.list);
}
END_TEST

static void *come_and_go(void *arg) {
    struct room *room = arg;
    struct client_record mine = {.id = 9};

    for (uint64_t i = 0; i < 2000; i++) {
        const struct client_figures figures = {.requests = i};
        client_list_add(room->list, &mine);
        client_list_name(room->list, &mine, "name");
        client_record_update(&mine, &figures);
        (void)client_record_to_close(&mine);
        client_list_remove(room->list, &mine);
    }
    return NULL;
}

START_TEST(others_look_while_connections_come_and_go) {
    struct room room;
    pthread_t threads[2];

    open_room(&room);
    client_list_add(room.list, &room.records[0]);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &room), 0);
    }
    for (int i = 0; i < 200; i++) {
        uint64_t all = ids(&room);
        ck_assert(all == 1 || all == 19 || all == 199);
        (void)client_list_close(room.list, 9);
    }
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_uint_eq(ids(&room), 1);
    client_list_remove(room.list, &room.records[0]);
    client_list_destroy(room.list);
}
END_TEST

UNIT_MAIN("server_client_list", those_that_are_there_are_listed_by_id, many_are_listed_too,
          a_copy_has_what_the_loop_said_last, the_one_that_is_asked_for_is_marked,
          without_a_list_nothing_is_kept, without_memory_nothing_is_copied,
          others_look_while_connections_come_and_go)
