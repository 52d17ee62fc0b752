// SPDX-License-Identifier: GPL-2.0
/*
 * Build workers.c into kspan_wrong, too. An object file carries the name of its module, so it can
 * be part of one module only.
 */
#include "workers.c"
