#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "adapters/common/hook_main.h"
#include "adapters/common/say.h"
#include "adapters/common/watch_main.h"

/* Named by the Makefile; an adapter of one's own needs no line in our headers. */
extern const struct adapter ADAPTER;

/* A standard stream that is closed would be the next file we open. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct adapter *adapter = &ADAPTER;

	open_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit of our caller's is an error like a full disk */
	say_open(adapter->program);
	return adapter->hook ? hook_main(adapter, argc, argv) : watch_main(adapter, argc, argv);
}
