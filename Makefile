# Everything that a newcomer types. Both `demo` and `test` install from the distribution what they need.
SHELL := /bin/sh
CARGO ?= $(shell command -v cargo 2>/dev/null || echo $(HOME)/.cargo/bin/cargo)
# Scenarios start several daemons each: more of them at once than this only makes all of them slow.
THREADS ?= 4

.PHONY: help demo test bench-ipam bench-cni bench-fib bench-failover build release image fmt lint clean

help:
	@echo 'make demo          the two racks: a fabric of real kernel network stacks, shown and checked'
	@echo 'make demo KEEP=1   the same, and leaves the fabric up for playing'
	@echo 'make test          fmt, clippy, unit, property and scenario tests (root)'
	@echo 'make bench-ipam    claims beside bare etcd, addresses beside host-local, the proof of 10,000 blocks (root)'
	@echo 'make bench-cni     ADD and DEL of the CNI plugin beside the reference plugins (root)'
	@echo 'make bench-failover  packets lost and time to recover; ARGS=--quick for less (root)'
	@echo 'make bench-fib     routes from BGP into the FIB and out, beside BIRD, FRR and a raw netlink loop (root); ARGS=--quick'
	@echo 'make build         debug build of all programs'
	@echo 'make release       release build of all programs'
	@echo 'make image         container image with static programs, nothing fetched but crates (podman); IMAGE=name:tag'
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

bench-failover:
	@scripts/install-deps bench
	$(CARGO) build --release --locked -p bench-failover -p cni -p roadbed
	target/release/bench-failover --markdown docs/performance.md $(ARGS)

bench-fib:
	@scripts/install-deps bench
	$(CARGO) build --release --locked -p bench-fib -p roadbed
	target/release/bench-fib --markdown docs/performance.md $(ARGS)

# The target is named, so that build scripts and macros, which cannot be static, are built without the flag.
IMAGE ?= roadbed:0.1.0
TARGET ?= $(shell $(dir $(CARGO))rustc -vV | sed -n 's/^host: //p')
PROGRAMS = target/$(TARGET)/dist
image:
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --profile dist --locked --target $(TARGET) -p roadbed -p cni
	mkdir -p target/image
	cp deploy/image/Dockerfile $(PROGRAMS)/roadbed $(PROGRAMS)/roadbed-cni target/image/
	podman build $(if $(PLATFORM),--platform $(PLATFORM)) -t $(IMAGE) target/image

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
