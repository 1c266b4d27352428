# These need no instance: exec alone, and nginx with workers that the test plays.
TESTS += tests/system/test_exec.py tests/system/test_nginx_config.py
EXTRA_DIST += tests/system/test_exec.py tests/system/test_nginx_config.py
