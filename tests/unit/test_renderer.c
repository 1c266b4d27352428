/* The renderer over a source in memory: what a stream reads from need not be a file. */
#include "stream/renderer.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "model/fingerprint.h"
#include "stream/kind.h"

static struct {
	struct source source;
	struct generation generation, absent;
	const uint8_t *bytes;
	bool is_cold; /* reads have to wait */
	unsigned rewritten;
} memory;

static struct renderer *renderer;
static struct renderer_template template;
static struct place places[CURSOR_FILES];

static int64_t
read_memory(struct generation *g, uint64_t offset, void *to, size_t length)
{
	if (memory.is_cold)
		return -EAGAIN;
	if (offset >= g->size_bytes)
		return 0;
	if (length > g->size_bytes - offset)
		length = (size_t)(g->size_bytes - offset);
	/* In small pieces: whoever reads has to go on. */
	if (length > 1000)
		length = 1000;
	memcpy(to, memory.bytes + offset, length);
	return (int64_t)length;
}

static void
note_rewritten(struct generation *g)
{
	g->state = GENERATION_LOST;
	memory.rewritten++;
}

static const struct source_ops memory_ops = { .read = read_memory, .rewritten = note_rewritten };

static void
hold(const void *bytes, size_t length)
{
	memory.bytes = bytes;
	memory.generation.size_bytes = length;
	memory.generation.opened_size_bytes = length;
	memory.generation.has_head = false;
}

static void
set_up(void)
{
	static const struct event_run run = { .run_id = "r-1", .project_id = "shop", .task_id = "" };

	memset(&memory, 0, sizeof(memory));
	memory.source.ops = &memory_ops;
	TAILQ_INIT(&memory.source.listeners);
	memory.generation = (struct generation){ .source = &memory.source, .references = 1, .serial = 1,
		                                 .identity = 0x01020304,
		                                 .opened_wall_ms = 1770230000123,
		                                 .grown_wall_ms = 1770230001456 };
	memory.absent = (struct generation){ .source = &memory.source, .references = 1, .serial = 2 };
	memory.source.current = &memory.generation;
	ck_assert_int_eq(renderer_new(&renderer), 0);
	ck_assert_int_eq(renderer_template_init(&template, &run), 0);
	memset(places, 0, sizeof(places));
	places[CURSOR_STDOUT].generation = &memory.generation;
	places[CURSOR_STDERR].generation = &memory.absent;
}

static void
tear_down(void)
{
	renderer_free(&renderer);
	renderer_template_fini(&template);
}

static struct renderer_job
job(size_t max_line_bytes)
{
	return (struct renderer_job){ .kind = &stream_kind_log, .gap_stream = "stdout", .template = &template, .places = places, .file = CURSOR_STDOUT,
		                      .max_line_bytes = max_line_bytes };
}

static void
go_behind(const struct block *block)
{
	struct place *p = &places[block->file];

	p->offset = block->offset;
	p->lines = block->lines;
	p->fingerprint = block->fingerprint;
	p->is_open = block->is_open;
	p->is_finished = block->is_finished;
}

START_TEST(events_are_these_bytes)
{
	static const char text[] = "first\n"
	                           "with \"quotes\", a \\ and a\ttab\r\n"
	                           "\n"
	                           "caf\xc3\xa9 \xff\xfe \x1b[1mbold\x1b[0m\n"
	                           "a line beyond the limit of the test, cut\n"
	                           "unfinished";
	struct renderer_job j = job(32);
	struct buf all = BUF_INIT;
	struct block *block;

	hold(text, sizeof(text) - 1);
	memory.generation.opened_size_bytes = 6; /* what follows was seen to come */
	ck_assert_int_eq(renderer_render(renderer, &j, &block), 0);
	buf_append(&all, block->text, block->length_bytes);
	ck_assert_uint_eq(block->events, 6);
	go_behind(block);
	block_unref(&block);
	ck_assert_int_eq(renderer_render(renderer, &j, &block), -ENODATA);
	j.may_flush = true;
	ck_assert_int_eq(renderer_render(renderer, &j, &block), 0);
	buf_append(&all, block->text, block->length_bytes);
	ck_assert(block->is_open);
	go_behind(block);
	block_unref(&block);
	j.is_final = true;
	ck_assert_int_eq(renderer_render(renderer, &j, &block), 0);
	buf_append(&all, block->text, block->length_bytes);
	ck_assert(block->is_finished && !block->is_open);
	go_behind(block);
	block_unref(&block);
	ck_assert_int_eq(renderer_render(renderer, &j, &block), -ENODATA);
	golden_check("log-events.txt", all.data, all.length_bytes);
	buf_fini(&all);
}
END_TEST

