// SPDX-License-Identifier: GPL-2.0
/*
 * kspan's debugfs tables as JSON: each is what the documentation says, and has the same rows and
 * cells as the text.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "kselftest_harness.h"
#include "kspan_test.h"

#define CELL	4096

FIXTURE(json) {
	struct words_load load;
};

FIXTURE_SETUP(json)
{
	ASSERT_EQ(0, load_create(&self->load, 500));
	ASSERT_EQ(0, load_write(&self->load, 1, 300));
}

FIXTURE_TEARDOWN(json)
{
	words_reset();
	load_destroy(&self->load);
}

static char *table_text(const char *name, const char *suffix)
{
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), KSPAN_DEBUGFS "%s%s", name, suffix);
	return file_get(path, &len);
}

static json_t *table_load(const char *name)
{
	char *text = table_text(name, ".json");
	json_error_t error;
	json_t *json = NULL;

	if (text)
		json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		ksft_print_msg("%s.json, line %d: %s\n", name, text ? error.line : 0,
			       text ? error.text : strerror(errno));
	free(text);
	return json;
}

/* Add a value as the text has it. In the text a blank in a name is \040. */
static void add_cell(char *line, const char *key, json_t *value)
{
	char *end = line + strlen(line);
	const char *s;
	size_t i;

	if (json_is_string(value)) {
		for (s = json_string_value(value); *s; s++)
			end += sprintf(end, *s == ' ' ? "\\040" : "%c", *s);
	} else if (json_is_integer(value)) {
		sprintf(end, !strcmp(key, "start") ? "%#llx" : "%lld",
			(long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		sprintf(end, "%.6f", json_real_value(value));
	} else if (json_is_array(value)) {
		for (i = 0; i < json_array_size(value); i++) {
			strcat(line, i ? "," : "");
			add_cell(line, key, json_array_get(value, i));
		}
	} else {
		sprintf(end, "-");
	}
}

/* The line of a row. Some tables name their cells, and the map has one that the text has not. */
static void row_line(const char *table, json_t *row, char *line)
{
	bool names = !strcmp(table, "bad_frees");
	const char *key;
	json_t *value;

	*line = 0;
	json_object_foreach(row, key, value) {
		if (!strcmp(key, "page_bytes"))
			continue;
		if (*line)
			strcat(line, " ");
		if (names)
			strcat(strcat(line, key), "=");
		add_cell(line, key, value);
		if (!strcmp(table, "stats") && !strcmp(key, "name"))
			strcat(line, ":");
	}
}

/* Squeeze blanks to one each, and remove those at the start. */
static void squeeze(char *line)
{
	char *to = line, *from;

	for (from = line; *from; from++)
		if (*from != ' ' || (to > line && to[-1] != ' '))
			*to++ = *from;
	*to = 0;
}

/* Whether the head of the text has the table, version and columns of the JSON. */
static bool same_head(json_t *json, const char *head)
{
	char line[CELL];
	json_t *row = json_array_get(json_object_get(json, "rows"), 0), *value;
	const char *key;

	snprintf(line, sizeof(line), "# kspan %s v%d:",
		 json_string_value(json_object_get(json, "table")),
		 (int)json_integer_value(json_object_get(json, "version")));
	if (!strcmp(json_string_value(json_object_get(json, "table")), "map"))
		return !strncmp(line, head, strlen(line));
	json_object_foreach(row, key, value)
		strcat(strcat(line, " "), key);
	return row ? !strcmp(line, head) : !strncmp(line, head, strlen(line));
}

/* Whether the file and its JSON have the same rows now; -1 if either can't be read. */
static int same_rows(const char *table)
{
	json_t *json = table_load(table), *rows = json_object_get(json, "rows");
	char *text = table_text(table, ""), *next = text, *line, got[CELL];
	size_t i = 0;
	int same = 1;

	if (!text || !json_is_array(rows) || json_object_size(json) != 3)
		return -1;
	if (*next == '#')
		same = same_head(json, strsep(&next, "\n"));
	while (same && (line = strsep(&next, "\n")) && *line) {
		squeeze(line);
		row_line(table, json_array_get(rows, i++), got);
		same = !strcmp(line, got);
		if (!same)
			ksft_print_msg("%s: text \"%s\", JSON \"%s\"\n", table, line, got);
	}
	same = same && i == json_array_size(rows);
	json_decref(json);
	free(text);
	return same;
}

static const char * const tables[] = {
	"stats", "classes", "cpus", "heaps", "pools", "arenas", "map", "bad_frees",
	"reclaims",
};

/* The scavenger may change a number between the two reads, but not each time. */
TEST_F(json, same_as_the_text)
{
	unsigned int i, tries;
	int same;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		same = 0;
		for (tries = 0; !same && tries < 10; tries++)
			same = same_rows(tables[i]);
		EXPECT_EQ(1, same) {
			TH_LOG("%s.json", tables[i]);
		}
	}
}

/* Each figure of stats has its unit. */
TEST_F(json, stats_have_units)
{
	json_t *json = table_load("stats"), *row;
	size_t i;

	ASSERT_NE(NULL, json);
	EXPECT_LT(50, json_array_size(json_object_get(json, "rows")));
	json_array_foreach(json_object_get(json, "rows"), i, row) {
		EXPECT_EQ(true, json_is_string(json_object_get(row, "unit")));
		EXPECT_EQ(true, json_is_integer(json_object_get(row, "value")));
	}
	json_decref(json);
}

/* For root alone. */
TEST_F(json, modes)
{
	unsigned int i;
	char path[64];

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		snprintf(path, sizeof(path), KSPAN_DEBUGFS "%s.json", tables[i]);
		EXPECT_EQ(0, access(path, R_OK));
		EXPECT_GT(0, file_put(path, "1"));
	}
}

/* While words come and go, each is well-formed. */
TEST_F_TIMEOUT(json, well_formed_under_load, KSPAN_TIMEOUT)
{
	json_t *json;
	pid_t pids[4];
	int i;

	ASSERT_EQ(0, load_fork(&self->load, 4, test_seed(), 1000000000, pids));
	for (i = 0; i < (int)often(15) * (int)ARRAY_SIZE(tables); i++) {
		json = table_load(tables[i % ARRAY_SIZE(tables)]);
		EXPECT_NE(NULL, json);
		json_decref(json);
	}
	for (i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		EXPECT_EQ(pids[i], waitpid(pids[i], NULL, 0));
	}
}

TEST_HARNESS_MAIN
