/* The daemon. All of it is in the supervisor, so that tests can link it. */
#include "supervisor/supervisor.h"

int
main(int argc, char **argv)
{
	return supervisor_main(argc, argv);
}
