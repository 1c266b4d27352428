/* JSON text as RFC 8259 has it: what is valid, and what its members are. */
#include <check.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_scan.h"

static int
scan(const char *text)
{
	struct json_value value;

	return json_scan(text, strlen(text), &value);
}

START_TEST(valid_texts_are_accepted)
{
	static const struct {
		const char *text;
		enum json_scan_type type;
	} texts[] = {
		{ "null", JSON_SCAN_NULL }, { "true", JSON_SCAN_BOOLEAN }, { "false", JSON_SCAN_BOOLEAN },
		{ "0", JSON_SCAN_NUMBER }, { "-0", JSON_SCAN_NUMBER }, { "10", JSON_SCAN_NUMBER },
		{ "-1.5e+10", JSON_SCAN_NUMBER }, { "0.0E-0", JSON_SCAN_NUMBER }, { "1e5", JSON_SCAN_NUMBER },
		{ "\"\"", JSON_SCAN_STRING }, { " \t\r\n\"a\" \t\r\n", JSON_SCAN_STRING },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Af\\ud800\"", JSON_SCAN_STRING },
		{ "\"0123456789abcde\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 and more of it\"", JSON_SCAN_STRING },
		{ "\"\x7f\"", JSON_SCAN_STRING },
		{ "[]", JSON_SCAN_ARRAY }, { "[ ]", JSON_SCAN_ARRAY },
		{ "[1 , [2,[]], {} ,{\"a\":[{\"b\" : null}]}]", JSON_SCAN_ARRAY },
		{ "{}", JSON_SCAN_OBJECT }, { "{ \"\" : { } , \"a\":1,\"a\":[ 2 ]}", JSON_SCAN_OBJECT },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_value value;

		ck_assert_msg(json_scan(texts[i].text, strlen(texts[i].text), &value) == 0, "%s",
		              texts[i].text);
		ck_assert_int_eq(value.type, texts[i].type);
	}
}
END_TEST

