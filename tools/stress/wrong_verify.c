// SPDX-License-Identifier: GPL-2.0
/* kspan_find_inconsistency() in this module too, as in verify.c. */
#include "../../kunit/verify.c"
