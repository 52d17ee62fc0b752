// SPDX-License-Identifier: GPL-2.0
/* Sizes that somebody writes, as the module's parameters take them. */
#include "base/bytes.h"
#include "kspan_kunit.h"

#define UNTOUCHED 12345

static int parse(const char *text, u64 *bytes)
{
	*bytes = UNTOUCHED;
	return kspan_bytes_parse(text, 0, U64_MAX, bytes);
}

static void numbers_are_bytes(struct kunit *test)
{
	static const struct {
		const char *text;
		u64 bytes;
	} good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "8388608\n", 8388608 },
		{ "0x10", 16 },
		{ "010", 8 },
		{ "18446744073709551615", U64_MAX },
		{ "01777777777777777777777", U64_MAX },
	};
	u64 bytes;
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ_MSG(test, parse(good[i].text, &bytes), 0, "%s", good[i].text);
		KUNIT_EXPECT_EQ_MSG(test, bytes, good[i].bytes, "%s", good[i].text);
	}
}

static void suffixes_multiply(struct kunit *test)
{
	static const struct {
		const char *text;
		u64 bytes;
	} good[] = {
		{ "1K", 1ULL << 10 },
		{ "8M", 8ULL << 20 },
		{ "8m\n", 8ULL << 20 },
		{ "3g", 3ULL << 30 },
		{ "0x10k", 16ULL << 10 },
		{ "16777215T", 16777215ULL << 40 },
		{ "0T", 0 },
	};
	u64 bytes;
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ_MSG(test, parse(good[i].text, &bytes), 0, "%s", good[i].text);
		KUNIT_EXPECT_EQ_MSG(test, bytes, good[i].bytes, "%s", good[i].text);
	}
}

static void what_is_no_size_is_refused(struct kunit *test)
{
	static const char * const bad[] = {
		"", "\n", "what", "M", "KM", "8MM", "8 M", "8MB", "8M 9", "8M\n\n", "8Q", "-1",
		"-1M", "1.5M", "0x", "1\n2", "0000000000000000000000000001",
	};
	u64 bytes;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, parse(bad[i], &bytes), -EINVAL, "\"%s\"", bad[i]);
		KUNIT_EXPECT_EQ_MSG(test, bytes, (u64)UNTOUCHED, "\"%s\"", bad[i]);
	}
	KUNIT_EXPECT_EQ(test, parse(NULL, &bytes), -EINVAL);
}

static void what_needs_more_than_64_bits_is_refused(struct kunit *test)
{
	static const char * const bad[] = {
		"18446744073709551616", "99999999999999999999", "16777216T", "17179869184G",
		"18446744073709551615K",
	};
	u64 bytes;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, parse(bad[i], &bytes), -ERANGE, "%s", bad[i]);
		KUNIT_EXPECT_EQ_MSG(test, bytes, (u64)UNTOUCHED, "%s", bad[i]);
	}
}

static void a_range_has_both_its_ends(struct kunit *test)
{
	u64 bytes = UNTOUCHED;

	KUNIT_EXPECT_EQ(test, kspan_bytes_parse("16", 16, SZ_1M, &bytes), 0);
	KUNIT_EXPECT_EQ(test, bytes, (u64)16);
	KUNIT_EXPECT_EQ(test, kspan_bytes_parse("1M", 16, SZ_1M, &bytes), 0);
	KUNIT_EXPECT_EQ(test, bytes, (u64)SZ_1M);
	KUNIT_EXPECT_EQ(test, kspan_bytes_parse("15", 16, SZ_1M, &bytes), -EINVAL);
	KUNIT_EXPECT_EQ(test, kspan_bytes_parse("1048577", 16, SZ_1M, &bytes), -EINVAL);
	KUNIT_EXPECT_EQ(test, bytes, (u64)SZ_1M);
}

static struct kunit_case bytes_cases[] = {
	KUNIT_CASE(numbers_are_bytes),
	KUNIT_CASE(suffixes_multiply),
	KUNIT_CASE(what_is_no_size_is_refused),
	KUNIT_CASE(what_needs_more_than_64_bits_is_refused),
	KUNIT_CASE(a_range_has_both_its_ends),
	{}
};

static struct kunit_suite bytes_suite = {
	.name = "kspan_bytes",
	.test_cases = bytes_cases,
};

kunit_test_suite(bytes_suite);
