# Makefile of kvd (GNU make). `make help` lists the targets.
#
# One Makefile for all folders; sources are found by wildcard, so a new file needs no edit here.
# A build of its own kind is chosen by MODE: `make MODE=asan check` builds into build/asan.
# The targets `asan` and `tsan` are short for that.

.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# V=1 shows whole commands.
Q    := $(if $(V),,@)
say   = $(if $(V),,@echo '  $(1)')

VERSION   := 0.1.0
SOVERSION := 0

CC          ?= gcc
ifeq ($(origin CC),default)
CC          := gcc
endif
CLANG       ?= clang-19
CLANG_TIDY  ?= clang-tidy-19
FORMAT      ?= clang-format-19
PYTHON      ?= python3
PKG_CONFIG  ?= pkg-config
PREFIX      ?= /usr/local
DESTDIR     ?=
LIBDIR      ?= $(PREFIX)/lib
# Where Debian's Python looks for modules below /usr, and below any other prefix.
PYTHON_DIR  ?= $(PREFIX)/lib/python$(if $(filter /usr,$(PREFIX)),3,$(PYTHON_VERSION))/dist-packages
PYTHON_VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
MODE        ?= release
JOBS        ?= 2
FUZZ_SECONDS ?= 30
# WERROR=1 makes warnings errors. It is off by default: a newer compiler with a new warning must
# still be able to build kvd. CI and the sanitizer builds switch it on.
WERROR      ?=

# ---------------------------------------------------------------------------------- build modes
ifeq ($(MODE),release)
BUILD      := build
MODE_CFLAGS := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
else ifeq ($(MODE),debug)
BUILD      := build/debug
MODE_CFLAGS := -O0 -DKVD_DEBUG=1
else ifeq ($(MODE),asan)
BUILD      := build/asan
MODE_CFLAGS := -O1 -fno-omit-frame-pointer -DKVD_DEBUG=1 \
               -fsanitize=address,undefined -fno-sanitize-recover=all
MODE_LDFLAGS := -fsanitize=address,undefined
else ifeq ($(MODE),tsan)
BUILD      := build/tsan
MODE_CFLAGS := -O1 -fno-omit-frame-pointer -DKVD_DEBUG=1 -fsanitize=thread
MODE_LDFLAGS := -fsanitize=thread
else
$(error MODE is release, debug, asan or tsan, not '$(MODE)')
endif

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual $(if $(WERROR),-Werror)
CPPFLAGS_KVD = -D_GNU_SOURCE -DKVD_VERSION='"$(VERSION)"' -I. -Iclient/include
CFLAGS_KVD   = -std=c11 -g -pthread $(WARNINGS) $(MODE_CFLAGS) $(CPPFLAGS_KVD) $(CPPFLAGS) $(CFLAGS)
LDFLAGS_KVD  = -pthread -pie -Wl,-z,relro,-z,now,--as-needed $(MODE_LDFLAGS) $(LDFLAGS)

# Asked when a recipe first needs it, and once: `make test` may install the packages before.
libs_of = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null || echo $(2))
UV_LIBS      = $(eval UV_LIBS := $$(call libs_of,libuv,-luv))$(UV_LIBS)
HTTP_LIBS    = $(eval HTTP_LIBS := $$(call libs_of,libmicrohttpd,-lmicrohttpd))$(HTTP_LIBS)
STORAGE_LIBS = $(eval STORAGE_LIBS := $$(call libs_of,libzstd libxxhash,-lzstd -lxxhash))$(STORAGE_LIBS)
CLIENT_LIBS  = $(eval CLIENT_LIBS := $$(call libs_of,libxxhash,-lxxhash))$(CLIENT_LIBS)
ZSTD_LIBS    = $(eval ZSTD_LIBS := $$(call libs_of,libzstd,-lzstd))$(ZSTD_LIBS)
EDIT_LIBS    = $(eval EDIT_LIBS := $$(call libs_of,libedit,-ledit))$(EDIT_LIBS)
CHECK_LIBS   = $(eval CHECK_LIBS := $$(call libs_of,check,-lcheck))$(CHECK_LIBS)

