// SPDX-License-Identifier: GPL-2.0
/*
 * Tables of debugfs
 *
 * The code that prints a table hands over its cells one by one, in the order of the columns. They
 * come out as text or as JSON:
 *
 *	# kspan heaps v2: name limit_bytes	{"table": "heaps", "version": 2, "rows": [
 *	default 0				{"name": "default", "limit_bytes": 0},
 *	my\040heap 4096				{"name": "my heap", "limit_bytes": 4096}
 *						]}
 *
 * In some tables not all rows have the same cells. There each cell has a key in the text, too:
 * "key=value" in one line (fields), or "key: value" in a line of its own (lines).
 *
 * A string of JSON has a name in the form in which it is kept, see name.c. A byte that is no
 * printable ASCII, a quotation mark and a backslash are escaped as \u00xx.
 *
 * Context: as the file's; nothing here sleeps.
 */
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "base/kunit_export.h"
#include "base/name.h"
#include "base/table.h"

static void open_json(struct kspan_table *table, const char *name, size_t length, int version)
{
	seq_printf(table->m, "{\"table\": \"%.*s\", \"version\": %d, \"rows\": [", (int)length,
		   name, version);
}

/**
 * kspan_table_begin() - begin a table whose rows all have the same columns
 * @table:	set
 * @m:		file that it is printed to
 * @json:	print JSON
 * @head:	"# kspan NAME vVERSION: COLUMN COLUMN ...\n", the first line of the text
 */
void kspan_table_begin(struct kspan_table *table, struct seq_file *m, bool json, const char *head)
{
	const char *name = head + strlen("# kspan "), *version = strstr(name, " v");

	*table = (struct kspan_table) {
		.m = m, .json = json, .parts = " ", .columns = strstr(version, ": ") + 2,
	};
	if (json)
		/* A version has one digit. */
		open_json(table, name, version - name, version[2] - '0');
	else
		seq_puts(m, head);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_begin);

/**
 * kspan_table_begin_fields() - begin a table with a line per row, which names each of its cells
 * @table:	set
 * @m:		file that it is printed to
 * @json:	print JSON
 * @name:	of the table
 * @version:	of the table
 */
void kspan_table_begin_fields(struct kspan_table *table, struct seq_file *m, bool json,
			      const char *name, int version)
{
	*table = (struct kspan_table) { .m = m, .json = json, .parts = " ", .before = "=" };
	if (json)
		open_json(table, name, strlen(name), version);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_begin_fields);

/** kspan_table_begin_lines() - the same with a line per cell */
void kspan_table_begin_lines(struct kspan_table *table, struct seq_file *m, bool json,
			     const char *name, int version)
{
	*table = (struct kspan_table) { .m = m, .json = json, .parts = "\n", .before = ": " };
	if (json)
		open_json(table, name, strlen(name), version);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_begin_lines);

/** kspan_table_end() - end a table */
void kspan_table_end(struct kspan_table *table)
{
	if (table->json)
		seq_puts(table->m, "\n]}\n");
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_end);

/** kspan_table_row() - begin a row */
void kspan_table_row(struct kspan_table *table)
{
	if (table->json)
		seq_puts(table->m, table->nr_rows ? ",\n{" : "\n{");
	table->nr_rows++;
	table->nr_cells = 0;
	table->column = table->columns;
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_row);

/** kspan_table_end_row() - end a row */
void kspan_table_end_row(struct kspan_table *table)
{
	seq_puts(table->m, table->json ? "}" : "\n");
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_end_row);

/* Begin a cell that has a key in JSON. */
static void put_key(struct kspan_table *table, const char *key, size_t length)
{
	if (table->nr_cells++)
		seq_puts(table->m, table->json ? ", " : table->parts);
	if (table->json)
		seq_printf(table->m, "\"%.*s\": ", (int)length, key);
	else if (table->before)
		seq_printf(table->m, "%.*s%s", (int)length, key, table->before);
}

/* Begin a cell: if the table has columns, it belongs to the next one. */
static void put_column(struct kspan_table *table)
{
	size_t length;

	if (!table->column)
		return;
	length = strcspn(table->column, "\n ");
	put_key(table, table->column, length);
	table->column += length + 1;
}

/**
 * kspan_table_key() - name the cell that comes next, in a table without columns
 * @table:	the table
 * @key:	the name
 */
void kspan_table_key(struct kspan_table *table, const char *key)
{
	put_key(table, key, strlen(key));
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_key);

