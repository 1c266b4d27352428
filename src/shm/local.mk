noinst_LIBRARIES += libshm.a
libshm_a_SOURCES = \
	src/shm/bell.c src/shm/bell.h \
	src/shm/clients.c src/shm/clients.h \
	src/shm/control.h \
	src/shm/counters.c src/shm/counters.h src/shm/counters_list.h \
	src/shm/instance.c src/shm/instance.h \
	src/shm/orders.c src/shm/orders.h \
	src/shm/pulse.c src/shm/pulse.h \
	src/shm/occupancy.c src/shm/occupancy.h \
	src/shm/registry.c src/shm/registry.h \
	src/shm/registry_bus.c src/shm/registry_bus.h \
	src/shm/registry_index.c src/shm/registry_index.h \
	src/shm/registry_layout.h \
	src/shm/registry_map.h \
	src/shm/registry_writer.c src/shm/registry_writer.h \
	src/shm/segment.c src/shm/segment.h
