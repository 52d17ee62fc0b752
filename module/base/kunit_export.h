/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exports for the KUnit suites and the tools of the source tree, which look into kspan. They exist
 * only where the suites can be built. They are in a namespace of their own, so that modpost refuses
 * every other module that uses them.
 */
#ifndef KSPAN_KUNIT_EXPORT_H
#define KSPAN_KUNIT_EXPORT_H

#include <linux/build_bug.h>
#include <linux/export.h>
#include <linux/kconfig.h>
#include <linux/module.h>
#include <linux/version.h>

/* A namespace is a string since 6.13, and was a bare word before: no macro tells which. */
#if !IS_ENABLED(CONFIG_KUNIT)
/* A declaration without effect: it needs the semicolon that stands behind the macro. */
#define KSPAN_EXPORT_FOR_KUNIT(symbol)	\
	static_assert(!__builtin_types_compatible_p(typeof(symbol), void))
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define KSPAN_EXPORT_FOR_KUNIT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, "KSPAN_INTERNAL")
#else
#define KSPAN_EXPORT_FOR_KUNIT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, KSPAN_INTERNAL)
#endif

/* For a module that uses what KSPAN_EXPORT_FOR_KUNIT() exports. */
#define KSPAN_IMPORT_FOR_KUNIT()	MODULE_INFO(import_ns, "KSPAN_INTERNAL")

#endif /* KSPAN_KUNIT_EXPORT_H */
