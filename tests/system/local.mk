# Each file is a topic, and may run beside the others: `make -j4 check`. One of them alone, or a
# single case: python3 tests/system/test_stream.py -k tail
SYSTEM_TESTS = \
	tests/system/test_api.py \
	tests/system/test_clients.py \
	tests/system/test_clients_admin.py \
	tests/system/test_commands.py \
	tests/system/test_completion.py \
	tests/system/test_cycles.py \
	tests/system/test_deploy_nginx.py \
	tests/system/test_deploy_systemd.py \
	tests/system/test_discovery.py \
	tests/system/test_errors.py \
	tests/system/test_events.py \
	tests/system/test_examples.py \
	tests/system/test_file.py \
	tests/system/test_following.py \
	tests/system/test_heartbeat.py \
	tests/system/test_left_over.py \
	tests/system/test_logging.py \
	tests/system/test_many.py \
	tests/system/test_messages.py \
	tests/system/test_metrics.py \
	tests/system/test_peers.py \
	tests/system/test_processes.py \
	tests/system/test_recording.py \
	tests/system/test_resume.py \
	tests/system/test_stream.py \
	tests/system/test_tail.py \
	tests/system/test_thousand.py
TESTS += $(SYSTEM_TESTS)
EXTRA_DIST += tests/system/harness.py $(SYSTEM_TESTS)

include tests/system/nginx.mk
