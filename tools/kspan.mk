# SPDX-License-Identifier: GPL-2.0
#
# For the Kbuild of a module that uses kspan:
#
#	include /usr/local/src/kspan/kspan.mk		after make install or dkms-install
#	include /usr/src/kspan/kspan.mk			with the package kspan-dev
#
# It finds the headers and Module.symvers of the kspan that is installed for the kernel:
# DKMS's, or else those of make install, which are beside this file.

kspan-here := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
kspan-build := $(firstword $(wildcard \
	/var/lib/dkms/kspan/kernel-$(KERNELRELEASE)-*/dependents $(kspan-here)/$(KERNELRELEASE)))
ifeq ($(kspan-build),)
$(warning kspan is not installed for the kernel $(KERNELRELEASE))
endif

ccflags-y += -I$(firstword $(wildcard $(kspan-build)/include $(kspan-here)/include))
KBUILD_EXTRA_SYMBOLS += $(addsuffix /Module.symvers,$(kspan-build))
