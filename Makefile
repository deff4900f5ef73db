# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
CARGO ?= cargo
OUT ?= $(CURDIR)/out
LINUX_CACHE = $${L4RE_TEST_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/l4re-drivers}
E2E = $(CARGO) run -q -p l4re-e2e --bin
GUESTS = -p l4re-runtime -p l4re-libc -p l4re-virtio-blk-drv -p l4re-standin \
         -p l4re-test-classes -p l4re-test-conformance -p l4re-test-blk-client -p l4re-test-blk-faults \
         -p l4re-test-blk-bench -p l4re-test-c-part -p l4re-test-hello -p l4re-test-support

.PHONY: help setup setup-test fresh demo test test-all test-host test-linux test-guest lint doc \
        bench bench-blk bench-images bench-linux test-l4re install package clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# What `make test` does, one after the other.
STEPS = lint test-host doc test-linux test-guest

setup: ## install what building needs and is missing (apt-get, rustup)
	@scripts/setup.sh

setup-test:
	@scripts/setup.sh test

demo: setup ## the main job: build the virtio-blk server, boot it on a real disk image, report
	@[ -d "$${CARGO_TARGET_DIR:-target}/debug" ] || echo "make demo: compiling for the first time; this takes some minutes"
	@$(E2E) demo -- --out $(OUT)/demo

test: setup-test ## every test
	@step=0; for goal in $(STEPS); do \
		step=$$((step + 1)); started=$$(date +%s); \
		echo "make test: step $$step of $(words $(STEPS)): $$goal"; \
		$(MAKE) --no-print-directory $$goal; \
		echo "make test: $$goal passed in $$(($$(date +%s) - started)) s"; \
	done
	@echo "make test: all passed"

fresh: ## demo and test in a minimal Debian root that has nothing yet (as root; FRESH=<goals>)
	@scripts/fresh.sh $(FRESH)

test-all: ## every test, with all architectures and directories of the Linux trees
	@L4RE_TEST_ALL=1 $(MAKE) --no-print-directory test

lint: setup ## formatting and lints, for the host and for the target
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy -q --workspace --all-targets -- -D warnings
	@$(CARGO) clippy -q $(GUESTS) --target aarch64-unknown-none -- -D warnings

# The same random input each time: what was green stays green. Another number finds other things.
PROPTEST_RNG_SEED ?= 1
export PROPTEST_RNG_SEED

test-host: setup-test ## tests that need no guest
	@$(CARGO) test -q --workspace --exclude l4re-e2e --exclude l4re-test-linux

