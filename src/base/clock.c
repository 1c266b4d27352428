#include "base/clock.h"

#include <string.h>
#include <time.h>

static int64_t
read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
clock_now_ms(void)
{
	return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t
clock_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
	return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t
clock_wall_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000;
}

struct timespec
clock_end_of_ms(int64_t ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 + 999999 };
}

int64_t
clock_file_lag_ms(void)
{
	struct timespec tick;

	clock_getres(CLOCK_REALTIME_COARSE, &tick);
	return tick.tv_nsec / 1000000 + 1;
}

static void
put_digits(char *to, int digits, int value)
{
	while (digits-- > 0) {
		to[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

size_t
clock_format_rfc3339(int64_t wall_ms, char ret_text[static CLOCK_RFC3339_BYTES])
{
	const int64_t first_ms = -62167219200000; /* 0000-01-01T00:00:00.000Z */
	const int64_t last_ms = 253402300799999;  /* 9999-12-31T23:59:59.999Z */
	struct tm tm;
	time_t seconds;
	int ms;

	if (wall_ms < first_ms)
		wall_ms = first_ms;
	if (wall_ms > last_ms)
		wall_ms = last_ms;
	ms = (int)(((wall_ms % 1000) + 1000) % 1000);
	seconds = (time_t)((wall_ms - ms) / 1000);
	gmtime_r(&seconds, &tm);
	memcpy(ret_text, "0000-00-00T00:00:00.000Z", CLOCK_RFC3339_BYTES);
	put_digits(ret_text, 4, tm.tm_year + 1900);
	put_digits(ret_text + 5, 2, tm.tm_mon + 1);
	put_digits(ret_text + 8, 2, tm.tm_mday);
	put_digits(ret_text + 11, 2, tm.tm_hour);
	put_digits(ret_text + 14, 2, tm.tm_min);
	put_digits(ret_text + 17, 2, tm.tm_sec);
	put_digits(ret_text + 20, 3, ms);
	return CLOCK_RFC3339_BYTES - 1;
}
