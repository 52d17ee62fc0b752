// SPDX-License-Identifier: GPL-2.0
/*
 * Names
 *
 * The module that makes a heap, typed cache or pool gives it a name, which may come from
 * user space. kspan shows the name in the kernel's log: there a newline in it would begin a
 * line that kspan has not written, and a terminal would obey an escape code. It also shows the
 * name in tables of debugfs, where it must be one word of a row. So there is one rule. kspan
 * keeps printable ASCII of a name as it is. It keeps any other byte, and the backslash, as
 * \ooo, in octal. It keeps "-" in place of an empty name or of none. In a table a blank is
 * shown as \040, too.
 *
 * Context: any.
 */
#include <linux/seq_file.h>

#include "base/name.h"

/* The backslash is not plain, so that each backslash in a kept name begins an escape of kspan's. */
static bool is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '\\';
}

static const char *or_dash(const char *name)
{
	return name && *name ? name : "-";
}

/**
 * kspan_name_bytes() - memory that a name takes when it is kept
 * @name: as the user gave it, or NULL
 * Return: bytes, with the NUL.
 */
size_t kspan_name_bytes(const char *name)
{
	size_t bytes = 1;

	for (name = or_dash(name); *name; name++)
		bytes += is_plain(*name) ? 1 : 4;
	return bytes;
}

/**
 * kspan_name_copy() - keep a name in the form in which it can be shown
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
 * kspan_name_brief() - make the form in which a name can be shown, of a name that is not kept
 * @to:		KSPAN_NAME_BRIEF bytes
 * @name:	as the user gave it, or NULL
 * Return: @to, with the first 32 bytes of the name.
 */
char *kspan_name_brief(char *to, const char *name)
{
	char first[33];

	strscpy(first, or_dash(name), sizeof(first));
	return kspan_name_copy(to, first);
}

/**
 * kspan_name_show() - print a name as one word of a table
 * @m:		file to print to
 * @name:	as kspan_name_copy() keeps it
 */
void kspan_name_show(struct seq_file *m, const char *name)
{
	seq_escape(m, name, " ");
}

/**
 * kspan_name_of_code() - make text that says where an address of code is
 * @text:	set to function, offset and module
 * @size:	bytes of @text
 * @addr:	address of code. Code of a module that was unloaded has no name; the text is the
 *		hashed address then, so that the address itself is not revealed.
 * Return: @text.
 */
const char *kspan_name_of_code(char *text, size_t size, unsigned long addr)
{
	snprintf(text, size, "%pS", (void *)addr);
	if (!strncmp(text, "0x", 2))
		snprintf(text, size, "%p", (void *)addr);
	return text;
}
