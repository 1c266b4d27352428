#include "model/json_text.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "model/utf8.h"

/*
 * This runs over every byte of every log line, which are mostly plain: printable ASCII that
 * stands for itself. So stretches of plain bytes are copied and tested in one go, as many at a
 * time as the machine takes, and only what stopped that is looked at by itself.
 */

static bool
is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Copies bytes up to the first that is not plain, one by one; returns their number. */
static size_t
copy_singly(const uint8_t *text, size_t length, char *to)
{
	size_t n = 0;

	for (; n < length && is_plain(text[n]); n++)
		to[n] = (char)text[n];
	return n;
}

#ifdef __SSE2__

/* A bit for each byte that is not plain. */
static unsigned
find_special(__m128i bytes)
{
	/* Compared as signed numbers, 0x80 to 0xff are below 0x20 too. */
	__m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
}

static __m128i
load_4(const uint8_t *from)
{
	int bytes;

	memcpy(&bytes, from, sizeof(bytes));
	return _mm_cvtsi32_si128(bytes);
}

static void
store_4(char *to, __m128i bytes)
{
	int low = _mm_cvtsi128_si32(bytes);

	memcpy(to, &low, sizeof(low));
}

/*
 * As copy_singly(), but may write up to length bytes whatever it returns: there is room, and the
 * rest comes later. The last 4 to 15 bytes are taken as two halves that overlap.
 */
static size_t
copy_plain(const uint8_t *text, size_t length, char *to)
{
	size_t at = 0;
	unsigned special;

	for (; length - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + at));

		_mm_storeu_si128((__m128i *)(void *)(to + at), bytes);
		special = find_special(bytes);
		if (special)
			return at + (size_t)__builtin_ctz(special);
	}
	if (length - at >= 8) {
		size_t second = length - 8;
		__m128i head = _mm_loadl_epi64((const __m128i *)(const void *)(text + at));
		__m128i tail = _mm_loadl_epi64((const __m128i *)(const void *)(text + second));

		_mm_storel_epi64((__m128i *)(void *)(to + at), head);
		_mm_storel_epi64((__m128i *)(void *)(to + second), tail);
		special = find_special(_mm_unpacklo_epi64(head, tail));
		if (!special)
			return length;
		at = special & 0xff ? at : second - 8;
		return at + (size_t)__builtin_ctz(special);
	}
	if (length - at >= 4) {
		size_t second = length - 4;
		__m128i head = load_4(text + at), tail = load_4(text + second);

		store_4(to + at, head);
		store_4(to + second, tail);
		special = find_special(_mm_unpacklo_epi32(head, tail)) & 0xff;
		if (!special)
			return length;
		at = special & 0xf ? at : second - 4;
		return at + (size_t)__builtin_ctz(special);
	}
	return at + copy_singly(text + at, length - at, to + at);
}

/* A bit for each byte of bytes that, as a signed number, is below (above) that of value. */
static unsigned
find_below(__m128i bytes, uint8_t value)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8((char)value)));
}

static unsigned
find_above(__m128i bytes, uint8_t value)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)value)));
}

static unsigned
find_equal(__m128i bytes, uint8_t value)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)value)));
}

/*
 * Copies 16 bytes of well-formed text, which begin where a character begins, and returns how many
 * of them are good: up to the first that is to be escaped or is ill-formed, or to the start of a
 * sequence that does not end here. The rest of the 16 are written too, and come again.
 *
 * Which bytes must be continuations follows from the leads before them: where that differs from
 * which are, something is wrong. The others are the limits of table 3-7, as in utf8_next().
 */
static size_t
copy_characters(const uint8_t *text, char *to)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
	unsigned high = (unsigned)_mm_movemask_epi8(bytes);
	unsigned follows = find_below(bytes, 0xc0);
	unsigned lead = high & ~follows;
	unsigned lead_of_3 = high & find_above(bytes, 0xdf); /* or of 4 */
	unsigned lead_of_4 = high & find_above(bytes, 0xef);
	unsigned from_a0 = find_above(bytes, 0x9f), from_90 = find_above(bytes, 0x8f);
	unsigned wrong = (lead << 1 | lead_of_3 << 2 | lead_of_4 << 3) ^ follows;
	unsigned before;
	size_t good;

	_mm_storeu_si128((__m128i *)(void *)to, bytes);
	wrong |= lead & find_below(bytes, 0xc2);
	wrong |= lead_of_4 & find_above(bytes, 0xf4);
	wrong |= find_equal(bytes, 0xe0) << 1 & ~from_a0;
	wrong |= find_equal(bytes, 0xed) << 1 & from_a0;
	wrong |= find_equal(bytes, 0xf0) << 1 & ~from_90;
	wrong |= find_equal(bytes, 0xf4) << 1 & from_90;
	wrong = (wrong & 0xffff) | (find_special(bytes) & ~high) | 1u << 16;
	good = (size_t)__builtin_ctz(wrong);
	before = lead & ((1u << good) - 1);
	if (before) {
		size_t last = 31 - (size_t)__builtin_clz(before);

		if (last + 2 + (lead_of_3 >> last & 1) + (lead_of_4 >> last & 1) > good)
			return last;
	}
	return good;
}

