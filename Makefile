# One Makefile for the whole tree.  Sources are found by folder; adding a file
# needs no change here.
#
#   make [all]        rhea, rhea-img and their links, in build/
#   make check        unit tests, script tests and lint
#   make check-boot   real guests (downloads Debian packages once)
#   make check-long   the long runs of the random tests
#   make demo         Debian's installer from its ISO, from nothing
#   make bench        the benchmark
#   make lint install clean
#
# V=1 shows commands. ASAN=1 (address and undefined-behaviour) and TSAN=1
# (threads) build with a sanitizer into build/asan, build/tsan.  WERROR=1 or
# CI=1 make warnings errors.

SRC := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
B ?= $(SRC)/build
# in one tree: relative names read better in messages
ifeq ($(B),$(SRC)/build)
ifeq ($(CURDIR),$(SRC))
SRC := .
B := build
endif
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all check check-boot check-long bench demo lint install clean tests

# ---- configuration: made when it is not there; the goals that must do everything also install packages ----

ifneq ($(filter-out clean,$(or $(MAKECMDGOALS),all)),)
include $(B)/config.mk
endif
DO_ALL_GOALS := check check-boot check-long demo bench lint
$(B)/config.mk: $(SRC)/configure $(SRC)/VERSION
	@mkdir -p $(B)
	@cd $(if $(filter build,$(B)),.,$(B)) && $(if $(filter .,$(SRC)),.,$(SRC))/configure $(or $(CONFIGURE_ARGS),$(if $(filter $(DO_ALL_GOALS),$(MAKECMDGOALS)),--install-deps))

# ---- flags ----

O := $(B)$(if $(ASAN),/asan)$(if $(TSAN),/tsan)
WARN := -Wall -Wextra -Wmissing-prototypes -Wvla $(if $(CI)$(WERROR),-Werror)
SANITIZE := $(if $(ASAN),-fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer)$(if $(TSAN),-fsanitize=thread -Wno-tsan)
ALL_CFLAGS = -std=gnu11 -O2 -g $(WARN) -pthread -fno-strict-aliasing -I$(SRC) -I$(B) $(LIB_CFLAGS) $(SANITIZE) $(if $(TSAN),-include $(SRC)/util/tsan.h) $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pthread $(SANITIZE) $(EXTRA_LDFLAGS)
ALL_LIBS = $(LIBS) -lm
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-5s %s\n' $(1) $(2))

# ---- sources ----

DIRS := util tcg tcg/hosts/$(HOST) cpu cpu/x86 accel block $(sort $(patsubst $(SRC)/%/,%,$(wildcard $(SRC)/hw/*/))) hw net ui
SOURCES := $(patsubst $(SRC)/%,%,$(foreach d,$(DIRS),$(wildcard $(SRC)/$(d)/*.c)))
MAINS := ui/main.c block/img.c
LIB_OBJS := $(patsubst %.c,$(O)/obj/%.o,$(filter-out $(MAINS),$(SOURCES)))
LIB := $(O)/librhea.a
LINKS := $(O)/rhea-system-x86_64 $(O)/rhea-system-i386
PROGRAMS := $(if $(wildcard $(SRC)/ui/main.c),$(O)/rhea $(LINKS)) $(if $(wildcard $(SRC)/block/img.c),$(O)/rhea-img)

all: $(LIB) $(PROGRAMS)

# an object is as old as the start of its compilation: a header edited meanwhile makes it stale
$(O)/obj/%.o: $(SRC)/%.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$*.c)
	$(Q)t=`date +%s.%N`; $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $< && touch -d @$$t $@

$(LIB): $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)t=$@.$$$$ && ar rcs $$t $(LIB_OBJS) && mv $$t $@

$(O)/rhea: $(O)/obj/ui/main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(ALL_LIBS)
$(O)/rhea-img: $(O)/obj/block/img.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(ALL_LIBS)
$(LINKS): $(O)/rhea
	$(Q)ln -sf rhea $@

# ---- tests: tests/DIR/test_*.c is a program of its own; other .c files of DIR are linked to each of them ----

TEST_SOURCES := $(patsubst $(SRC)/%,%,$(wildcard $(SRC)/tests/*/*.c))
TEST_MAINS := $(foreach f,$(TEST_SOURCES),$(if $(filter test_%,$(notdir $(f))),$(f)))
TEST_BINS := $(patsubst %.c,$(O)/%,$(TEST_MAINS))
test_extra = $(patsubst %.c,$(O)/obj/%.o,$(filter $(1)%,$(filter-out $(TEST_MAINS),$(TEST_SOURCES))))
TEST_SCRIPTS := $(sort $(wildcard $(SRC)/tests/*/test_*.sh $(SRC)/tests/*/test_*.py))
RUN_TESTS = $(if $(ASAN),UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 )$(if $(TSAN),TSAN_OPTIONS="suppressions=$(abspath $(SRC)/tests/tsan.supp) $$TSAN_OPTIONS" )RHEA_BUILD=$(O) $(SRC)/tests/run-tests

$(O)/obj/tests/%.o: ALL_CFLAGS += $(TEST_CFLAGS)
.SECONDEXPANSION:
$(TEST_BINS): $(O)/tests/%: $(O)/obj/tests/%.o $$(call test_extra,tests/$$(dir $$*)) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(TEST_LIBS) $(ALL_LIBS)

# self-checking guest programs for tests/x86: flat binaries for address 0x7c00
GUESTS_X86 := $(patsubst $(SRC)/%.S,$(O)/%.bin,$(wildcard $(SRC)/tests/x86/*.S))
$(O)/tests/x86/%.bin: $(SRC)/tests/x86/%.S $(SRC)/tests/x86/guest.inc
	@mkdir -p $(@D)
	$(call say,AS,$@)
	$(Q)$(CC) -c -I$(SRC)/tests/x86 -o $(@:.bin=.o) $< && ld -m elf_x86_64 -Ttext 0x7c00 -e 0 --oformat binary -o $@ $(@:.bin=.o)
$(O)/tests/x86/test_guests: $(GUESTS_X86)

tests: $(TEST_BINS)
check: all tests
	$(RUN_TESTS) $(sort $(TEST_BINS)) $(TEST_SCRIPTS)
check-long: all tests
	RHEA_LONG=1 $(RUN_TESTS) --limit 7200 $(sort $(TEST_BINS)) $(sort $(wildcard $(SRC)/tests/*/long_*.sh $(SRC)/tests/*/long_*.py))
check-boot: all
	$(RUN_TESTS) --limit 1800 -j 1 $(sort $(wildcard $(SRC)/tests/boot/boot_*.sh $(SRC)/tests/boot/boot_*.py))
lint:
	$(RUN_TESTS) $(sort $(wildcard $(SRC)/tests/lint/test_*))
demo: all
	RHEA_BUILD=$(O) $(SRC)/tests/demo/run
bench: all
	RHEA_BUILD=$(O) $(SRC)/tests/bench/run

# ---- install, clean ----

DESTDIR ?=
BINDIR = $(DESTDIR)$(PREFIX)/bin
install: all
	install -d $(BINDIR)
	install -m 755 $(filter-out $(LINKS),$(PROGRAMS)) $(BINDIR)
	for l in $(notdir $(LINKS)); do ln -sf rhea $(BINDIR)/$$l; done

# what builds made; configuration and downloads (build/cache) stay
clean:
	rm -rf $(B)/obj $(B)/tests $(B)/asan $(B)/tsan
	rm -f $(B)/librhea.a $(B)/rhea $(B)/rhea-img $(B)/rhea-system-*

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