# -------------------------------------------------------------------------------------- sources
BASE_SRC     := $(sort $(wildcard protocol/base/*.c))
PROTOCOL_SRC := $(sort $(wildcard protocol/*.c))
STORAGE_SRC  := $(sort $(wildcard storage/*.c storage/*/*.c))
SERVER_SRC   := $(sort $(wildcard server/*.c))
CLIENT_SRC   := $(sort $(wildcard client/*.c))
KVCLI_SRC    := $(sort $(wildcard client/kvcli/*.c))
SUPPORT_SRC  := $(sort $(wildcard tests/support/*.c))
UNIT_SRC     := $(sort $(wildcard tests/unit/*_test.c))
SLOW_SRC     := $(sort $(wildcard tests/simulation/*_test.c tests/crash/*_test.c))
FUZZ_SRC     := $(sort $(wildcard tests/fuzz/*_fuzz.c))
BENCH_SRC    := $(sort $(wildcard tests/bench/*.c))
PUBLIC_HEADERS := $(sort $(wildcard client/include/kvd/*.h))
EXAMPLE_SRC  := $(sort $(wildcard docs/examples/*.c))

MAINS        := server/main.c client/kvcli/main.c
LIBKVD_SRC   := $(CLIENT_SRC) $(PROTOCOL_SRC) $(BASE_SRC)
PRODUCT_SRC  := $(BASE_SRC) $(PROTOCOL_SRC) $(STORAGE_SRC) $(SERVER_SRC) $(CLIENT_SRC) $(KVCLI_SRC)
ALL_SRC      := $(PRODUCT_SRC) $(SUPPORT_SRC) $(UNIT_SRC) $(SLOW_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(EXAMPLE_SRC)

obj        = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
KVD_OBJ    := $(call obj,$(BASE_SRC) $(PROTOCOL_SRC) $(STORAGE_SRC) $(SERVER_SRC))
KVCLI_OBJ  := $(call obj,$(BASE_SRC) $(PROTOCOL_SRC) $(CLIENT_SRC) $(KVCLI_SRC))
SERVER_OBJ := $(call obj,$(filter-out $(MAINS),$(BASE_SRC) $(PROTOCOL_SRC) $(STORAGE_SRC) $(SERVER_SRC)) \
                         $(SUPPORT_SRC))
CLIENT_OBJ := $(call obj,$(filter-out $(MAINS),$(BASE_SRC) $(PROTOCOL_SRC) $(CLIENT_SRC) $(KVCLI_SRC)) \
                         $(SUPPORT_SRC))
LIBKVD_OBJ := $(patsubst %.c,$(BUILD)/pic/%.o,$(LIBKVD_SRC))

UNIT_BIN    := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
SLOW_BIN    := $(patsubst %.c,$(BUILD)/%,$(SLOW_SRC))
BENCH_BIN   := $(patsubst %.c,$(BUILD)/%,$(BENCH_SRC))
FUZZ_BIN    := $(patsubst %.c,build/fuzz/%,$(FUZZ_SRC))
EXAMPLE_BIN := $(patsubst docs/examples/%.c,$(BUILD)/examples/%,$(EXAMPLE_SRC))

# A product is built as soon as its sources exist.
PRODUCTS := $(if $(wildcard server/main.c),$(BUILD)/kvd) \
            $(if $(wildcard client/kvcli/main.c),$(BUILD)/kvcli) \
            $(if $(CLIENT_SRC),$(BUILD)/libkvd.a $(BUILD)/libkvd.so $(BUILD)/kvd.pc) \
            $(if $(CLIENT_SRC),$(EXAMPLE_BIN))

# -------------------------------------------------------------------------------------- targets
.PHONY: all run test check asan tsan tidy analyze fuzz bench demo install uninstall clean help
.PHONY: format setup integration tidy-tools programs unit-programs

all: $(PRODUCTS) ## build/kvd, build/kvcli, build/libkvd.a, build/libkvd.so, build/kvd.pc

programs: all unit-programs $(SLOW_BIN)
unit-programs: $(UNIT_BIN)

run: $(BUILD)/kvd $(BUILD)/kvcli ## install what is missing, build, serve on loopback with data in ./data
	mkdir -p data
	exec $(BUILD)/kvd --dir data

test: programs ## install what is missing, build, run every test (under 10 minutes)
	$(Q)$(PYTHON) tests/run --build $(BUILD) --jobs $(JOBS) all

check: unit-programs ## the unit tests only (under a minute)
	$(Q)$(PYTHON) tests/run --build $(BUILD) --jobs $(JOBS) unit

integration: all ## the tests against the built programs only
	$(Q)$(PYTHON) tests/run --build $(BUILD) --jobs $(JOBS) integration

asan: ## every unit test under AddressSanitizer and UndefinedBehaviorSanitizer
	+$(MAKE) MODE=asan WERROR=1 check

tsan: ## every unit test under ThreadSanitizer
	+$(MAKE) MODE=tsan WERROR=1 check

tidy: tidy-tools all ## the rules of the house: layers, doors, sizes, banned calls, symbols, layout
	$(Q)$(PYTHON) tests/tidy/tidy.py --build $(BUILD)
tidy-tools:
	@sh tests/setup.sh tidy

# The packages are installed first; every compilation of these two goals waits for that.
ifneq ($(filter run test,$(MAKECMDGOALS)),)
$(call obj,$(ALL_SRC)) $(LIBKVD_OBJ) $(BUILD)/kvd.pc: | setup
endif

setup: ## install the packages that are missing (as root), or print the one line that does
	@sh tests/setup.sh build

demo: all ## the full demonstration on real files of this machine
	sh tests/demo.sh $(BUILD)

bench: all $(BENCH_BIN) ## throughput and latency figures
	sh tests/bench/run.sh $(BUILD)

analyze: ## gcc -fanalyzer, clang-tidy, cppcheck
	@sh tests/setup.sh analyze
	sh tests/analyze.sh

fuzz: ## every fuzz target for FUZZ_SECONDS (30) each
	@sh tests/setup.sh fuzz
	+$(MAKE) fuzz-run

format: ## lay out every source file anew
	$(FORMAT) -i $$(git ls-files '*.c' '*.h')

clean: ## remove the build folder
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z][a-z -]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

# --------------------------------------------------------------------------------------- objects
$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CFLAGS_KVD) -fPIE -MMD -MP -c $< -o $@

$(BUILD)/pic/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CFLAGS_KVD) -fPIC -MMD -MP -c $< -o $@

-include $(patsubst %.o,%.d,$(call obj,$(ALL_SRC)) $(LIBKVD_OBJ))

# -------------------------------------------------------------------------------------- products
$(BUILD)/kvd: $(KVD_OBJ)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_KVD) $^ $(UV_LIBS) $(HTTP_LIBS) $(STORAGE_LIBS) -o $@

$(BUILD)/kvcli: $(KVCLI_OBJ)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_KVD) $^ $(CLIENT_LIBS) $(ZSTD_LIBS) $(EDIT_LIBS) -lm -o $@

# Only kvd_ names stay visible: one relocatable object whose other symbols are made local.
$(BUILD)/libkvd.a: $(LIBKVD_OBJ)
	$(call say,AR $@)
	$(Q)$(LD) -r $^ -o $(BUILD)/libkvd.o
	$(Q)objcopy --wildcard --keep-global-symbol='kvd_*' $(BUILD)/libkvd.o
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(BUILD)/libkvd.o

$(BUILD)/libkvd.so: $(LIBKVD_OBJ) client/libkvd.map
	$(call say,LD $@)
	$(Q)$(CC) $(MODE_CFLAGS) $(MODE_LDFLAGS) $(LDFLAGS) -shared -pthread -Wl,-z,relro,-z,now,--as-needed \
	    -Wl,-soname,libkvd.so.$(SOVERSION) -Wl,--version-script=client/libkvd.map \
	    $(LIBKVD_OBJ) $(CLIENT_LIBS) -o $@
	$(Q)ln -sf libkvd.so $(BUILD)/libkvd.so.$(SOVERSION)

$(BUILD)/kvd.pc: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' \
	    'Name: kvd' 'Description: client library of the kvd key-value server' \
	    'Version: $(VERSION)' 'Libs: -L$${libdir} -lkvd' \
	    'Libs.private: -pthread -lxxhash' 'Cflags: -I$${includedir}' > $@

# A program that a user would write: the public headers and the library; libuv for those that use it.
$(BUILD)/examples/%: docs/examples/%.c $(BUILD)/libkvd.a $(PUBLIC_HEADERS)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -std=c11 -g -Wall -Wextra $(MODE_CFLAGS) $(MODE_LDFLAGS) -D_GNU_SOURCE -Iclient/include \
	    $< $(BUILD)/libkvd.a -pthread -Wl,--as-needed $(CLIENT_LIBS) $(UV_LIBS) -o $@

# ----------------------------------------------------------------------------------------- tests
# Two archives, since server/ and client/ both have a connection: a test that includes a header of
# client/, kvd.h or a fixture of theirs is linked with the client's rooms, any other with those of
# the server and its engine.
$(BUILD)/server-rooms.a: $(SERVER_OBJ)
$(BUILD)/client-rooms.a: $(CLIENT_OBJ)
$(BUILD)/server-rooms.a $(BUILD)/client-rooms.a:
	$(Q)rm -f $@
	$(Q)$(AR) rcsP $@ $^

CLIENT_SIDE := ^\#include ["<](client/|kvd/|tests/(unit|support)/(client|kvcli|libkvd)_)
side_of = $(if $(shell grep -lE '$(CLIENT_SIDE)' $(1)),client,server)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(BUILD)/server-rooms.a $(BUILD)/client-rooms.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS_KVD) $< $(BUILD)/$(call side_of,tests/$*.c)-rooms.a \
	    $(CHECK_LIBS) $(UV_LIBS) $(HTTP_LIBS) $(STORAGE_LIBS) -lm -o $@

.PHONY: fuzz-run
fuzz-run: $(FUZZ_BIN)
	$(Q)$(PYTHON) tests/run --build build --seconds $(FUZZ_SECONDS) fuzz

# Of kvcli only the rooms that read files of its own, which need nothing else of the client.
FUZZED_KVCLI := $(addprefix client/kvcli/backup_,block.c format.c index.c lookup.c reader.c writer.c)
FUZZED_SRC := $(filter-out $(MAINS),$(BASE_SRC) $(PROTOCOL_SRC) $(STORAGE_SRC) $(SERVER_SRC) $(FUZZED_KVCLI))
FUZZED_OBJ := $(patsubst %.c,build/fuzz/obj/%.o,$(FUZZED_SRC))
FUZZ_CFLAGS = -std=c11 -g -O1 -pthread $(CPPFLAGS_KVD) -DKVD_DEBUG=1 -fsanitize=address,undefined \
              -fno-sanitize-recover=all

build/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

build/fuzz/%: %.c $(FUZZED_OBJ) Makefile
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer $< $(FUZZED_OBJ) $(UV_LIBS) $(HTTP_LIBS) $(STORAGE_LIBS) -o $@

-include $(FUZZED_OBJ:.o=.d)

# --------------------------------------------------------------------------------------- install
DOCS := $(wildcard docs/*.md)
PYTHON_FILES := $(sort $(wildcard client/python/kvd/*.py)) client/python/kvd/py.typed
MAN  := man1/kvd.1 man1/kvcli.1 man3/libkvd.3 man5/kvd.conf.5

.PHONY: man
man: all ## the manual pages, in build/man
	$(PYTHON) docs/man/pages.py $(BUILD) $(VERSION) $(BUILD)/man

install: all man ## copy everything below PREFIX (/usr/local), DESTDIR before it
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig \
	    $(DESTDIR)$(PREFIX)/include/kvd $(DESTDIR)$(PREFIX)/share/doc/kvd
	install -m 755 $(BUILD)/kvd $(BUILD)/kvcli $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(BUILD)/libkvd.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(BUILD)/libkvd.so $(DESTDIR)$(LIBDIR)/libkvd.so.$(VERSION)
	ln -sf libkvd.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libkvd.so.$(SOVERSION)
	ln -sf libkvd.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libkvd.so
	sed 's|^prefix=.*|prefix=$(PREFIX)|; s|^libdir=.*|libdir=$(LIBDIR)|' $(BUILD)/kvd.pc \
	    > $(DESTDIR)$(LIBDIR)/pkgconfig/kvd.pc
	install -m 644 $(PUBLIC_HEADERS) $(DESTDIR)$(PREFIX)/include/kvd/
	install -d $(DESTDIR)$(PYTHON_DIR)/kvd
	install -m 644 $(PYTHON_FILES) $(DESTDIR)$(PYTHON_DIR)/kvd/
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(BUILD)/kvcli completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/kvcli
	$(BUILD)/kvcli completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_kvcli
	for page in $(MAN); do \
	    install -D -m 644 $(BUILD)/man/$${page#*/} $(DESTDIR)$(PREFIX)/share/man/$$page || exit 1; \
	done
	install -m 644 README.md LICENSE config.example.toml $(DOCS) $(DESTDIR)$(PREFIX)/share/doc/kvd/

uninstall: ## remove what install copied
	rm -f $(DESTDIR)$(PREFIX)/bin/kvd $(DESTDIR)$(PREFIX)/bin/kvcli \
	    $(DESTDIR)$(LIBDIR)/libkvd.a $(DESTDIR)$(LIBDIR)/libkvd.so* \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/kvd.pc \
	    $(addprefix $(DESTDIR)$(PREFIX)/include/kvd/,$(notdir $(PUBLIC_HEADERS)))
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/kvcli \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_kvcli
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/man/,$(MAN))
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/kvd $(DESTDIR)$(PYTHON_DIR)/kvd
	rmdir --ignore-fail-on-non-empty $(DESTDIR)$(PREFIX)/include/kvd 2>/dev/null || true
