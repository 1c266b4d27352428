/* Message buses in a registry: found by their names, and where they lie. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/registry_bus.h"
#include "shm/registry_writer.h"

static int fd;
static struct registry_writer *writer;
static const struct registry *buses;

static void
set_up(void)
{
	fd = registry_create(10);
	ck_assert_int_eq(registry_writer_open(fd, &writer), 0);
	buses = registry_writer_view(writer);
}

static void
tear_down(void)
{
	registry_writer_close(&writer);
	close(fd);
}

static uint32_t
put(const char *project, const char *task)
{
	struct registry_run bus;
	uint32_t slot = UINT32_MAX;

	registry_bus_init(&bus, project, task);
	ck_assert_int_eq(registry_writer_put(writer, &bus, &slot, NULL), 0);
	return slot;
}

START_TEST(buses_of_a_project_and_its_tasks_are_found_by_name)
{
	struct registry_run bus;
	uint32_t project = put("p", ""), task = put("p", "t");

	ck_assert_int_eq(registry_bus_find(buses, "p", "", &bus), 0);
	ck_assert_uint_eq(bus.slot, project);
	ck_assert_str_eq(bus.project_id, "p");
	ck_assert_str_eq(bus.path_project, "p");
	ck_assert_str_eq(bus.task_id, "");
	ck_assert_str_eq(bus.path_task, "");
	ck_assert_str_eq(bus.status, "");
	ck_assert(!bus.is_deleted);
	ck_assert_int_eq(registry_bus_find(buses, "p", "t", &bus), 0);
	ck_assert_uint_eq(bus.slot, task);
	ck_assert_str_eq(bus.task_id, "t");
	ck_assert_str_eq(bus.path_task, "t");
	ck_assert_int_eq(registry_bus_find(buses, "t", "", &bus), -ENOENT);
	ck_assert_int_eq(registry_bus_find(buses, "p", "other", &bus), -ENOENT);
}
END_TEST

START_TEST(an_id_is_not_believed_without_the_names)
{
	struct registry_run bus, found;

	registry_bus_init(&bus, "p", "t");
	strcpy(bus.path_task, "another");
	ck_assert_int_eq(registry_writer_put(writer, &bus, NULL, NULL), 0);
	ck_assert_int_eq(registry_bus_find(buses, "p", "t", &found), -ENOENT);
}
END_TEST

START_TEST(names_that_are_too_long_are_not_found)
{
	char name[REGISTRY_NAME_BYTES + 2];
	struct registry_run bus;

	memset(name, 'x', sizeof(name));
	name[REGISTRY_NAME_BYTES + 1] = '\0';
	ck_assert_int_eq(registry_bus_find(buses, name, "", &bus), -ENOENT);
	ck_assert_int_eq(registry_bus_find(buses, "p", name, &bus), -ENOENT);
}
END_TEST

START_TEST(paths_are_those_of_folders_however_long)
{
	char name[REGISTRY_NAME_BYTES + 1], path[REGISTRY_BUS_PATH_BYTES];
	struct registry_run bus;

	registry_bus_init(&bus, "p", "");
	ck_assert_uint_eq(registry_bus_path(&bus, path, sizeof(path)), 1);
	ck_assert_str_eq(path, "p");
	registry_bus_init(&bus, "p", "t");
	ck_assert_uint_eq(registry_bus_path(&bus, path, sizeof(path)), 3);
	ck_assert_str_eq(path, "p/t");
	memset(name, 'x', REGISTRY_NAME_BYTES);
	name[REGISTRY_NAME_BYTES] = '\0';
	registry_bus_init(&bus, name, name);
	ck_assert_uint_eq(registry_bus_path(&bus, path, sizeof(path)), 2 * REGISTRY_NAME_BYTES + 1);
	ck_assert_uint_eq(strlen(path), 2 * REGISTRY_NAME_BYTES + 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("registry_bus");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, buses_of_a_project_and_its_tasks_are_found_by_name);
	tcase_add_test(tests, an_id_is_not_believed_without_the_names);
	tcase_add_test(tests, names_that_are_too_long_are_not_found);
	tcase_add_test(tests, paths_are_those_of_folders_however_long);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