test-linux: setup-test ## Linux trees, held against the trees' own tools
	@$(CARGO) test -q -p l4re-test-linux
	@for tree in 6.1:5.15 6.12:6.12; do \
		conf=$(LINUX_CACHE)/out/$${tree%:*}-tools/scripts/kconfig/conf; \
		[ ! -x "$$conf" ] || L4RE_KCONFIG_CONF=$$conf L4RE_KCONFIG_DIALECT=$${tree#*:} \
			$(CARGO) test -q -p l4re-kconfig --test differential -- --ignored; \
	done

doc: setup ## documentation of every crate, no warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc -q --workspace --no-deps

test-guest: setup ## tests that boot guests in QEMU
	@$(CARGO) test -q -p l4re-e2e

bench: bench-blk bench-images bench-linux ## all benchmarks

bench-blk: setup ## counts and guest time a request, beside the blocking driver
	@$(E2E) bench -- --out $(OUT)/bench

bench-images: setup ## an image of 64 MiB made and changed, beside l4image with L4RE_BUILD=<build folder>
	@$(CARGO) run -q --release -p l4re-image --example image-bench -- $(if $(L4RE_BUILD),\
		"$$(echo $(L4RE_BUILD)/bin/*/plain/bootstrap.elf)" $(L4RE_BUILD)/source/tool/bin/l4image)

bench-linux: setup-test ## reading a Linux tree, beside kconfiglib
	@$(CARGO) build -q --release -p l4re-packager
	@$(CARGO) run -q -p l4re-test-linux --bin bench-linux -- \
		--packager "$${CARGO_TARGET_DIR:-target}/release/packager"

# Where `cargo install` puts programs.
PREFIX ?= $${CARGO_INSTALL_ROOT:-$${CARGO_HOME:-$$HOME/.cargo}}

install: setup ## packager, udibuild, udimkpkg and udisetup on PATH: in cargo's bin/, or PREFIX=<folder>
	@$(CARGO) install -q --locked --path packager --root "$(PREFIX)"
	@for name in udibuild udimkpkg udisetup; do ln -sf packager "$(PREFIX)/bin/$$name"; done
	@echo "$(PREFIX)/bin/packager: installed, with udibuild, udimkpkg and udisetup"

libc: setup ## the C library for C code in drivers, as libl4re_libc.a; prints its folder for LIBRARY_PATH
	@CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_PANIC=abort $(CARGO) rustc -q -p l4re-libc --lib \
		--release --target aarch64-unknown-none --features archive --crate-type staticlib
	@echo "$${CARGO_TARGET_DIR:-$(CURDIR)/target}/aarch64-unknown-none/release"

.PHONY: libc
package: setup ## the L4Re package of the virtio-blk server, in out/pkg
	@$(CARGO) run -q -p l4re-packager -- build drivers/blk

test-l4re: setup ## the same on real L4Re: L4RE_BUILD=<build folder> FIASCO=<kernel> [GUEST_KERNEL=, GUEST_MODULES=, GUEST_ROOT=]
	@$(E2E) test-l4re -- --out $(OUT)/l4re --build "$(L4RE_BUILD)" --fiasco "$(FIASCO)" \
		$(if $(GUEST_KERNEL),--guest-kernel "$(GUEST_KERNEL)") $(if $(GUEST_MODULES),--guest-modules "$(GUEST_MODULES)") \
		$(if $(GUEST_ROOT),--guest-root "$(GUEST_ROOT)")

dist: setup ## the release, in out/dist: static packager, stand-in, packages, book (reproducible)
	@scripts/dist.sh $(OUT)/dist

package-crates: setup ## check each published crate's package, by building it; publishes nothing
	@$(CARGO) publish -q --workspace --dry-run $(if $(NO_VERIFY),--no-verify) $(if $(ALLOW_DIRTY),--allow-dirty)

.PHONY: dist package-crates
MDBOOK = 0.5.4
book: setup ## the documentation as a book, in out/book (installs mdbook below out/ when it is missing)
	@command -v mdbook >/dev/null 2>&1 || [ -x $(OUT)/tools/bin/mdbook ] || \
		$(CARGO) install -q mdbook --version $(MDBOOK) --locked --root $(OUT)/tools
	@PATH="$(OUT)/tools/bin:$$PATH" mdbook build docs
	@echo "make book: out/book/index.html"

hooks: ## make git check commit messages (scripts/hooks)
	@git config core.hooksPath scripts/hooks

.PHONY: book hooks
.PHONY: systemd-image test-systemd
systemd-image: setup ## root file systems with systemd, in out/rootfs: ARGS="options of packager rootfs"
	@$(CARGO) run -q -p l4re-packager -- rootfs --out $(OUT)/rootfs $(ARGS)

test-systemd: setup ## the one for arm64 starts in QEMU under Debian's kernel (fetches packages)
	@$(CARGO) run -q -p l4re-packager -- rootfs --out $(OUT)/rootfs --arch arm64 --with-kernel \
		--units files/systemd --units packager/tests/systemd --enable check.service
	@scripts/runqemu.sh $(OUT)/rootfs/systemd-arm64.ext4 --kernel $(OUT)/rootfs/boot-arm64/Image \
		--time-limit 1800 --expect 'L4RE-RESULT: pass'

clean: ## remove everything that was built
	@$(CARGO) clean -q
	@rm -rf $(OUT)
