# For administrators; what nginx is to include is made by `runstreamctl nginx-config`.
nginxdir = $(datadir)/runstream/nginx
dist_nginx_DATA = nginx/README.md nginx/example.conf