/* Readers that began anywhere soon come by the same blocks. */
START_TEST(blocks_end_at_places_that_do_not_depend_on_the_start)
{
	enum { SIZE = 200000, ENDS = 64 };
	uint8_t *bytes = malloc(SIZE);
	uint64_t ends[ENDS];
	struct renderer_job j = job(65536);
	struct block *block;
	size_t count = 0;
	unsigned seed = 3;

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = rand_r(&seed) % 90 ? (uint8_t)('a' + i % 26) : '\n';
	hold(bytes, SIZE);
	while (renderer_render(renderer, &j, &block) == 0) {
		go_behind(block);
		ck_assert_uint_lt(count, ENDS);
		ends[count++] = block->offset;
		block_unref(&block);
	}
	ck_assert_uint_gt(count, 5);
	for (uint64_t start = 1; start < 100000; start += 997) {
		struct fingerprint_pass pass;
		uint64_t window, offset = start;
		size_t blocks = 0, match = 0;

		while (bytes[offset - 1] != '\n')
			offset++;
		memset(&places[CURSOR_STDOUT], 0, sizeof(places[0]));
		places[CURSOR_STDOUT].generation = &memory.generation;
		places[CURSOR_STDOUT].offset = offset;
		window = fingerprint_window_start(offset);
		fingerprint_begin(&pass, bytes + window, window, fingerprint_head(bytes));
		places[CURSOR_STDOUT].fingerprint = fingerprint_at(&pass, offset);
		do {
			ck_assert_int_eq(renderer_render(renderer, &j, &block), 0);
			go_behind(block);
			for (match = 0; match < count && ends[match] != block->offset;)
				match++;
			block_unref(&block);
		} while (match == count && ++blocks < 3);
		ck_assert_msg(match < count, "from %llu", (unsigned long long)start);
	}
	free(bytes);
}
END_TEST

START_TEST(content_that_changed_before_the_place_is_noticed)
{
	char text[] = "one\ntwo\nthree\n";
	struct renderer_job j = job(100);
	struct block *block;

	hold(text, 8);
	ck_assert_int_eq(renderer_render(renderer, &j, &block), 0);
	go_behind(block);
	block_unref(&block);
	hold(text, sizeof(text) - 1);
	text[1] = 'x';
	ck_assert_int_eq(renderer_render(renderer, &j, &block), -ESTALE);
	ck_assert_uint_eq(memory.rewritten, 1);
}
END_TEST

START_TEST(bytes_that_are_not_at_hand_are_waited_for)
{
	struct renderer_job j = job(100);
	struct block *block;

	hold("one\n", 4);
	memory.is_cold = true;
	ck_assert_int_eq(renderer_render(renderer, &j, &block), -EAGAIN);
	memory.is_cold = false;
	ck_assert_int_eq(renderer_render(renderer, &j, &block), 0);
	block_unref(&block);
}
END_TEST

START_TEST(a_block_is_bounded_however_short_the_lines)
{
	static char newlines[100000];
	struct renderer_job j = job(65536);
	struct block *block;
	uint64_t lines = 0;

	memset(newlines, '\n', sizeof(newlines));
	hold(newlines, sizeof(newlines));
	while (renderer_render(renderer, &j, &block) == 0) {
		ck_assert_uint_le(block->length_bytes, 64 * 1024 + 1024);
		lines += block->events;
		go_behind(block);
		block_unref(&block);
	}
	ck_assert_uint_eq(lines, sizeof(newlines));
	ck_assert_uint_eq(places[CURSOR_STDOUT].lines, sizeof(newlines));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("renderer");
	TCase *tc = tcase_create("renderer");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, events_are_these_bytes);
	tcase_add_test(tc, blocks_end_at_places_that_do_not_depend_on_the_start);
	tcase_add_test(tc, content_that_changed_before_the_place_is_noticed);
	tcase_add_test(tc, bytes_that_are_not_at_hand_are_waited_for);
	tcase_add_test(tc, a_block_is_bounded_however_short_the_lines);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
