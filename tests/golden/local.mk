# Bytes that a change must not change unseen.
EXTRA_DIST += \
	tests/golden/check-config.json \
	tests/golden/check-config.txt \
	tests/golden/clients.json \
	tests/golden/clients.txt \
	tests/golden/log-events.txt \
	tests/golden/message-events.txt \
	tests/golden/nginx-locations-all.conf \
	tests/golden/nginx-locations-streams.conf \
	tests/golden/nginx-upstream.conf \
	tests/golden/output.json \
	tests/golden/output.txt \
	tests/golden/run.json \
	tests/golden/run.txt \
	tests/golden/runs.json \
	tests/golden/runs.txt \
	tests/golden/status.json \
	tests/golden/status.txt
