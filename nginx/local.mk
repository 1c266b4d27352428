# nginx include files, installed in $(datadir)/runstream/nginx.
