// SPDX-License-Identifier: GPL-2.0
/*
 * Build kunit/verify.c into this module, too. An object file carries the name of its module, so it
 * can be part of one module only.
 */
#include "../../kunit/verify.c"
