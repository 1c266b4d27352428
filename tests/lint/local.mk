# Checks of the tree itself.
TESTS += tests/lint/test_tree.py
EXTRA_DIST += tests/lint/test_tree.py
