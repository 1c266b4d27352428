# Manual pages, mdoc(7).
dist_man_MANS += man/runstreamd.8 man/runstream.yaml.5
