/* The administrator's command; all of it is in admin/. */
#include "admin/command.h"

int
main(int argc, char **argv)
{
	return command_main(argc, argv);
}
