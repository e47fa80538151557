/* server_mailbox_test.c: messages into a loop: order, threads, wake-ups. */
#include "server/mailbox.h"

#include "protocol/base/memory.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stddef.h>

#define POSTERS 4
#define MESSAGES 20000

struct letter {
    struct message message;
    int poster;
    int number;
    struct desk *desk;
};

struct desk {
    uv_loop_t loop;
    struct mailbox mailbox;
    int next[POSTERS]; /* the number that comes next from each */
    int delivered;
    int expected; /* close when so many have come */
};

static void deliver_cb(struct message *message) {
    struct letter *letter = (struct letter *)((char *)message - offsetof(struct letter, message));
    struct desk *desk = letter->desk;

    ck_assert_int_eq(desk->next[letter->poster], letter->number);
    desk->next[letter->poster]++;
    if (++desk->delivered == desk->expected) {
        uv_stop(&desk->loop);
    }
}

static void open_desk(struct desk *desk, int expected) {
    *desk = (struct desk){.expected = expected};
    ck_assert_int_eq(uv_loop_init(&desk->loop), 0);
    ck_assert_int_eq(mailbox_open(&desk->mailbox, &desk->loop), STATUS_OK);
}

static void close_desk(struct desk *desk) {
    mailbox_close(&desk->mailbox);
    uv_run(&desk->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&desk->loop), 0);
}

static void write_letters(struct letter *letters, int count, int poster, struct desk *desk) {
    for (int i = 0; i < count; i++) {
        letters[i] = (struct letter){{.deliver_cb = deliver_cb}, poster, i, desk};
    }
}

START_TEST(messages_of_one_thread_arrive_in_order) {
    struct desk desk;
    struct letter letters[3];

    open_desk(&desk, 3);
    write_letters(letters, 3, 0, &desk);
    for (int i = 0; i < 3; i++) {
        mailbox_post(&desk.mailbox, &letters[i].message);
    }
    uv_run(&desk.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(desk.delivered, 3);
    close_desk(&desk);
}
END_TEST

static void repost_cb(struct message *message) {
    struct letter *letter = (struct letter *)((char *)message - offsetof(struct letter, message));

    message->deliver_cb = deliver_cb;
    mailbox_post(&letter->desk->mailbox, message);
}

START_TEST(message_posted_while_delivering_arrives_next) {
    struct desk desk;
    struct letter letter;

    open_desk(&desk, 1);
    write_letters(&letter, 1, 0, &desk);
    letter.message.deliver_cb = repost_cb;
    mailbox_post(&desk.mailbox, &letter.message);
    uv_run(&desk.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(desk.delivered, 1);
    close_desk(&desk);
}
END_TEST

struct poster {
    pthread_t thread;
    struct letter *letters;
};

static void *post_all(void *arg) {
    struct poster *poster = arg;

    for (int i = 0; i < MESSAGES; i++) {
        mailbox_post(&poster->letters[i].desk->mailbox, &poster->letters[i].message);
    }
    return NULL;
}

START_TEST(messages_of_many_threads_all_arrive_each_in_its_order) {
    struct desk desk;
    struct poster posters[POSTERS];

    open_desk(&desk, POSTERS * MESSAGES);
    for (int i = 0; i < POSTERS; i++) {
        posters[i].letters = memory_alloc_array(MESSAGES, sizeof(struct letter));
        ck_assert_ptr_nonnull(posters[i].letters);
        write_letters(posters[i].letters, MESSAGES, i, &desk);
        ck_assert_int_eq(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    uv_run(&desk.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(desk.delivered, POSTERS * MESSAGES);
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        memory_free(posters[i].letters);
    }
    close_desk(&desk);
}
END_TEST

UNIT_MAIN("mailbox", messages_of_one_thread_arrive_in_order,
          message_posted_while_delivering_arrives_next,
          messages_of_many_threads_all_arrive_each_in_its_order)
