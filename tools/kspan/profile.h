/* SPDX-License-Identifier: GPL-2.0 */
/* What a heap profile is written as */
#ifndef KSPAN_PROFILE_H
#define KSPAN_PROFILE_H

#include "samples.h"

/* A profile.proto, compressed by gzip, for go tool pprof */
void profile_put_proto(FILE *to, const struct samples *samples, const struct symbols *symbols);
/* A flame graph, which needs no file besides */
void profile_put_flame(FILE *to, const struct samples *samples, const struct symbols *symbols,
		       enum sample_value which);
/* "vfs_write;words_write 1234"; of a profile that is compared, "old new" */
void profile_put_folded(FILE *to, const struct samples *samples, const struct symbols *symbols,
			enum sample_value which);

#endif
