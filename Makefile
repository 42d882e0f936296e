# nacre: Secure Shell in Go. One word each:
#
#   make build      build/nacre, the whole suite in one static file, and build/nacre-native, its bridge to PAM
#   make test       peers, vet, unit tests, race, cross builds, configurations, interop-core
#   make demo       a throw-away server and our client, here (CMD='id' runs that)
#   make install    PREFIX=/usr/local DESTDIR=
#   make deb        two Debian packages in build: nacre beside OpenSSH, nacre-openssh in its place
#   make interop    the whole matrix against every real peer
#   make bench      paired ratios against rivals; writes docs/bench.md
#   make fuzz       every fuzz target for FUZZTIME=20s
#   make gen        what is generated, again
#   make lint       gofmt, vet, staticcheck
#   make peers      installs the real peers the tests talk to (Debian, root)

GO      ?= go
PREFIX  ?= /usr/local
DESTDIR ?=
SYSCONF ?= /etc/ssh
BINARY  := build/nacre
NATIVE  := build/nacre-native

# The vector ChaCha20 is written with the simd package, which this toolchain
# may or may not have; without it the portable one is used.
EXPERIMENT := $(shell GOEXPERIMENT=simd $(GO) version >/dev/null 2>&1 && echo simd)
export GOEXPERIMENT := $(EXPERIMENT)
export CGO_ENABLED  := 0

FUZZTIME    ?= 20s
TESTFLAGS   ?=
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The packages that talk to real peers are a target of their own.
INTEROP := ./test/interop/...
UNIT     = $(shell $(GO) list ./... | grep -v -e /test/interop -e /test/rows)

.PHONY: all build test unit vet cross race configurations interop interop-core rows fuzz bench gen lint demo install deb peers clean

all: build

build:
	@mkdir -p build
	$(GO) build -trimpath -ldflags '-s -w' -o $(BINARY) ./cmd/nacre
	$(GO) build -trimpath -ldflags '-s -w' -o $(NATIVE) ./cmd/nacre-native

test: peers build vet cross unit race configurations interop-core rows

unit:
	$(GO) test $(TESTFLAGS) $(UNIT)

vet:
	$(GO) vet ./...

# Every system we name must build, tests included; amd64 without the
# experiment and arm64 show that the portable code is whole. Vet compiles
# without linking.
cross:
	GOOS=darwin GOARCH=arm64 $(GO) build ./...
	GOOS=windows GOARCH=amd64 $(GO) build ./...
	GOOS=freebsd GOARCH=amd64 $(GO) build ./...
	GOOS=openbsd GOARCH=amd64 $(GO) build ./...
	GOEXPERIMENT= $(GO) build ./...

# The race detector needs cgo, and so cannot run where the rooms of the server
# are started; floors 0 to 5 are what it watches.
RACE := $(wildcard internal/transport internal/userauth internal/connection internal/session internal/forward internal/rawio ssh agent sftp)
race:
	@if [ -z "$(RACE)" ] || ! command -v $${CC:-gcc} >/dev/null 2>&1; then echo "race: nothing to watch, or no C compiler"; \
	else CGO_ENABLED=1 $(GO) test -race $(TESTFLAGS) $(addprefix ./,$(addsuffix /...,$(RACE))); fi

# What stock clients make of over 2,000 generated configurations; the unit tests
# ask about some of them only.
configurations: peers
	NACRE_CONFIGURATIONS=all $(GO) test -run TestStockGenerated -v ./sshconfig

interop: peers build
	NACRE_PEERS=all $(GO) test -timeout 20m $(TESTFLAGS) $(INTEROP)

# The peers that most people have, and the oracle: part of every test. The whole
# matrix of `make interop` takes a quarter of an hour.
CORE := (nacre|openssh|openssh10|xcrypto)$$
interop-core: peers build
	$(GO) test -timeout 20m $(TESTFLAGS) -run 'Test(Servers|Clients|SFTP)/$(CORE)' ./test/interop

# What guides tell people to type, and how many round trips a login takes.
rows: peers build
	$(GO) test -p 1 -timeout 20m $(TESTFLAGS) ./test/rows
	$(GO) test -timeout 10m $(TESTFLAGS) -run 'TestRoundTrips|TestWrongMemory' ./test/interop

fuzz:
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

bench: peers build
	$(GO) run ./test/bench $(BENCHFLAGS)

gen:
	$(GO) generate ./...

lint:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

demo: build
	@$(BINARY) demo $(if $(CMD),-- '$(subst ','\'',$(CMD))')

peers:
	@test/interop/peers.sh

# Every name is a hard link to one file; where links cannot be made, a copy.
# A configuration or a host key that is there already is left alone.
install: build
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/sbin' '$(DESTDIR)$(PREFIX)/libexec/nacre' '$(DESTDIR)$(SYSCONF)'
	install -m 755 $(BINARY) '$(DESTDIR)$(PREFIX)/bin/.nacre.new'
	mv -f '$(DESTDIR)$(PREFIX)/bin/.nacre.new' '$(DESTDIR)$(PREFIX)/bin/nacre'
	install -m 755 $(NATIVE) '$(DESTDIR)$(PREFIX)/libexec/nacre/nacre-native'
	@cd '$(DESTDIR)$(PREFIX)' && bin/nacre --links | while read -r dir name; do \
		rm -f "$$dir/$$name"; \
		ln bin/nacre "$$dir/$$name" 2>/dev/null || cp bin/nacre "$$dir/$$name"; \
		echo "$(PREFIX)/$$dir/$$name"; \
	done
	@for f in docs/man/*.[1-8]; do \
		install -D -m 644 $$f "$(DESTDIR)$(PREFIX)/share/man/man$${f##*.}/$${f##*/}"; \
	done
	@install -D -m 644 dist/completion/ssh.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/ssh'
	@install -D -m 644 dist/completion/_ssh '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ssh'
	@install -D -m 644 dist/completion/ssh.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ssh.fish'
	@for f in dist/ssh_config dist/sshd_config; do \
		[ ! -f $$f ] || [ -e "$(DESTDIR)$(SYSCONF)/$${f#dist/}" ] || install -m 644 $$f "$(DESTDIR)$(SYSCONF)/$${f#dist/}"; \
	done
	@install -d '$(DESTDIR)$(PREFIX)/lib/systemd/system'
	@for f in dist/systemd/*; do \
		sed -e 's|/usr/sbin/|$(PREFIX)/sbin/|; s|/usr/bin/ssh|$(PREFIX)/bin/ssh|; s|/etc/ssh/|$(SYSCONF)/|' $$f > '$(DESTDIR)$(PREFIX)/lib/systemd/system/'$${f##*/}; \
	done
	@dist/install-system '$(PREFIX)' '$(DESTDIR)' '$(SYSCONF)'

deb: build
	@dist/deb/build "$$($(BINARY) -V | sed -n 's/.*nacre \([^,]*\),.*/\1/p')" $(BINARY) $(NATIVE) build

clean:
	rm -rf build/nacre build/nacre-native
