# Example configuration, installed beside the documentation.
dist_doc_DATA = etc/config.yaml
