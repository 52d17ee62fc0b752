/* SPDX-License-Identifier: GPL-2.0 */
/* The files of debugfs that show the heap profile. */
#ifndef KSPAN_PROFILE_FILES_H
#define KSPAN_PROFILE_FILES_H

struct dentry;

/* An object that lives longer may be a leak; a module parameter, in seconds. */
extern unsigned int kspan_leak_seconds;

void kspan_profile_files_init(struct dentry *directory);

#endif /* KSPAN_PROFILE_FILES_H */
