// SPDX-License-Identifier: GPL-2.0
/*
 * Names
 *
 * The name of a heap, typed cache or pool is whatever its user gives, maybe what somebody
 * gave him. It is shown in the kernel's log, where a newline in it would begin a line that
 * kspan has not written, or an escape code be obeyed by a terminal; and in tables of debugfs,
 * where it must be a word of a row. So there is one rule: what is kept of a name is printable
 * ASCII, any other byte and the backslash are \ooo, in octal; and "-" for no name at all. In a
 * table a blank is \040, too.
 *
 * Context: any.
 */
#include <linux/seq_file.h>

#include "base/name.h"

/* So that what begins with a backslash is always one of ours. */
static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '\\';
}

static const char *or_dash(const char *name)
{
	return name && *name ? name : "-";
}

/**
 * kspan_name_bytes() - room that a name takes
 * @name: as the user gave it, or NULL
 * Return: bytes, those of the NUL included.
 */
size_t kspan_name_bytes(const char *name)
{
	size_t bytes = 1;

	for (name = or_dash(name); *name; name++)
		bytes += is_plain(*name) ? 1 : 4;
	return bytes;
}

/**
 * kspan_name_copy() - keep a name, so that it can be shown
 * @to:		kspan_name_bytes() of memory
 * @name:	as the user gave it, or NULL
 * Return: @to.
 */
char *kspan_name_copy(char *to, const char *name)
{
	char *end = to;
	u8 byte;

	for (name = or_dash(name); *name; name++) {
		byte = *name;
		if (is_plain(byte)) {
			*end++ = byte;
			continue;
		}
		*end++ = '\\';
		*end++ = '0' + byte / 64;
		*end++ = '0' + byte / 8 % 8;
		*end++ = '0' + byte % 8;
	}
	*end = '\0';
	return to;
}

/**
 * kspan_name_brief() - a name that is not kept, as it is shown
 * @to:		KSPAN_NAME_BRIEF bytes
 * @name:	as the user gave it, or NULL
 * Return: @to, with as much of the name as anybody reads.
 */
char *kspan_name_brief(char *to, const char *name)
{
	char first[33];

	strscpy(first, or_dash(name), sizeof(first));
	return kspan_name_copy(to, first);
}

/**
 * kspan_name_show() - print a name as a word of a table
 * @m:		where to
 * @name:	as it is kept
 */
void kspan_name_show(struct seq_file *m, const char *name)
{
	seq_escape(m, name, " ");
}

/**
 * kspan_name_of_code() - where an address of code is
 * @text:	set to function, offset and module
 * @size:	its length
 * @addr:	the address; of a module that is gone there is no name, and the address is not
 *		told as it is
 * Return: @text.
 */
const char *kspan_name_of_code(char *text, size_t size, unsigned long addr)
{
	snprintf(text, size, "%pS", (void *)addr);
	if (!strncmp(text, "0x", 2))
		snprintf(text, size, "%p", (void *)addr);
	return text;
}
