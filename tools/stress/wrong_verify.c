// SPDX-License-Identifier: GPL-2.0
/* Build kunit/verify.c into this module, too, as in verify.c. */
#include "../../kunit/verify.c"
