# Everything that a newcomer types. Both `demo` and `test` install from the distribution what they need.
SHELL := /bin/sh
CARGO ?= $(shell command -v cargo 2>/dev/null || echo $(HOME)/.cargo/bin/cargo)
# Scenarios start several daemons each: more of them at once than this only makes all of them slow.
THREADS ?= 4

.PHONY: help demo test bench-ipam bench-cni build release fmt lint clean

help:
	@echo 'make demo          the two racks: a fabric of real kernel network stacks, shown and checked'
	@echo 'make demo KEEP=1   the same, and leaves the fabric up for playing'
	@echo 'make test          fmt, clippy, unit, property and scenario tests (root)'
	@echo 'make bench-ipam    claims beside bare etcd, addresses beside host-local, the proof of 10,000 blocks (root)'
	@echo 'make bench-cni     ADD and DEL of the CNI plugin beside the reference plugins (root)'
	@echo 'make build         debug build of all programs'
	@echo 'make release       release build of all programs'
	@echo 'make clean         removes what was built'

demo:
	@scripts/install-deps demo
	$(CARGO) build --release --locked -p roadbed -p cni -p demo
	@KEEP='$(KEEP)' target/release/roadbed-demo

# Programs and tests are built in one go: apart, they would have other features, and most crates be built twice.
test: lint
	@scripts/install-deps test
	$(CARGO) build --locked --workspace --bins --tests
	@RUST_TEST_THREADS=$(THREADS) scripts/totals $(CARGO) test --locked --workspace --no-fail-fast

bench-ipam:
	@scripts/install-deps bench
	$(CARGO) build --release --locked -p bench-ipam -p cni
	target/release/bench-ipam

bench-cni:
	@scripts/install-deps bench
	$(CARGO) build --release --locked -p bench-cni -p cni -p roadbed
	target/release/bench-cni

lint:
	@scripts/install-deps test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

build:
	$(CARGO) build --locked --workspace --bins

release:
	$(CARGO) build --release --locked --workspace --bins

clean:
	$(CARGO) clean
