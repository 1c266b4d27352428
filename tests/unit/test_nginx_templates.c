/* The include files for nginx, as they were last looked at; nginx itself reads them elsewhere. */
#include "admin/nginx_templates.h"

#include <check.h>
#include <errno.h>

#include "golden.h"

static struct nginx_values
values_of(enum nginx_mode mode)
{
	return (struct nginx_values){
		.runtime_dir = "/run/runstream", .prefix = "/api", .socket_count = 3,
		.refused_retry_s = 30, .max_body_bytes = 1048576, .cors_origins = "", .mode = mode,
	};
}

static void
check(const char *name, void (*put)(struct buf *, const struct nginx_values *),
      const struct nginx_values *values)
{
	struct buf text = BUF_INIT;

	put(&text, values);
	ck_assert_int_eq(buf_error(&text), 0);
	golden_check(name, text.data, text.length_bytes);
	buf_fini(&text);
}

START_TEST(upstream_has_a_socket_for_each_worker)
{
	struct nginx_values values = values_of(NGINX_ALL);

	check("nginx-upstream.conf", nginx_put_upstream, &values);
}
END_TEST

START_TEST(locations_of_all)
{
	struct nginx_values values = values_of(NGINX_ALL);

	check("nginx-locations-all.conf", nginx_put_locations, &values);
}
END_TEST

START_TEST(locations_of_streams)
{
	struct nginx_values values = values_of(NGINX_STREAMS);

	check("nginx-locations-streams.conf", nginx_put_locations, &values);
}
END_TEST

START_TEST(what_nginx_says_itself_may_be_read_by_pages_of_the_origins)
{
	struct nginx_values values = values_of(NGINX_ALL);
	struct buf text = BUF_INIT;

	nginx_put_upstream(&text, &values);
	nginx_put_locations(&text, &values);
	ck_assert_ptr_null(strcasestr(buf_string(&text), "origin"));
	values.cors_origins = "https://a.example http://[::1]:3000";
	nginx_put_upstream(&text, &values);
	ck_assert_ptr_nonnull(strstr(buf_string(&text), "map $http_origin $runstream_origin {\n"
	                                                "\t\"https://a.example\" $http_origin;\n"
	                                                "\t\"http://[::1]:3000\" $http_origin;\n}\n"));
	nginx_put_locations(&text, &values);
	ck_assert_ptr_nonnull(strstr(buf_string(&text), "\tadd_header Vary Origin always;\n"));
	buf_clear(&text);
	values.cors_origins = "*";
	nginx_put_upstream(&text, &values);
	ck_assert_ptr_nonnull(strstr(buf_string(&text), "{\n\tdefault \"*\";\n\t\"\" \"\";\n}\n"));
	buf_fini(&text);
}
END_TEST

START_TEST(a_prefix_is_no_expression)
{
	struct nginx_values values = values_of(NGINX_STREAMS);
	struct buf text = BUF_INIT;

	values.prefix = "/a.b/c+";
	nginx_put_locations(&text, &values);
	ck_assert_ptr_nonnull(strstr(buf_string(&text), "\"^/a\\.b/c\\+/(?:stream|"));
	buf_fini(&text);
}
END_TEST

START_TEST(what_would_break_out_of_a_quote_is_refused)
{
	static const char *const bad[] = { "/a\"b", "/a'b", "/a\\b", "/a$b", "/a\nb", "/a\x7f" };
	struct nginx_values values = values_of(NGINX_ALL);

	ck_assert_int_eq(nginx_check(&values), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		values = values_of(NGINX_ALL);
		values.prefix = bad[i];
		ck_assert_int_eq(nginx_check(&values), -EINVAL);
		values = values_of(NGINX_ALL);
		values.runtime_dir = bad[i];
		ck_assert_int_eq(nginx_check(&values), -EINVAL);
	}
	values = values_of(NGINX_ALL);
	values.runtime_dir = "/run/with blank/{ü}";
	ck_assert_int_eq(nginx_check(&values), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("nginx_templates");
	TCase *tc = tcase_create("nginx_templates");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, upstream_has_a_socket_for_each_worker);
	tcase_add_test(tc, locations_of_all);
	tcase_add_test(tc, locations_of_streams);
	tcase_add_test(tc, what_nginx_says_itself_may_be_read_by_pages_of_the_origins);
	tcase_add_test(tc, a_prefix_is_no_expression);
	tcase_add_test(tc, what_would_break_out_of_a_quote_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
