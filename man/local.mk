# Manual pages, mdoc(7).
dist_man_MANS += \
	man/runstreamctl.1 \
	man/runstream.yaml.5 \
	man/runstream-deployment.7 \
	man/runstream-http.7 \
	man/runstream-logging.7 \
	man/runstream-metrics.7 \
	man/runstreamd.8