/* Print a string of JSON. */
static void put_string(struct kspan_table *table, const char *text)
{
	u8 byte;

	seq_putc(table->m, '"');
	for (; *text; text++) {
		byte = *text;
		if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\')
			seq_printf(table->m, "\\u%04x", byte);
		else
			seq_putc(table->m, byte);
	}
	seq_putc(table->m, '"');
}

/**
 * kspan_table_number() - print a cell
 * @table:	the table
 * @width:	characters of the cell in the text, at least
 * @value:	a number
 */
void kspan_table_number(struct kspan_table *table, int width, u64 value)
{
	put_column(table);
	seq_printf(table->m, "%*llu", table->json ? 0 : width, value);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_number);

/** kspan_table_signed() - the same for a number that may be negative */
void kspan_table_signed(struct kspan_table *table, int width, s64 value)
{
	put_column(table);
	seq_printf(table->m, "%*lld", table->json ? 0 : width, value);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_signed);

/** kspan_table_hex() - the same for a number that the text has in hexadecimal */
void kspan_table_hex(struct kspan_table *table, u64 value)
{
	put_column(table);
	seq_printf(table->m, table->json ? "%llu" : "%#llx", value);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_hex);

/** kspan_table_time() - the same for a time, which is printed in seconds */
void kspan_table_time(struct kspan_table *table, u64 ns)
{
	put_column(table);
	seq_printf(table->m, "%llu.%06llu", div_u64(ns, NSEC_PER_SEC),
		   div_u64(ns, NSEC_PER_USEC) % USEC_PER_SEC);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_time);

/**
 * kspan_table_word() - print a cell
 * @table:	the table
 * @width:	characters of the cell in the text, at least; negative to align it left
 * @word:	text of kspan's own, without a blank
 */
void kspan_table_word(struct kspan_table *table, int width, const char *word)
{
	put_column(table);
	if (table->json)
		put_string(table, word);
	else
		seq_printf(table->m, "%*s", width, word);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_word);

/** kspan_table_label() - the same for a word that a colon follows in the text */
void kspan_table_label(struct kspan_table *table, const char *label)
{
	kspan_table_word(table, 0, label);
	if (!table->json)
		seq_putc(table->m, ':');
}

/**
 * kspan_table_name() - print a cell
 * @table:	the table
 * @name:	name from a module, as kspan_name_copy() keeps it
 */
void kspan_table_name(struct kspan_table *table, const char *name)
{
	put_column(table);
	if (table->json)
		put_string(table, name);
	else
		kspan_name_show(table->m, name);
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_name);

/** kspan_table_text() - the same for text of kspan's own with blanks, in a table of lines */
void kspan_table_text(struct kspan_table *table, const char *text)
{
	put_column(table);
	if (table->json)
		put_string(table, text);
	else
		seq_puts(table->m, text);
}

/* Print the name of a function as one word. */
static void put_code(struct kspan_table *table, unsigned long addr)
{
	char name[KSYM_SYMBOL_LEN];

	kspan_name_of_code(name, sizeof(name), addr);
	/* The name has a blank before the module, which would part the word. */
	strreplace(name, ' ', ':');
	if (table->json)
		put_string(table, name);
	else
		seq_puts(table->m, name);
}

/** kspan_table_code() - print a cell with the name of the function at an address of code */
void kspan_table_code(struct kspan_table *table, unsigned long addr)
{
	put_column(table);
	put_code(table, addr);
}

/**
 * kspan_table_codes() - print a cell with the names of functions; in JSON, an array
 * @table:	the table
 * @addrs:	addresses of code
 * @n:		how many
 */
void kspan_table_codes(struct kspan_table *table, const unsigned long *addrs, unsigned int n)
{
	unsigned int i;

	put_column(table);
	if (table->json)
		seq_putc(table->m, '[');
	for (i = 0; i < n; i++) {
		if (i)
			seq_puts(table->m, table->json ? ", " : ",");
		put_code(table, addrs[i]);
	}
	if (table->json)
		seq_putc(table->m, ']');
}

/** kspan_table_none() - print a cell that has no value: "-", or null in JSON */
void kspan_table_none(struct kspan_table *table, int width)
{
	put_column(table);
	if (table->json)
		seq_puts(table->m, "null");
	else
		seq_printf(table->m, "%*s", width, "-");
}
KSPAN_EXPORT_FOR_KUNIT(kspan_table_none);
