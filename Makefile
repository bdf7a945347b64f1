# Everything that a newcomer types. Both `demo` and `test` install from the distribution what they need.
SHELL := /bin/sh
CARGO ?= $(shell command -v cargo 2>/dev/null || echo $(HOME)/.cargo/bin/cargo)
# Scenarios start several daemons each: more of them at once than this only makes all of them slow.
THREADS ?= 4
BUILT = $(or $(CARGO_TARGET_DIR),target)
RECORDS = $(BUILT)/interop

.PHONY: help demo test interop-docs fuzz sim bench-ipam bench-cni bench-fib bench-failover bench-bgp build release image fmt lint clean

help:
	@echo 'make demo          the two racks: a fabric of real kernel network stacks, shown and checked'
	@echo 'make demo KEEP=1   the same, and leaves the fabric up for playing'
	@echo 'make test          fmt, clippy, unit, property and scenario tests (root)'
	@echo 'make interop-docs  docs/interop.md from what the tests see with routers of other makes (root)'
	@echo 'make bench-ipam    claims beside bare etcd, addresses beside host-local, the proof of 10,000 blocks (root)'
	@echo 'make bench-cni     ADD and DEL of the CNI plugin beside the reference plugins (root)'
	@echo 'make bench-failover  packets lost and time to recover; ARGS=--quick for less (root)'
	@echo 'make bench-fib     routes from BGP into the FIB and out, beside BIRD, FRR and a raw netlink loop (root); ARGS=--quick'
	@echo 'make bench-bgp     tables, a reflector, a big mesh and silence, beside BIRD, FRR and GoBGP (root); ARGS=--quick'
	@echo 'make fuzz SECONDS=60   searches for inputs that break a decoder, a session or a table; TARGETS=message for one'
	@echo 'make sim SEEDS=2000    fabrics of speakers on virtual time, that many seeds of faults'
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
	@RUST_TEST_THREADS=$(THREADS) scripts/totals scripts/run-tests $(CARGO)

# The page that the tests are held to, written from what they see, if they saw all of it.
interop-docs:
	@scripts/install-deps test
	$(CARGO) build --locked -p roadbed -p cni -p interop-table
	@rm -rf $(RECORDS)
	@status=0; \
	RUST_TEST_THREADS=$(THREADS) $(CARGO) test --locked -p roadbed --test scenarios -- \
	    interop:: hitless::sessions:: bfd::frr:: bfd::bird:: unnumbered:: || status=$$?; \
	$(BUILT)/debug/interop-table --from $(RECORDS) --write docs/interop.md || status=$$?; exit $$status

# The corpora that a search leaves behind are replayed by `make test`.
SECONDS ?= 60
TARGETS ?= bfd filters message session rib resources
fuzz:
	@for target in $(TARGETS); do fuzz/run $$target $(SECONDS) || exit 1; done

SEEDS ?= 2000
sim:
	ROADBED_SIM_SEEDS=$(SEEDS) $(CARGO) test --release --locked -p bgpd-proto --test simulation -- --nocapture

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

# The others come as packages: so does the agent.
bench-bgp:
	@scripts/install-deps bench
	$(CARGO) build --release --locked -p bench-bgp
	$(CARGO) build --profile dist --locked -p roadbed
	$(BUILT)/release/bench-bgp --roadbed $(BUILT)/dist/roadbed --markdown docs/performance.md $(ARGS)

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
