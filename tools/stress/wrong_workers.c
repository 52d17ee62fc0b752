// SPDX-License-Identifier: GPL-2.0
/*
 * The contexts of kspan_stress in kspan_wrong, too. An object file can be part of one
 * module only, as it carries the module's name.
 */
#include "workers.c"
