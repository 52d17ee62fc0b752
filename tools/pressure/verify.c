// SPDX-License-Identifier: GPL-2.0
/*
 * kspan_find_inconsistency() in this module too. An object file can be part of
 * one module only, as it carries the module's name.
 */
#include "../../kunit/verify.c"
