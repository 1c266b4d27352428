#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/network.h"

static bool
valid(const char *text)
{
	return network_valid(text, strlen(text));
}

START_TEST(networks_are_addresses_and_addresses_with_bits)
{
	ck_assert(valid("127.0.0.1"));
	ck_assert(valid("::1"));
	ck_assert(valid("10.0.0.0/8"));
	ck_assert(valid("0.0.0.0/0"));
	ck_assert(valid("::/0"));
	ck_assert(valid("fd00::/8"));
	ck_assert(valid("10.1.2.3/32"));
	ck_assert(valid("10.0.0.128/25"));
	ck_assert(valid("::ffff:10.0.0.0/104"));
}
END_TEST

START_TEST(what_is_none_is_refused)
{
	static const char *const bad[] = {
		"", "/", "localhost", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.0/33", "10.0.0.0/",
		"10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/8 ", "::1/129", ":::", "fe80::1%eth0", "unix:",
		"10.0.0.0/99999999999999999999", "1111:2222:3333:4444:5555:6666:7777:8888:9999",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!valid(bad[i]), "\"%s\"", bad[i]);
}
END_TEST

START_TEST(bits_behind_the_number_are_a_mistake)
{
	ck_assert(!valid("10.1.0.0/8"));
	ck_assert(!valid("10.0.0.1/31"));
	ck_assert(!valid("127.0.0.1/0"));
	ck_assert(!valid("fd00::1/64"));
	ck_assert(valid("10.0.0.2/31"));
}
END_TEST

START_TEST(an_address_is_in_its_networks_alone)
{
	const char *list = "127.0.0.1 10.0.0.128/25, fd00::/8";

	ck_assert(network_list_has(list, "127.0.0.1"));
	ck_assert(!network_list_has(list, "127.0.0.2"));
	ck_assert(network_list_has(list, "10.0.0.128"));
	ck_assert(network_list_has(list, "10.0.0.255"));
	ck_assert(!network_list_has(list, "10.0.0.127"));
	ck_assert(!network_list_has(list, "10.0.1.128"));
	ck_assert(network_list_has(list, "fdff::1"));
	ck_assert(!network_list_has(list, "fe00::1"));
	ck_assert(!network_list_has(list, "::1"));
}
END_TEST

START_TEST(families_are_kept_apart_but_for_mapped_addresses)
{
	ck_assert(network_list_has("0.0.0.0/0", "::ffff:10.0.0.1"));
	ck_assert(network_list_has("::ffff:10.0.0.0/104", "10.1.2.3"));
	ck_assert(!network_list_has("0.0.0.0/0", "::1"));
	ck_assert(!network_list_has("::/0", "10.0.0.1"));
	ck_assert(network_list_has("::/0", "::1"));
}
END_TEST

START_TEST(what_is_no_address_is_nowhere)
{
	static const char *const bad[] = { "", "unix:", "localhost", "127.0.0.1 ", "127.0.0.1/32",
		                           "127.0.0.1:80", "[::1]" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!network_list_has("0.0.0.0/0 ::/0", bad[i]), "\"%s\"", bad[i]);
	ck_assert(!network_list_has("", "127.0.0.1"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("network");
	TCase *tests = tcase_create("network");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, networks_are_addresses_and_addresses_with_bits);
	tcase_add_test(tests, what_is_none_is_refused);
	tcase_add_test(tests, bits_behind_the_number_are_a_mistake);
	tcase_add_test(tests, an_address_is_in_its_networks_alone);
	tcase_add_test(tests, families_are_kept_apart_but_for_mapped_addresses);
	tcase_add_test(tests, what_is_no_address_is_nowhere);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
