# SPDX-License-Identifier: GPL-2.0
#
# Modules of the kernel's own source that were ported to kspan. A port is a directory with
# a Makefile, which says what it takes of the kernel's source, and kspan.patch.
#
#   make -C tools/ports/NAME KDIR=DIR KSRC=DIR KSPAN=DIR OUTPUT=DIR [NATIVE=1]
#
#   KDIR	the build directory of the kernel that the module is for
#   KSRC	the source that KDIR was built of
#   KSPAN	has the Module.symvers of a kspan that was built for KDIR
#   OUTPUT	where sources, objects and the module go; what is there is removed
#   NATIVE	the same module on kmalloc, to compare
#
# What a Makefile sets before it includes this:
#   source	a directory of the kernel's source
#   settings	what turns the module on where it is off

port := $(CURDIR)
top := $(abspath ../../..)
module = $(abspath $(OUTPUT))/$(source)
missing = $(firstword $(foreach name,KDIR KSRC OUTPUT $(if $(NATIVE),,KSPAN),$(if $($(name)),,$(name))))

all:
	$(if $(missing),$(error $(missing)= is missing: see the head of tools/ports/port.mk))
	rm -rf $(OUTPUT)
	mkdir -p $(module)
	cp -r $(KSRC)/$(source)/. $(module)
	$(if $(NATIVE),,patch -s -p1 -d $(OUTPUT) <$(port)/kspan.patch)
	$(MAKE) -C $(KDIR) M=$(module) $(settings) \
		KCFLAGS="-Werror -I$(top)/module/include" \
		KBUILD_EXTRA_SYMBOLS=$(if $(NATIVE),,$(abspath $(KSPAN))/Module.symvers) modules

.PHONY: all