#else

/* Whether a byte of word is zero; exact whatever the order of its bytes. */
static uint64_t
has_zero(uint64_t word)
{
	return (word - 0x0101010101010101) & ~word & 0x8080808080808080;
}

static size_t
copy_plain(const uint8_t *text, size_t length, char *to)
{
	size_t at = 0;

	for (; length - at >= 8; at += 8) {
		uint64_t word;

		memcpy(&word, text + at, 8);
		if ((word & 0x8080808080808080) || has_zero(word & 0xe0e0e0e0e0e0e0e0) ||
		    has_zero(word ^ 0x2222222222222222) || has_zero(word ^ 0x5c5c5c5c5c5c5c5c))
			break;
		memcpy(to + at, &word, 8);
	}
	return at + copy_singly(text + at, length - at, to + at);
}

/* There is no faster way here than one sequence after another. */
static size_t
copy_characters(const uint8_t *text, char *to)
{
	(void)text;
	(void)to;
	return 0;
}

#endif

/* Writes an ASCII byte that is not plain; returns how many bytes that took. */
static size_t
put_escape(uint8_t c, char *to)
{
	static const char short_forms[0x60] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',
		                                ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"',
		                                ['\\'] = '\\' };
	static const char hex[] = "0123456789abcdef";

	to[0] = '\\';
	if (short_forms[c]) {
		to[1] = short_forms[c];
		return 2;
	}
	memcpy(to + 1, "u00", 3);
	to[4] = hex[c >> 4];
	to[5] = hex[c & 0xf];
	return 6;
}

/*
 * Copies text from *text on, which begins above ASCII, U+FFFD in the place of what is ill-formed,
 * and moves *text to where ASCII begins again. Returns how many bytes that took.
 */
static size_t
copy_sequences(const uint8_t **text, const uint8_t *end, char *to, bool *lossy)
{
	const uint8_t *from = *text;
	char *at = to;

	while (from < end && *from >= 0x80) {
		int n = utf8_next(from, (size_t)(end - from));

		if (n < 0) {
			memcpy(at, "\xef\xbf\xbd", 3);
			at += 3;
			from -= n;
			*lossy = true;
			continue;
		}
		/* Four bytes are copied faster than n; what is too many is written over. */
		if (end - from >= 4)
			memcpy(at, from, 4);
		else
			memcpy(at, from, (size_t)n);
		at += n;
		from += n;
		/* Where one well-formed sequence follows another, there may be a whole text of them. */
		while (end - from >= 16 && *from >= 0x80) {
			size_t good = copy_characters(from, at);

			if (good == 0)
				break;
			from += good;
			at += good;
		}
	}
	*text = from;
	return (size_t)(at - to);
}

size_t
json_escape(const uint8_t *text, size_t length, char *to, bool *ret_lossy)
{
	const uint8_t *end = text + length;
	char *at = to;
	bool lossy = false;

	while (text < end) {
		size_t plain = copy_plain(text, (size_t)(end - text), at);

		text += plain;
		at += plain;
		if (text == end)
			break;
		if (*text >= 0x80)
			at += copy_sequences(&text, end, at, &lossy);
		else if (!is_plain(*text)) /* copy_plain() of the other kind stops short, too */
			at += put_escape(*text++, at);
	}
	*ret_lossy = lossy;
	return (size_t)(at - to);
}

bool
json_put_string(struct buf *to, const char *text, size_t length)
{
	char *room = buf_reserve(to, length * JSON_ESCAPE_MOST + 2);
	bool lossy;
	size_t written;

	if (!room)
		return false;
	room[0] = '"';
	written = json_escape((const uint8_t *)text, length, room + 1, &lossy);
	room[written + 1] = '"';
	to->length_bytes += written + 2;
	return lossy;
}
