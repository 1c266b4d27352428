# Example configuration and alert rules, installed beside the documentation.
dist_doc_DATA = etc/config.yaml etc/runstream.rules.yml
