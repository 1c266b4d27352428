# A layer's archive, and what it needs below it. A test of a layer links that layer's NEEDS alone,
# so it cannot use what lies above.
BASE_LIBS = libbase.a
MODEL_LIBS = libmodel.a $(BASE_LIBS)
CONF_LIBS = libconf.a $(MODEL_LIBS)
STORE_LIBS = libstore.a $(CONF_LIBS)
SHM_LIBS = libshm.a $(STORE_LIBS)
FOLLOW_LIBS = libfollow.a $(SHM_LIBS)
STREAM_LIBS = libstream.a $(FOLLOW_LIBS)
DISCOVERY_LIBS = libdiscovery.a $(SHM_LIBS)
WORKER_LIBS = libworker.a $(STREAM_LIBS)
ADMIN_LIBS = libadmin.a $(STREAM_LIBS)
SUPERVISOR_LIBS = libsupervisor.a libdiscovery.a libworker.a $(STREAM_LIBS)
EXTERNAL_LIBS = $(JSON_C_LIBS) $(YAML_LIBS) $(XXHASH_LIBS)
ADMIN_EXTERNAL_LIBS = $(EXTERNAL_LIBS) $(LIBCURL_LIBS)

include src/base/local.mk
include src/model/local.mk
include src/conf/local.mk
include src/store/local.mk
include src/shm/local.mk
include src/follow/local.mk
include src/stream/local.mk
include src/discovery/local.mk
include src/worker/local.mk
include src/admin/local.mk
include src/supervisor/local.mk
