noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	src/conf/conf.c src/conf/conf.h \
	src/conf/document.c src/conf/document.h \
	src/conf/settings.c src/conf/settings.h \
	src/conf/settings_key.c src/conf/settings_key.h \
	src/conf/settings_message.c src/conf/settings_message.h
