// SPDX-License-Identifier: GPL-2.0
/*
 * kspan-load - work for the kernel that keeps many objects live, to be recorded
 *
 *	kspan-load serve CLIENTS REQUESTS
 *		A server on loopback and its clients: TCP and unix connections, each
 *		with a pipe to relay by and a timer for when it is idle, all in one
 *		epoll; requests and datagrams queue, as the clients are faster.
 *	kspan-load store LIST DIR
 *		A store of content in DIR, as backups and version control have one:
 *		for each path that LIST names an object that has 64 digits for a name,
 *		its path as an extended attribute, and a tree of links to the objects.
 *
 * Both are the same each time, but for what the scheduler makes of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PORT		7000
#define UNIX_NAME	"kspan-load"
#define LOG_NAME	"kspan-load-log"
#define MAX_REQUEST	16384
/* The server reads the log once for so many requests. */
#define LOG_EVERY	256

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fputs("kspan-load: error: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	_exit(1);
}

static int need(int result, const char *what)
{
	if (result < 0)
		die("%s", what);
	return result;
}

static uint64_t seed = 1;

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % limit;
}

/* As many between 32 and 64 as between 4096 and 8192. */
static uint32_t random_size(uint32_t most)
{
	uint32_t size = 32U << random_below(9);

	size += random_below(size);
	return size < most ? size : most;
}

/* serve: sockets */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
	};
	socklen_t len;
};

static struct address tcp_address(void)
{
	struct address address = { .len = sizeof(address.in) };

	address.in.sin_family = AF_INET;
	address.in.sin_port = htons(PORT);
	address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* Of the abstract ones: nothing in a file system. */
static struct address unix_address(const char *name)
{
	struct address address = { .len = sizeof(sa_family_t) + 1 + strlen(name) };

	address.un.sun_family = AF_UNIX;
	memcpy(address.un.sun_path + 1, name, strlen(name));
	return address;
}

static int listen_at(struct address address)
{
	int one = 1, fd = need(socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0),
			       "no socket");

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	need(bind(fd, &address.any, address.len), "bind");
	need(listen(fd, 4096), "listen");
	return fd;
}

static int datagrams_at(struct address address)
{
	int fd = need(socket(address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0), "no socket");
	int space = 16 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof(space));
	need(bind(fd, &address.any, address.len), "bind");
	return fd;
}

/* serve: the server */

struct connection {
	int fd, timer, pipe[2];
};

struct server {
	int epoll, tcp, local, log, udp;
	unsigned int expected, accepted, requests, closed;
};

