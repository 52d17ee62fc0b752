// SPDX-License-Identifier: GPL-2.0
/* Tables of debugfs: the same cells as text and as JSON. */
#include <linux/seq_file.h>

#include "base/table.h"
#include "kspan_kunit.h"

#define HEAD	"# kspan things v3: name size node left\n"

static struct seq_file file;

static int table_init(struct kunit *test)
{
	file = (struct seq_file) { .size = 2048 };
	file.buf = kunit_kzalloc(test, file.size, GFP_KERNEL);
	return file.buf ? 0 : -ENOMEM;
}

static void print_things(bool json)
{
	struct kspan_table table;

	kspan_table_begin(&table, &file, json, HEAD);
	kspan_table_row(&table);
	kspan_table_name(&table, "a b\\012\"");
	kspan_table_number(&table, 4, 7);
	kspan_table_none(&table, 3);
	kspan_table_signed(&table, 0, -1);
	kspan_table_end_row(&table);
	kspan_table_row(&table);
	kspan_table_word(&table, 0, "word");
	kspan_table_number(&table, 0, U64_MAX);
	kspan_table_number(&table, 0, 0);
	kspan_table_hex(&table, 255);
	kspan_table_end_row(&table);
	kspan_table_end(&table);
}

static void columns_are_text(struct kunit *test)
{
	print_things(false);
	KUNIT_EXPECT_STREQ(test, file.buf, HEAD "a\\040b\\012\"    7   - -1\n"
					   "word 18446744073709551615 0 0xff\n");
}

static void columns_are_json(struct kunit *test)
{
	print_things(true);
	KUNIT_EXPECT_STREQ(test, file.buf,
			   "{\"table\": \"things\", \"version\": 3, \"rows\": [\n"
			   "{\"name\": \"a b\\u005c012\\u0022\", \"size\": 7, \"node\": null, \"left\": -1},\n"
			   "{\"name\": \"word\", \"size\": 18446744073709551615, \"node\": 0, \"left\": 255}\n"
			   "]}\n");
}

/* Rows may have different cells: they name each. */
static void print_fields(struct kspan_table *table)
{
	kspan_table_row(table);
	kspan_table_key(table, "time");
	kspan_table_time(table, 1000000500);
	kspan_table_key(table, "name");
	kspan_table_name(table, "x y");
	kspan_table_end_row(table);
	kspan_table_row(table);
	kspan_table_key(table, "size");
	kspan_table_number(table, 0, 3);
	kspan_table_end_row(table);
	kspan_table_end(table);
}

static void fields_are_text(struct kunit *test)
{
	struct kspan_table table;

	kspan_table_begin_fields(&table, &file, false, "things", 1);
	print_fields(&table);
	KUNIT_EXPECT_STREQ(test, file.buf, "time=1.000000 name=x\\040y\nsize=3\n");
}

static void lines_are_text(struct kunit *test)
{
	struct kspan_table table;

	kspan_table_begin_lines(&table, &file, false, "things", 1);
	print_fields(&table);
	KUNIT_EXPECT_STREQ(test, file.buf, "time: 1.000000\nname: x\\040y\nsize: 3\n");
}

static void fields_are_json(struct kunit *test)
{
	struct kspan_table table;

	kspan_table_begin_fields(&table, &file, true, "things", 1);
	print_fields(&table);
	KUNIT_EXPECT_STREQ(test, file.buf,
			   "{\"table\": \"things\", \"version\": 1, \"rows\": [\n"
			   "{\"time\": 1.000000, \"name\": \"x y\"},\n"
			   "{\"size\": 3}\n"
			   "]}\n");
}

/* A table without a row is JSON, too. */
static void no_rows(struct kunit *test)
{
	struct kspan_table table;

	kspan_table_begin(&table, &file, true, HEAD);
	kspan_table_end(&table);
	KUNIT_EXPECT_STREQ(test, file.buf,
			   "{\"table\": \"things\", \"version\": 3, \"rows\": [\n]}\n");
}

/* A task may give itself any name. */
static void any_byte_is_escaped(struct kunit *test)
{
	struct kspan_table table;

	kspan_table_begin(&table, &file, true, "# kspan t v1: name\n");
	kspan_table_row(&table);
	kspan_table_name(&table, "\n\x1b\xff");
	kspan_table_end_row(&table);
	kspan_table_end(&table);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(file.buf, "{\"name\": \"\\u000a\\u001b\\u00ff\"}"),
				  "%s", file.buf);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(columns_are_text),
	KUNIT_CASE(columns_are_json),
	KUNIT_CASE(fields_are_text),
	KUNIT_CASE(lines_are_text),
	KUNIT_CASE(fields_are_json),
	KUNIT_CASE(no_rows),
	KUNIT_CASE(any_byte_is_escaped),
	{}
};

static struct kunit_suite table_suite = {
	.name = "kspan_table",
	.init = table_init,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
