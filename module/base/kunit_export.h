/* SPDX-License-Identifier: GPL-2.0 */
/* Exports that exist only where the KUnit suites can be built. */
#ifndef KSPAN_KUNIT_EXPORT_H
#define KSPAN_KUNIT_EXPORT_H

#include <linux/build_bug.h>
#include <linux/export.h>
#include <linux/kconfig.h>

#if IS_ENABLED(CONFIG_KUNIT)
#define KSPAN_EXPORT_FOR_KUNIT(symbol)	EXPORT_SYMBOL_GPL(symbol)
#else
/* A declaration without effect: it needs the semicolon that stands behind the macro. */
#define KSPAN_EXPORT_FOR_KUNIT(symbol)	\
	static_assert(!__builtin_types_compatible_p(typeof(symbol), void))
#endif

#endif /* KSPAN_KUNIT_EXPORT_H */
