/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KSPAN_BYTES_H
#define KSPAN_BYTES_H

#include <linux/types.h>

int kspan_bytes_parse(const char *text, u64 least, u64 most, u64 *bytes);

#endif /* KSPAN_BYTES_H */