START_TEST(what_is_not_json_is_refused)
{
	static const char *const texts[] = {
		"", " ", "nul", "nulll", "True", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5",
		"1e", "1e+", "0x1", "1 2", "\"", "\"a", "\"\\\"", "\"\\", "\"\\u12\"", "\"\\u12g4\"", "\"\\x41\"",
		"\"\\u\"", "'a'", "\"a\tb\"", "\"a\nb\"", "\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"", "\"0123456789abcdef\x01\"", "\xef\xbb\xbf{}", "[", "]", "[1", "[1,", "[1,]",
		"[,1]", "[1 2]", "[1}", "{", "}", "{1:2}", "{a:1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}",
		"{\"a\":1 \"b\":2}", "{\"a\":1]", "{\"a\" 1}", "{\"a\"::1}", "[[]", "{\"a\":{}", "[]]", "{}{}",
		"// c\n1", "/**/1", "[1,,2]", "\"a\"b", "tru e", "\v1",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(scan(texts[i]) == -EBADMSG, "accepted: %s", texts[i]);
}
END_TEST

START_TEST(a_nul_is_no_white_space_and_no_character)
{
	struct json_value value;

	ck_assert_int_eq(json_scan("1\0", 2, &value), -EBADMSG);
	ck_assert_int_eq(json_scan("\"a\0b\"", 5, &value), -EBADMSG);
	ck_assert_int_eq(json_scan("{\"a\":1}\0", 8, &value), -EBADMSG);
}
END_TEST

static int
scan_nested(unsigned levels, char opening, bool by_walk)
{
	char text[400], *at = text;
	struct json_member member;
	struct json_walk walk;
	struct json_value value;
	int r;

	for (unsigned i = 0; i < levels; i++)
		at += sprintf(at, "%s", opening == '{' ? "{\"\":" : "[");
	*at++ = '1';
	for (unsigned i = 0; i < levels; i++)
		*at++ = opening == '{' ? '}' : ']';
	if (!by_walk)
		return json_scan(text, (size_t)(at - text), &value);
	if (opening == '{') {
		ck_assert_int_eq(json_walk_object(text, (size_t)(at - text), &walk), 0);
		r = json_walk_member(&walk, &member);
	} else {
		ck_assert_int_eq(json_walk_array(text, (size_t)(at - text), &walk), 0);
		r = json_walk_element(&walk, &value);
	}
	return r < 0 ? r : 0;
}

START_TEST(depth_is_bounded)
{
	for (int by_walk = 0; by_walk < 2; by_walk++) {
		ck_assert_int_eq(scan_nested(JSON_SCAN_DEPTH, '[', by_walk), 0);
		ck_assert_int_eq(scan_nested(JSON_SCAN_DEPTH, '{', by_walk), 0);
		ck_assert_int_eq(scan_nested(JSON_SCAN_DEPTH + 1, '[', by_walk), -EBADMSG);
		ck_assert_int_eq(scan_nested(JSON_SCAN_DEPTH + 1, '{', by_walk), -EBADMSG);
	}
}
END_TEST

static struct json_member
take(struct json_walk *walk)
{
	struct json_member member;

	ck_assert_int_eq(json_walk_member(walk, &member), 1);
	return member;
}

static void
expect(const struct json_member *member, const char *name, enum json_scan_type type, const char *value)
{
	ck_assert_uint_eq(member->name_length, strlen(name));
	ck_assert_mem_eq(member->name, name, strlen(name));
	ck_assert_int_eq(member->value.type, type);
	ck_assert_uint_eq(member->value.length, strlen(value));
	ck_assert_mem_eq(member->value.text, value, strlen(value));
}

START_TEST(members_come_in_order_as_they_were_written)
{
	static const char text[] = " { \"a\" : 1.50 ,\"\\u0062\":\"x\\n\" , \"c\": {\"d\" :[ 1 ]}\r\n,\"a\":null } ";
	struct json_member member;
	struct json_walk walk;

	ck_assert_int_eq(json_walk_object(text, strlen(text), &walk), 0);
	member = take(&walk);
	expect(&member, "a", JSON_SCAN_NUMBER, "1.50");
	ck_assert(json_member_is(&member, "a"));
	member = take(&walk);
	expect(&member, "\\u0062", JSON_SCAN_STRING, "\"x\\n\"");
	ck_assert(json_member_is(&member, "b"));
	ck_assert(!json_member_is(&member, "bb"));
	ck_assert(!json_member_is(&member, ""));
	ck_assert(json_value_is(&member.value, "x\n", 2));
	ck_assert(!json_value_is(&member.value, "x", 1));
	member = take(&walk);
	expect(&member, "c", JSON_SCAN_OBJECT, "{\"d\" :[ 1 ]}");
	member = take(&walk);
	expect(&member, "a", JSON_SCAN_NULL, "null");
	ck_assert_int_eq(json_walk_member(&walk, &member), 0);
}
END_TEST

START_TEST(elements_come_in_order)
{
	static const char text[] = "[ 1, \"b\" ,{}]";
	struct json_walk walk;
	struct json_value value;

	ck_assert_int_eq(json_walk_array(text, strlen(text), &walk), 0);
	ck_assert_int_eq(json_walk_element(&walk, &value), 1);
	ck_assert_int_eq(value.type, JSON_SCAN_NUMBER);
	ck_assert_int_eq(json_walk_element(&walk, &value), 1);
	ck_assert(json_value_is(&value, "b", 1));
	ck_assert_int_eq(json_walk_element(&walk, &value), 1);
	ck_assert_int_eq(value.type, JSON_SCAN_OBJECT);
	ck_assert_int_eq(json_walk_element(&walk, &value), 0);
}
END_TEST

START_TEST(a_walk_ends_well_only_at_the_end_of_a_valid_text)
{
	static const char *const texts[] = { "{", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":1}}",
		                             "{\"a\" 1}", "{1:1}", "{\"a\":[}" , "{\"a\":1 \"b\":2}" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_member member;
		struct json_walk walk;
		int r;

		ck_assert_int_eq(json_walk_object(texts[i], strlen(texts[i]), &walk), 0);
		while ((r = json_walk_member(&walk, &member)) > 0)
			;
		ck_assert_int_eq(r, -EBADMSG);
	}
	ck_assert_int_eq(json_walk_object("[]", 2, &(struct json_walk){ 0 }), -EBADMSG);
	ck_assert_int_eq(json_walk_object("", 0, &(struct json_walk){ 0 }), -EBADMSG);
	ck_assert_int_eq(json_walk_array("{}", 2, &(struct json_walk){ 0 }), -EBADMSG);
}
END_TEST

static void
expect_text(const char *json, const char *expected, size_t expected_length)
{
	struct json_value value;
	char text[64];
	size_t length;

	ck_assert_int_eq(json_scan(json, strlen(json), &value), 0);
	ck_assert_int_eq(json_value_text(&value, text, sizeof(text), &length), 0);
	ck_assert_uint_eq(length, expected_length);
	ck_assert_mem_eq(text, expected, length);
	ck_assert(json_value_is(&value, expected, expected_length));
	ck_assert_int_eq(json_value_text(&value, text, length, &length), 0);
	if (length > 0)
		ck_assert_int_eq(json_value_text(&value, text, length - 1, &length), -EMSGSIZE);
}

START_TEST(strings_are_unescaped_into_bounded_room)
{
	struct json_value number;
	size_t length;
	char text[4];

	expect_text("\"\"", "", 0);
	expect_text("\"plain\"", "plain", 5);
	expect_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	expect_text("\"a\\u0000b\"", "a\0b", 3);
	expect_text("\"\\u00e4\\u20AC\\ud83d\\ude00.\"", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.", 10);
	/* Halves of a pair that stand alone, or the wrong way round. */
	expect_text("\"\\ud83d\"", "\xef\xbf\xbd", 3);
	expect_text("\"\\ude00\\ud83dx\"", "\xef\xbf\xbd\xef\xbf\xbdx", 7);
	expect_text("\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A", 4);
	ck_assert_int_eq(json_scan("7", 1, &number), 0);
	ck_assert_int_eq(json_value_text(&number, text, sizeof(text), &length), -EINVAL);
	ck_assert(!json_value_is(&number, "7", 1));
	ck_assert_int_eq(json_scan("\"\\n\"", 4, &number), 0);
	ck_assert(!json_value_is(&number, "\\n", 2));
}
END_TEST

static int
u64(const char *text, uint64_t *number)
{
	struct json_value value;

	ck_assert_int_eq(json_scan(text, strlen(text), &value), 0);
	return json_value_u64(&value, number);
}

static int
i64(const char *text, int64_t *number)
{
	struct json_value value;

	ck_assert_int_eq(json_scan(text, strlen(text), &value), 0);
	return json_value_i64(&value, number);
}

START_TEST(whole_numbers_are_read)
{
	uint64_t u;
	int64_t i;

	ck_assert_int_eq(u64("18446744073709551615", &u), 0);
	ck_assert_uint_eq(u, UINT64_MAX);
	ck_assert_int_eq(u64("18446744073709551616", &u), -ERANGE);
	ck_assert_int_eq(u64("-1", &u), -EINVAL);
	ck_assert_int_eq(u64("1.0", &u), -EINVAL);
	ck_assert_int_eq(u64("1e3", &u), -EINVAL);
	ck_assert_int_eq(u64("\"1\"", &u), -EINVAL);
	ck_assert_int_eq(i64("-9223372036854775807", &i), 0);
	ck_assert_int_eq(i, -INT64_MAX);
	ck_assert_int_eq(i64("9223372036854775808", &i), -ERANGE);
	ck_assert_int_eq(i64("-0", &i), 0);
	ck_assert_int_eq(i, 0);
	ck_assert_int_eq(i64("true", &i), -EINVAL);
}
END_TEST

/* A valid text, changed here and there: what we accept, a strict parser of others accepts too. */
START_TEST(nothing_is_accepted_that_json_c_refuses)
{
	static const char text[] =
		"{\"a\":[1,-2.5e3,true,{\"b\":\"x\\u00e4\xc3\xa4\\n\"}],\"c\":null, \"long string, plain\":\"0123456789abcdefghij\"}";
	static const char bytes[] = "{}[]\",:\\ 0123456789.eE+-tfnu\x01\xc3\xa4\xff";
	unsigned seed = 5, accepted = 0;

	for (int round = 0; round < 60000; round++) {
		size_t length = strlen(text);
		struct json_tokener *tokener;
		struct json_value value;
		char changed[sizeof(text)];

		memcpy(changed, text, sizeof(text));
		for (unsigned n = (unsigned)rand_r(&seed) % 3 + 1; n > 0; n--)
			changed[(unsigned)rand_r(&seed) % length] = bytes[(unsigned)rand_r(&seed) % (sizeof(bytes) - 1)];
		if (json_scan(changed, length, &value) < 0)
			continue;
		accepted++;
		tokener = json_tokener_new_ex(JSON_SCAN_DEPTH + 1);
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		json_object_put(json_tokener_parse_ex(tokener, changed, (int)length + 1));
		ck_assert_msg(json_tokener_get_error(tokener) == json_tokener_success, "%s", changed);
		json_tokener_free(tokener);
	}
	ck_assert_uint_gt(accepted, 1000);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("json_scan");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, valid_texts_are_accepted);
	tcase_add_test(tests, what_is_not_json_is_refused);
	tcase_add_test(tests, a_nul_is_no_white_space_and_no_character);
	tcase_add_test(tests, depth_is_bounded);
	tcase_add_test(tests, members_come_in_order_as_they_were_written);
	tcase_add_test(tests, elements_come_in_order);
	tcase_add_test(tests, a_walk_ends_well_only_at_the_end_of_a_valid_text);
	tcase_add_test(tests, strings_are_unescaped_into_bounded_room);
	tcase_add_test(tests, whole_numbers_are_read);
	tcase_add_test(tests, nothing_is_accepted_that_json_c_refuses);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
