#include "model/yaml_walk.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static struct buf shown;

static void
tear_down(void)
{
	buf_fini(&shown);
}

/* "1k(name)" for a key in the outermost mapping, and so on. */
static int
show_item(void *arg, const struct yaml_walk_item *item)
{
	static const char kinds[] = "ks{[e";

	(void)arg;
	buf_printf(&shown, "%d%c", item->depth, kinds[item->kind]);
	if (item->text)
		buf_printf(&shown, "(%.*s)", (int)item->length, item->text);
	if (item->kind == YAML_WALK_SCALAR && yaml_walk_is_null(item))
		buf_putc(&shown, '0');
	return 0;
}

static int
walk(const char *text)
{
	buf_clear(&shown);
	return yaml_walk(text, strlen(text), 3, show_item, NULL);
}

START_TEST(items_come_in_order_with_their_depth)
{
	ck_assert_int_eq(walk("a: 1\nb:\n- x\n- {c: d, e: ~}\n- [y]\nf: ''\n"), 0);
	ck_assert_str_eq(buf_string(&shown), "1k(a)1s(1)1k(b)1[2s(x)2{3k(c)3s(d)3k(e)3s(~)02e2[3s(y)2e1e"
	                                     "1k(f)1s()");
	ck_assert_int_eq(walk("{}"), 0);
	ck_assert_str_eq(buf_string(&shown), "");
}
END_TEST

START_TEST(what_is_not_one_mapping_is_refused)
{
	ck_assert_int_eq(walk("a"), -EBADMSG);
	ck_assert_int_eq(walk("- a"), -EBADMSG);
	ck_assert_int_eq(walk(""), -EBADMSG);
	ck_assert_int_eq(walk("a: [b"), -EBADMSG);
	ck_assert_int_eq(walk("a: \xff"), -EBADMSG);
	/* A second document is nobody's business. */
	ck_assert_int_eq(walk("a: 1\n---\nb: 2\n"), 0);
}
END_TEST

START_TEST(depth_aliases_and_odd_keys_are_refused)
{
	ck_assert_int_eq(walk("a: [[b]]"), 0);
	ck_assert_int_eq(walk("a: [[[b]]]"), -EBADMSG);
	ck_assert_int_eq(walk("a: &x 1\nb: *x\n"), -EBADMSG);
	ck_assert_int_eq(walk("? [a]\n: b\n"), -EBADMSG);
	ck_assert_int_eq(walk("a:\n  ? {b: c}\n  : d\n"), -EBADMSG);
}
END_TEST

static int
refuse(void *arg, const struct yaml_walk_item *item)
{
	++*(int *)arg;
	return item->kind == YAML_WALK_SCALAR ? -ECANCELED : 0;
}

START_TEST(the_walk_ends_where_the_caller_says)
{
	int calls = 0;

	ck_assert_int_eq(yaml_walk("a: 1\nb: 2\n", 10, 3, refuse, &calls), -ECANCELED);
	ck_assert_int_eq(calls, 2);
}
END_TEST

static int
set_text(void *arg, const struct yaml_walk_item *item)
{
	return item->kind == YAML_WALK_SCALAR ? yaml_walk_set_text(arg, item) : 0;
}

START_TEST(a_text_is_replaced_and_nothing_is_no_text)
{
	char *text = NULL;

	ck_assert_int_eq(yaml_walk("a: b\nc: 12\n", 11, 3, set_text, &text), 0);
	ck_assert_str_eq(text, "12");
	ck_assert_int_eq(yaml_walk("a: null", 7, 3, set_text, &text), 0);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(yaml_walk("a: 'null'", 9, 3, set_text, &text), 0);
	ck_assert_str_eq(text, "null");
	ck_assert_int_eq(yaml_walk("a: \"x\\0y\"", 9, 3, set_text, &text), 0);
	ck_assert_ptr_null(text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("yaml_walk");
	TCase *tests = tcase_create("yaml_walk");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, NULL, tear_down);
	tcase_add_test(tests, items_come_in_order_with_their_depth);
	tcase_add_test(tests, what_is_not_one_mapping_is_refused);
	tcase_add_test(tests, depth_aliases_and_odd_keys_are_refused);
	tcase_add_test(tests, the_walk_ends_where_the_caller_says);
	tcase_add_test(tests, a_text_is_replaced_and_nothing_is_no_text);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
