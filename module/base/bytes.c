// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes that somebody writes: 8388608, 0x800000, 8192K, 8M
 *
 * Context: any.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "base/bytes.h"
#include "base/kunit_export.h"

/**
 * kspan_bytes_parse() - bytes from a number with or without one of the suffixes K, M, G, T
 * @text:	the number, which a newline may follow, or NULL, which is refused
 * @least:	the smallest value that is taken
 * @most:	the largest one
 * @bytes:	the result, untouched where the text is refused
 *
 * memparse() would take "what" for 0, and not see that 16777216T is more than 64 bits.
 *
 * Context: any.
 * Return: 0, -EINVAL where @text is no number or out of range, -ERANGE where it is no u64.
 */
int kspan_bytes_parse(const char *text, u64 least, u64 most, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	/* The longest u64 is one in octal. */
	char number[sizeof("01777777777777777777777T")];
	const char *suffix;
	size_t length;
	u64 value;
	int err;

	length = text ? strcspn(text, "\n") : 0;
	if (!length || length >= sizeof(number) || (text[length] && text[length + 1]))
		return -EINVAL;
	memcpy(number, text, length);
	number[length] = '\0';
	suffix = strchr(suffixes, toupper(number[length - 1]));
	if (suffix)
		number[length - 1] = '\0';
	err = kstrtou64(number, 0, &value);
	if (err)
		return err;
	if (suffix && check_shl_overflow(value, 10 * (suffix - suffixes + 1), &value))
		return -ERANGE;
	if (value < least || value > most)
		return -EINVAL;
	*bytes = value;
	return 0;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_bytes_parse);