static void watch(struct server *server, int fd, void *data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };

	need(epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void accept_one(struct server *server, int listener)
{
	struct itimerspec idle = { .it_value.tv_sec = 3600 };
	struct connection *connection;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		die("no memory");
	connection->fd = fd;
	connection->timer = need(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timerfd");
	need(pipe2(connection->pipe, O_NONBLOCK), "pipe");
	timerfd_settime(connection->timer, 0, &idle, NULL);
	watch(server, fd, connection);
	server->accepted++;
}

static void drain(int fd)
{
	char buffer[MAX_REQUEST];

	while (recv(fd, buffer, sizeof(buffer), 0) > 0)
		;
}

/* One request at a time of each connection: what comes faster waits. */
static void answer(struct server *server, struct connection *connection)
{
	char buffer[2048];
	ssize_t n = recv(connection->fd, buffer, sizeof(buffer), 0);

	if (n <= 0) {
		close(connection->fd);
		close(connection->timer);
		close(connection->pipe[0]);
		close(connection->pipe[1]);
		free(connection);
		server->closed++;
		return;
	}
	if (write(connection->pipe[1], buffer, n) > 0 &&
	    read(connection->pipe[0], buffer, sizeof(buffer)) > 0)
		send(connection->fd, buffer, n / 4 + 1, MSG_NOSIGNAL);
	if (!(++server->requests % LOG_EVERY)) {
		drain(server->log);
		drain(server->udp);
	}
}

static void serve(struct server *server)
{
	struct epoll_event events[64];
	int i, n;

	while (server->closed < server->expected) {
		n = epoll_wait(server->epoll, events, 64, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == &server->tcp)
				accept_one(server, server->tcp);
			else if (events[i].data.ptr == &server->local)
				accept_one(server, server->local);
			else
				answer(server, events[i].data.ptr);
		}
	}
}

static void open_server(struct server *server, unsigned int clients)
{
	server->epoll = need(epoll_create1(0), "epoll");
	server->tcp = listen_at(tcp_address());
	server->local = listen_at(unix_address(UNIX_NAME));
	server->log = datagrams_at(unix_address(LOG_NAME));
	server->udp = datagrams_at(tcp_address());
	server->expected = clients;
	watch(server, server->tcp, &server->tcp);
	watch(server, server->local, &server->local);
}

/* serve: the clients, all in one process */

static int connect_to(struct address address)
{
	int fd = need(socket(address.any.sa_family, SOCK_STREAM, 0), "no socket");

	need(connect(fd, &address.any, address.len), "connect");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void request(int fd, int log, int udp)
{
	static char buffer[MAX_REQUEST];
	struct address to = unix_address(LOG_NAME), name = tcp_address();

	send(fd, buffer, random_size(MAX_REQUEST), MSG_NOSIGNAL);
	sendto(log, buffer, random_size(1024), MSG_DONTWAIT, &to.any, to.len);
	sendto(udp, buffer, 30 + random_below(480), MSG_DONTWAIT, &name.any, name.len);
	if (random_below(2))
		drain(fd);
}

static int client(unsigned int clients, unsigned int requests)
{
	int log = need(socket(AF_UNIX, SOCK_DGRAM, 0), "no socket");
	int udp = need(socket(AF_INET, SOCK_DGRAM, 0), "no socket");
	int *fds = calloc(clients, sizeof(*fds)), space = 16 << 20;
	unsigned int i;

	if (!fds)
		die("no memory");
	setsockopt(log, SOL_SOCKET, SO_SNDBUFFORCE, &space, sizeof(space));
	for (i = 0; i < clients; i++)
		fds[i] = connect_to(i % 2 ? unix_address(UNIX_NAME) : tcp_address());
	for (i = 0; i < requests; i++)
		request(fds[random_below(clients)], log, udp);
	for (i = 0; i < clients; i++) {
		drain(fds[i]);
		close(fds[i]);
	}
	return 0;
}

static int run_serve(unsigned int clients, unsigned int requests)
{
	struct rlimit files = { 1 << 20, 1 << 20 };
	struct server server = { };
	int status;
	pid_t pid;

	need(setrlimit(RLIMIT_NOFILE, &files), "so many files");
	open_server(&server, clients);
	pid = need(fork(), "fork");
	if (!pid)
		_exit(client(clients, requests));
	serve(&server);
	need(waitpid(pid, &status, 0), "waitpid");
	printf("%u connections, %u requests answered\n", server.accepted, server.requests);
	return status ? 1 : 0;
}

/* store */

/* 64 digits that depend on all of @path. */
static void name_of(const char *path, char *name)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	unsigned int i;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3ULL;
	for (i = 0; i < 4; i++) {
		hash = hash * 6364136223846793005ULL + 1442695040888963407ULL;
		sprintf(name + i * 16, "%016llx", (unsigned long long)hash);
	}
}

static void make_parents(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			die("%s", path);
		*slash = '/';
	}
}

static void put_object(const char *path)
{
	char name[65], object[128], link[4096], target[160];
	const char *at;
	size_t len = 0;
	int fd;

	name_of(path, name);
	snprintf(object, sizeof(object), "objects/%.2s/%s", name, name);
	make_parents(object);
	fd = need(open(object, O_WRONLY | O_CREAT, 0644), object);
	if (fsetxattr(fd, "user.path", path, strlen(path), 0))
		die("%s: user.path", object);
	close(fd);
	snprintf(link, sizeof(link), "tree/%s", path);
	make_parents(link);
	/* Up from where the link is. */
	for (at = strchr(link, '/'); at && len < 60; at = strchr(at + 1, '/'))
		len += sprintf(target + len, "../");
	snprintf(target + len, sizeof(target) - len, "%s", object);
	if (symlink(target, link) && errno != EEXIST)
		die("%s", link);
}

static int run_store(const char *list, const char *dir)
{
	FILE *file = fopen(list, "r");
	unsigned int n = 0;
	char path[4096];

	if (!file)
		die("%s", list);
	need(chdir(dir), dir);
	for (; fgets(path, sizeof(path), file); n++) {
		path[strcspn(path, "\n")] = '\0';
		put_object(path);
	}
	fclose(file);
	printf("%u objects\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve") && atoi(argv[2]) > 0 && atoi(argv[3]) > 0)
		return run_serve(atoi(argv[2]), atoi(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "store"))
		return run_store(argv[2], argv[3]);
	fputs("usage: kspan-load serve CLIENTS REQUESTS | kspan-load store LIST DIR\n", stderr);
	return 1;
}
