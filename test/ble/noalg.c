/* Preloaded into BlueZ's btvirt by the tests. Three things it cannot be told otherwise:
 * its sockets go to $BTVIRT_DIR instead of /tmp, so that several labs can run at once;
 * it does not die (SIGPIPE) when a client goes away while it writes;
 * on a kernel without AF_ALG it gets a dead socket instead of an error. It wants AF_ALG only for pairing keys, which no
 * test uses, but closes every LE controller without it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

static char faked[4096];

__attribute__((constructor)) static void survive(void) { signal(SIGPIPE, SIG_IGN); }

static const char *moved(const char *path, char *buffer, size_t size) {
  const char *dir = getenv("BTVIRT_DIR");
  if (!dir || strncmp(path, "/tmp/", 5) != 0) return path;
  snprintf(buffer, size, "%s/%s", dir, path + 5);
  return buffer;
}

int socket(int domain, int type, int protocol) {
  int (*real)(int, int, int) = NEXT("socket", int (*)(int, int, int));
  int fd = real(domain, type, protocol);
  int fake = fd < 0 && domain == AF_ALG;
  if (fake) fd = real(AF_UNIX, SOCK_DGRAM, 0);
  if (fd >= 0 && fd < (int)sizeof faked) faked[fd] = (char)fake;
  return fd;
}

int bind(int fd, const struct sockaddr *address, socklen_t length) {
  int (*real)(int, const struct sockaddr *, socklen_t) = NEXT("bind", int (*)(int, const struct sockaddr *, socklen_t));
  if (fd >= 0 && fd < (int)sizeof faked && faked[fd]) return 0;
  if (address->sa_family == AF_UNIX) {
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    char path[sizeof here.sun_path];
    strcpy(here.sun_path, moved(((const struct sockaddr_un *)address)->sun_path, path, sizeof path));
    return real(fd, (struct sockaddr *)&here, sizeof here);
  }
  return real(fd, address, length);
}

int unlink(const char *path) {
  char buffer[4096];
  return NEXT("unlink", int (*)(const char *))(moved(path, buffer, sizeof buffer));
}

int chmod(const char *path, mode_t mode) {
  char buffer[4096];
  return NEXT("chmod", int (*)(const char *, mode_t))(moved(path, buffer, sizeof buffer), mode);
}
