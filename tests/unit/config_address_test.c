/* config_address_test.c: addresses to listen on. */
#include "server/config_address.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static void expect_address(const char *text, enum config_address_kind kind, const char *host,
                           uint16_t port, bool loopback) {
    struct config_address address;
    struct error error = {0};

    ck_assert_msg(config_address_parse(text, &address, &error) == STATUS_OK, "%s", error.text);
    ck_assert_int_eq(address.kind, kind);
    ck_assert_str_eq(address.host, host);
    ck_assert_uint_eq(address.port, port);
    ck_assert_int_eq(address.loopback, loopback);
}

static void expect_refused(const char *text, const char *reason) {
    struct config_address address;
    struct error error = {0};

    ck_assert_msg(config_address_parse(text, &address, &error) == STATUS_INVALID, "%s", text);
    ck_assert_msg(strstr(error.text, reason), "'%s' does not say '%s'", error.text, reason);
}

START_TEST(addresses_are_read) {
    expect_address("127.0.0.1:7450", CONFIG_ADDRESS_IPV4, "127.0.0.1", 7450, true);
    expect_address("127.255.255.254:0", CONFIG_ADDRESS_IPV4, "127.255.255.254", 0, true);
    expect_address("localhost:65535", CONFIG_ADDRESS_IPV4, "127.0.0.1", 65535, true);
    expect_address("0.0.0.0:1", CONFIG_ADDRESS_IPV4, "0.0.0.0", 1, false);
    expect_address("128.0.0.1:1", CONFIG_ADDRESS_IPV4, "128.0.0.1", 1, false);
    expect_address("[::1]:7450", CONFIG_ADDRESS_IPV6, "::1", 7450, true);
    expect_address("[0:0:0::1]:7450", CONFIG_ADDRESS_IPV6, "::1", 7450, true);
    expect_address("[::ffff:127.0.0.1]:1", CONFIG_ADDRESS_IPV6, "::ffff:127.0.0.1", 1, true);
    expect_address("[::]:1", CONFIG_ADDRESS_IPV6, "::", 1, false);
    expect_address("[fe80::1]:1", CONFIG_ADDRESS_IPV6, "fe80::1", 1, false);
    expect_address("unix:/run/kvd.sock", CONFIG_ADDRESS_UNIX, "/run/kvd.sock", 0, true);
    expect_address("unix:a:1", CONFIG_ADDRESS_UNIX, "a:1", 0, true);
}
END_TEST

START_TEST(what_is_no_address_is_refused) {
    expect_refused("", "expected HOST:PORT");
    expect_refused("127.0.0.1", "expected HOST:PORT");
    expect_refused("127.0.0.1:", "expected HOST:PORT");
    expect_refused("127.0.0.1:x", "expected HOST:PORT");
    expect_refused("127.0.0.1:-1", "expected HOST:PORT");
    expect_refused("127.0.0.1:65536", "expected HOST:PORT");
    expect_refused("127.0.0.1:4294967297", "expected HOST:PORT");
    expect_refused("127.0.0.1:1 ", "expected HOST:PORT");
    expect_refused(":7450", "the host is a numeric address or localhost");
    expect_refused("example.org:7450", "the host is a numeric address or localhost");
    expect_refused("127.1:7450", "the host is a numeric address or localhost");
    expect_refused("256.0.0.1:7450", "the host is a numeric address or localhost");
    expect_refused("::1:7450", "stands in brackets");
    expect_refused("[::1:7450", "expected ']'");
    expect_refused("[:7450", "expected ']'");
    expect_refused("[]:7450", "the host is a numeric address");
    expect_refused("[127.0.0.1]:7450", "the host is a numeric address");
    expect_refused("[::1]", "expected HOST:PORT");
    expect_refused("[::1]7450", "expected HOST:PORT");
    expect_refused("unix:", "expected a path");
}
END_TEST

START_TEST(a_path_of_the_greatest_length_is_read_and_a_longer_one_refused) {
    char text[5 + CONFIG_ADDRESS_HOST_MAX + 1] = "unix:";
    struct config_address address;
    struct error error;

    memset(text + 5, 'p', CONFIG_ADDRESS_HOST_MAX - 1);
    ck_assert_int_eq(config_address_parse(text, &address, &error), STATUS_OK);
    text[5 + CONFIG_ADDRESS_HOST_MAX - 1] = 'p';
    expect_refused(text, "at most 107 bytes");
    memset(text, '1', sizeof text - 3);
    memcpy(text + sizeof text - 3, ":1", 3);
    expect_refused(text, "the host is too long");
}
END_TEST

static struct sockaddr_storage sockaddr_of(const char *text, socklen_t bytes) {
    struct config_address address;
    struct sockaddr_storage storage;
    struct error error;

    ck_assert_int_eq(config_address_parse(text, &address, &error), STATUS_OK);
    ck_assert_uint_eq(config_address_sockaddr(&address, &storage), bytes);
    return storage;
}

START_TEST(socket_addresses_are_filled) {
    struct sockaddr_storage storage = sockaddr_of("127.0.0.2:7450", sizeof(struct sockaddr_in));
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;

    memcpy(&ipv4, &storage, sizeof ipv4);
    ck_assert_int_eq(ipv4.sin_family, AF_INET);
    ck_assert_uint_eq(ntohs(ipv4.sin_port), 7450);
    ck_assert_uint_eq(ntohl(ipv4.sin_addr.s_addr), 0x7F000002);
    storage = sockaddr_of("[::1]:7451", sizeof ipv6);
    memcpy(&ipv6, &storage, sizeof ipv6);
    ck_assert_int_eq(ipv6.sin6_family, AF_INET6);
    ck_assert_uint_eq(ntohs(ipv6.sin6_port), 7451);
    ck_assert(IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr));
    storage = sockaddr_of("unix:/x/y", sizeof local);
    memcpy(&local, &storage, sizeof local);
    ck_assert_int_eq(local.sun_family, AF_UNIX);
    ck_assert_str_eq(local.sun_path, "/x/y");
}
END_TEST

UNIT_MAIN("config_address", addresses_are_read, what_is_no_address_is_refused,
          a_path_of_the_greatest_length_is_read_and_a_longer_one_refused,
          socket_addresses_are_filled)
