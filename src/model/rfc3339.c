#include "model/rfc3339.h"

#include <errno.h>
#include <stdbool.h>

struct reader {
	const char *at, *end;
	bool failed;
};

static int
digits(struct reader *r, int count, int low, int high)
{
	int value = 0;

	for (; count > 0; count--) {
		if (r->at == r->end || *r->at < '0' || *r->at > '9') {
			r->failed = true;
			return low;
		}
		value = value * 10 + (*r->at++ - '0');
	}
	if (value < low || value > high)
		r->failed = true;
	return value;
}

/* Takes one of the characters; '\0' if there is none of them. */
static char
take(struct reader *r, const char *any_of)
{
	for (; r->at < r->end && *any_of != '\0'; any_of++)
		if (*r->at == *any_of)
			return *r->at++;
	return '\0';
}

static void
need(struct reader *r, const char *any_of)
{
	if (!take(r, any_of))
		r->failed = true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar, which RFC 3339 uses throughout. */
static int64_t
days_from_epoch(int year, int month, int day)
{
	static const int before_month[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	/* Leap years before this one; before March, this year's own leap day is yet to come. */
	int64_t y = month > 2 ? year : year - 1;
	int64_t leap_days = y >= 0 ? y / 4 - y / 100 + y / 400 + 1 : 0;

	return INT64_C(365) * year + leap_days + before_month[month - 1] + day - 1 - 719528;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

int
rfc3339_parse(const char *text, size_t length, int64_t *ret_wall_ms)
{
	struct reader r = { .at = text, .end = text + length };
	int year, month, day, hour, minute, second, offset_minutes = 0, ms = 0;
	int64_t seconds;
	char sign;

	year = digits(&r, 4, 0, 9999);
	need(&r, "-");
	month = digits(&r, 2, 1, 12);
	need(&r, "-");
	day = digits(&r, 2, 1, 31);
	need(&r, "Tt ");
	hour = digits(&r, 2, 0, 23);
	need(&r, ":");
	minute = digits(&r, 2, 0, 59);
	need(&r, ":");
	second = digits(&r, 2, 0, 60);
	if (take(&r, ".")) {
		ms = digits(&r, 1, 0, 9) * 100;
		for (int scale = 10; r.at < r.end && *r.at >= '0' && *r.at <= '9'; scale /= 10)
			ms += (*r.at++ - '0') * scale;
	}
	sign = take(&r, "Zz+-");
	if (sign == '+' || sign == '-') {
		offset_minutes = digits(&r, 2, 0, 23) * 60;
		need(&r, ":");
		offset_minutes += digits(&r, 2, 0, 59);
		if (sign == '-')
			offset_minutes = -offset_minutes;
	}
	if (r.failed || !sign || r.at != r.end || day > days_in_month(year, month))
		return -EINVAL;
	seconds = days_from_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
	          offset_minutes * INT64_C(60);
	*ret_wall_ms = seconds * 1000 + ms;
	return 0;
}
