/*
 * How fast text is escaped for JSON, beside memcpy, in GB of input a second: lines of about 120
 * bytes, each by itself, as the workers do it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/json_text.h"

enum { LINES = 512, LINE_BYTES = 240, ROUNDS_NS = 300 * 1000 * 1000 };

struct kind {
	const char *name;
	const char *piece; /* repeated to fill a line */
};

static const struct kind kinds[] = {
	{ "plain ASCII", "2026-02-04T18:30:42Z INFO compiled src/follow/follower.c in 412 ms; " },
	{ "JSON lines", "{\"level\":\"info\",\"unit\":\"auth-service\",\"ms\":412}, " },
	{ "ANSI colours", "\033[32mPASS\033[0m tests/unit/test_fastcgi \033[2m(0.38 s)\033[0m " },
	{ "Latin, accents", "Überprüfung der Größe: möglich, für alle Einträge geprüft. " },
	{ "Cyrillic", "Проверка завершена успешно, ошибок не найдено. " },
	{ "Chinese", "编译完成，没有发现错误。正在运行测试程序。" },
	{ "not UTF-8", "caf\xe9 \xff\xfe na\xefve fa\xe7" "ade " },
};

static uint8_t text[LINES][LINE_BYTES];
static size_t lengths[LINES];
static char out[LINE_BYTES * JSON_ESCAPE_MOST];
static volatile char seen;

/* Lines of 100 to 139 bytes, cut between characters. */
static size_t
fill(const struct kind *kind)
{
	size_t piece_length = strlen(kind->piece), total = 0;

	for (size_t i = 0; i < LINES; i++) {
		size_t length = 100 + i * 7 % 40;

		for (size_t j = 0; j < length + 4; j++)
			text[i][j] = (uint8_t)kind->piece[j % piece_length];
		while ((text[i][length] & 0xc0) == 0x80)
			length--;
		lengths[i] = length;
		total += length;
	}
	return total;
}

static double
measure(size_t total, bool escaping)
{
	int64_t start_ns = clock_now_ns(), end_ns;
	double bytes = 0;

	do {
		for (size_t i = 0; i < LINES; i++) {
			if (escaping) {
				bool lossy;

				json_escape(text[i], lengths[i], out, &lossy);
			} else {
				memcpy(out, text[i], lengths[i]);
			}
			seen = out[i % 64];
		}
		bytes += (double)total;
		end_ns = clock_now_ns();
	} while (end_ns - start_ns < ROUNDS_NS);
	return bytes / (double)(end_ns - start_ns);
}

int
main(void)
{
	printf("%-16s %10s %10s\n", "GB/s of input", "escaped", "memcpy");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t total = fill(&kinds[i]);
		double escaped = measure(total, true);

		printf("%-16s %10.2f %10.2f\n", kinds[i].name, escaped, measure(total, false));
	}
	return EXIT_SUCCESS;
}
