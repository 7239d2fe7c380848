# make            build the program          make test      run every test
# make demo       see it work                make bench     measure it beside others
# make install PREFIX=/usr/local DESTDIR=    make lint      check the form of everything
# make deps       install what is missing    make format    bring the Swift code into form

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
CC ?= cc

PROGRAM := .build/release/vault
TEST_LIBRARIES := .build/support/libfault.so .build/support/libcount.so
# What building needs, then what the tests and the demonstration need.
PACKAGES := build-essential pkg-config libssl-dev liblz4-dev libzstd-dev libxxhash-dev libsqlite3-dev libpq-dev \
  git ca-certificates tzdata openssl python3 python3-jsonschema rsync lz4 zstd sqlite3 strace mandoc groff-base e2fsprogs mount zsh fish attr acl libcap2-bin \
  postgresql postgresql-client util-linux procps iproute2
ifeq ($(shell uname -m),x86_64)
PACKAGES += libipsec-mb-dev
endif

.DEFAULT_GOAL := all
.PHONY: all program deps test unit-test system-test demo bench install format lint clean

all: deps program

program:
	@swift build -c release --static-swift-stdlib --product vault

# Says and does nothing when nothing is missing.
deps:
	@command -v swift >/dev/null || { echo "Swift 6.3 is missing: https://www.swift.org/install/linux" >&2; exit 1; }
	@missing=; \
	if command -v dpkg-query >/dev/null; then \
	  for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q '^install ok installed' || missing="$$missing $$package"; \
	  done; \
	fi; \
	if [ -n "$$missing" ]; then \
	  echo "Installing what is missing:$$missing"; \
	  root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	  conf=/etc/postgresql-common/createcluster.conf; \
	  [ -e $$conf ] || { $$root mkdir -p $${conf%/*} && echo "create_main_cluster = false" | $$root tee $$conf >/dev/null; }; \
	  $$root apt-get update -q && \
	  $$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y -o Dpkg::Options::=--force-confold --no-install-recommends $$missing; \
	fi

test: deps
	@python3 Tests/run.py </dev/null

unit-test: deps
	@python3 Tests/run.py unit </dev/null

system-test: deps
	@python3 Tests/run.py system </dev/null

# Without knowing what the functions do that these replace, or the compiler writes calls of one as a call of itself.
$(TEST_LIBRARIES): .build/support/lib%.so: Tests/Support/%.c
	@mkdir -p $(@D)
	@$(CC) -O2 -fno-builtin -Wall -Wextra -Werror -shared -fPIC -o $@ $< -ldl -lpthread

demo: all
	@Tests/demo.sh $(PROGRAM)

# PEERS="tar-lz4 restic borg bacula cp vault-zstd" WORKLOADS="linux big many" ROUNDS=3: see bench/run.py
bench: all
	@case " $(WORKLOADS) " in *" micro "*) swift build -c release --static-swift-stdlib --product VaultBench ;; esac
	@case " $(WORKLOADS) " in *" costs "*) $(MAKE) -s --no-print-directory .build/support/libcount.so ;; esac
	@PEERS="$(PEERS)" WORKLOADS="$(WORKLOADS)" ROUNDS="$(ROUNDS)" python3 bench/run.py

install: program
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/vault
	strip $(DESTDIR)$(PREFIX)/bin/vault
	for page in man/*.[1-8]; do \
	  section=$${page##*.}; install -d $(DESTDIR)$(PREFIX)/share/man/man$$section && \
	  install -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$$section/ || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(SYSCONFDIR)/vault/local
	for unit in etc/systemd/*; do \
	  sed 's|@PREFIX@|$(PREFIX)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' $$unit >$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/} && \
	  chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/} || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/lib/sysusers.d
	install -m 644 etc/sysusers.d/vault.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/vault.conf
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(PROGRAM) --generate-completion-script bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/vault
	$(PROGRAM) --generate-completion-script zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_vault
	$(PROGRAM) --generate-completion-script fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/vault.fish
	install -d $(DESTDIR)$(PREFIX)/share/vault/examples/clients
	install -m 644 etc/examples/*.conf $(DESTDIR)$(PREFIX)/share/vault/examples/
	install -m 644 etc/examples/clients/*.conf $(DESTDIR)$(PREFIX)/share/vault/examples/clients/
	install -m 644 etc/local/example.conf $(DESTDIR)$(SYSCONFDIR)/vault/local/example.conf

format:
	swift format --in-place --recursive --parallel --configuration .swift-format Package.swift Sources Tests bench

lint:
	@python3 Tests/run.py lint </dev/null

clean:
	rm -rf .build
