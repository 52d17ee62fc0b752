# SPDX-License-Identifier: GPL-2.0
#
# Makefile is for people; Kbuild is for objects. `make help` lists the targets.

KDIR	?= /lib/modules/$(shell uname -r)/build
PREFIX	?= /usr/local

# Given on the command line, these reach the tools through the environment.
export KERNEL FLAVOUR MATRIX MINUTES KSRC INPUT SAMPLE JOBS SILENCE TIMEOUT
export BENCH BENCH_WHAT BENCH_ON INIT_ON_ALLOC CPUS MEM
export REPLAY TRACE MODULE CMD

samples = $(patsubst tools/samples/%/demo.sh,%,$(sort $(wildcard tools/samples/*/demo.sh)))
space = $(subst ,, )

# Where a dependent's build looks: see tools/kspan.mk.
dependents = $(DESTDIR)$(PREFIX)/src/kspan
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)
installed = $(DESTDIR)/lib/modules/$(release)/updates/kspan.ko
depmod = PATH=$$PATH:/usr/sbin:/sbin depmod -b $(or $(DESTDIR),/) $(release)

# The kernel of a distribution wants modules signed, and comes without its key.
key = $(shell sed -n 's/^CONFIG_MODULE_SIG_KEY="\(.*\)"/\1/p' $(KDIR)/include/config/auto.conf)
have_key = $(and $(key),$(or $(findstring pkcs11:,$(key)),$(wildcard $(key) $(KDIR)/$(key))))

.PHONY: modules samples all clean modules_install install uninstall dkms-install dkms-remove \
	deb dist patch run \
	demo check kunit kselftest tool stress pressure fragmented hotplug stray ports rust manycpus speed check-all bench replay traces style docs packages-test help kdir

modules samples all: kdir
	$(MAKE) -C $(KDIR) M=$(CURDIR) KSPAN_BUILD=$@ modules

clean:
	@if [ -f $(KDIR)/Makefile ]; then \
		$(MAKE) -C $(KDIR) M=$(CURDIR) KSPAN_BUILD=all clean; \
	else \
		find . \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
			-o -name '.*.cmd' -o -name modules.order -o -name Module.symvers \) \
			-not -path './.git/*' -delete; \
	fi
	@$(MAKE) -s -C tools/kspan clean

# The kernel's rule would leave out depmod where there is no System.map: headers have none.
modules_install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates \
		quiet_cmd_depmod= cmd_depmod=: $(if $(have_key),,CONFIG_MODULE_SIG_ALL=) modules_install
	@$(depmod)
	$(if $(have_key),,@tools/secure-boot.sh make)

install: modules
	install -d $(dependents)/$(release)/include/linux
	install -m 644 module/include/linux/*.h $(dependents)/$(release)/include/linux/
	install -m 644 Module.symvers $(dependents)/$(release)/
	install -m 644 tools/kspan.mk $(dependents)/
	$(MAKE) -C tools/kspan install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)
	@echo
	@echo "A dependent module's Kbuild finds kspan with:"
	@echo "  include $(PREFIX)/src/kspan/kspan.mk"

# What modules_install and install left, for the kernel of KDIR.
uninstall: kdir
	@rm -f $(installed) $(installed).gz $(installed).xz $(installed).zst
	@$(depmod)
	@rm -rf $(dependents)/$(release)
	@ls -d $(dependents)/*/ >/dev/null 2>&1 || rm -rf $(dependents)
	@$(MAKE) -s -C tools/kspan uninstall PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)

dkms-install:
	@tools/dkms.sh install $(if $(filter-out file,$(origin KDIR)),$(KDIR))

dkms-remove:
	@tools/dkms.sh remove

deb:
	@tools/deb.sh

dist:
	@tools/dist.sh

patch:
	@tools/patch.sh

run:
	@tools/run.sh

demo:
	@tools/demo.sh

check:
	@tools/check.sh

kunit:
	@tools/check.sh kunit

kselftest:
	@tools/check.sh kselftest

tool:
	@tools/check.sh tool

# Ten minutes, unless MINUTES= says something else; make check takes one.
stress:
	@MINUTES=$(or $(MINUTES),10) tools/check.sh stress

pressure:
	@tools/check.sh pressure

fragmented:
	@tools/check.sh fragmented

hotplug:
	@tools/check.sh hotplug

stray:
	@tools/check.sh stray

ports:
	@tools/check.sh ports

rust:
	@tools/check.sh rust

# Two minutes of stress, unless MINUTES= says something else.
manycpus:
	@MINUTES=$(or $(MINUTES),2) tools/check.sh manycpus

speed:
	@tools/check.sh speed

# Hours. That the benchmarks run at all is what is seen of them. The demo is the only one that
# builds for stock kernels.
check-all:
	@MATRIX=all tools/check.sh
	@tools/demo.sh
	@MATRIX= KERNEL=6.12 FLAVOUR=plain MINUTES=$(or $(MINUTES),2) tools/check.sh manycpus
	@tools/package-test.sh
	@KERNEL=6.12 BENCH="rounds=2 n=16,64 size=64,4096" tools/bench.sh
	@KERNEL=6.12 BENCH_WHAT=fragmented tools/bench.sh
	@KERNEL=6.12 TRACE=tools/replay/traces/serve.ktrace REPLAY="--rounds 1" tools/replay.sh

bench:
	@tools/bench.sh

replay:
	@tools/replay.sh

traces:
	@tools/replay/make-traces.sh

packages-test:
	@tools/package-test.sh

style:
	@tools/style.sh

docs:
	@tools/docs.sh

# A kernel's build directory is what every build needs; say so in time. Kbuild can't cope with a space.
kdir:
	@if [ $(words x$(CURDIR)) -gt 1 ] || [ $(words x$(KDIR)) -gt 1 ]; then \
		echo "kspan: error: the kernel's makefiles can't cope with a space in a path:" >&2; \
		echo "       $(CURDIR), KDIR=$(KDIR)" >&2; \
		echo "       Move the checkout to a path without one." >&2; \
		exit 2; \
	elif [ ! -d "$(KDIR)" ]; then \
		echo "kspan: error: there is no kernel build directory at KDIR=$(KDIR)." >&2; \
		echo "       Install the headers of the running kernel (Debian: apt-get install linux-headers-\$$(uname -r))," >&2; \
		echo "       or name another kernel's: make KDIR=/path/to/build," >&2; \
		echo "       or see kspan run on a stock kernel without installing one: make demo" >&2; \
		exit 2; \
	elif [ ! -f "$(KDIR)/Makefile" ] || [ ! -f "$(KDIR)/include/config/auto.conf" ]; then \
		echo "kspan: error: KDIR=$(KDIR) holds no configured kernel build:" >&2; \
		echo "       it has no Makefile or no include/config/auto.conf." >&2; \
		echo "       Give the directory of a built kernel, or of a linux-headers package." >&2; \
		exit 2; \
	fi

help:
	@echo 'Build and install (KDIR=DIR: the kernel build directory; the running kernel'"'"'s if not given)'
	@echo '  modules          build kspan.ko (default)'
	@echo '  samples          the same, and the samples of tools/samples'
	@echo '  all              the same, the benchmarks, and on a kernel with KUnit the suites'
	@echo '  clean            remove what the build left in the checkout'
	@echo '  modules_install  install kspan.ko for the kernel of KDIR (DESTDIR=)'
	@echo '  install          install the command kspan, headers and Module.symvers for dependents (DESTDIR=, PREFIX=/usr/local)'
	@echo '  uninstall        remove what these two installed for the kernel of KDIR'
	@echo '  dkms-install     build and install kspan with DKMS, for every kernel that is there or will come'
	@echo '  dkms-remove      remove what dkms-install installed'
	@echo '  deb              make the Debian packages kspan-dkms, kspan-dev, kspan-tools and kspan-doc; prints where'
	@echo '  dist             make a source tarball of the commit, and its checksum; prints where'
	@echo '  patch            make patches that put kspan into a kernel'"'"'s tree (KERNEL=, KSRC=); prints where'
	@echo
	@echo 'See it run, in QEMU, with nothing to install (KERNEL=6.1|6.12: which stock kernel)'
	@echo '  demo             load kspan and a module that uses it on a stock kernel (INPUT=FILE: a text of your own;'
	@echo '                   SAMPLE=$(subst $(space),|,$(samples))|all: which module, words if not given)'
	@echo '  run              load a module of your own on kspan: MODULE=DIR|FILE.ko, CMD= what to do meanwhile'
	@echo
	@echo 'Tests, in QEMU (KERNEL=6.1|6.12|7.3, FLAVOUR=plain|debug|hardened|kcsan|rt|dm|rust; KSRC=DIR: a kernel source of your own)'
	@echo '  check            all of the twelve below, ports and rust apart, on 6.12 plain, debug, rt and hardened, 6.1 plain, 7.3 plain'
	@echo '                   (MATRIX=all: on every kernel in every flavour), and the runner of the guests;'
	@echo '                   a guest fails that prints nothing for SILENCE=300 seconds, however long it'
	@echo '                   takes in all (TIMEOUT=14400 is for one that never ends)'
	@echo '  kunit            the KUnit suites alone'
	@echo '  kselftest        the tests from user space alone'
	@echo '  tool             the command kspan, on files that were taken from a guest'
	@echo '  stress           all calls at once, CPUs that go and come, memory that gets scarce (MINUTES=10)'
	@echo '  pressure         little memory, and somebody who takes it all'
	@echo '  fragmented       free memory in small blocks: what kmalloc serves there, kspan has to serve, too'
	@echo '  hotplug          memory that is added while kspan is loaded, and memory far above the rest'
	@echo '  stray            kfree() and put_page() of what is kspan'"'"'s'
	@echo '  ports            modules of the kernel that were ported to kspan, at work: dm-vdo'
	@echo '  rust             a module in Rust whose boxes and vectors are in memory of kspan'"'"'s'
	@echo '  speed            the instructions of some pairs, which must not be more than they were'
	@echo '  docs             the documentation as HTML, under the cache; prints where. It fails where the'
	@echo '                   documentation lacks a call, parameter, key of debugfs or file of the code'
	@echo '  style            generated tables, checkpatch, licences, shellcheck'
	@echo '  manycpus         kunit and stress on 64 CPUs, and what kspan holds at rest there (MINUTES=2)'
	@echo '  packages-test    install, upgrade and remove kspan by each way in a clean Debian (a chroot; as root), and more'
	@echo '  check-all        check with MATRIX=all, manycpus, packages-test, and a short run of bench and replay: hours'
	@echo '  bench            the benchmarks against SLUB (BENCH_WHAT=pairs|profile|..., BENCH_ON=icount|uml|mttcg;'
	@echo '                   the head of tools/bench.sh says what there is)'
	@echo '  replay           recorded traces of kernel work on kspan and on SLUB: what they hold (TRACE=FILE)'
	@echo '  traces           record the traces anew (TRACE=serve|store|containers|short)'
	@echo '  help             this list'
	@echo
	@echo 'Fetched sources, kernels and logs are kept in $${XDG_CACHE_HOME:-~/.cache}/kspan (KSPAN_CACHE= to move it).'
