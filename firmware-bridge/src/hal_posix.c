/* The board: a process on Linux or another POSIX system. Makes a pseudo terminal and prints its name, or opens the port
   named by its first argument. Calls setup() and loop() of the sketch. */
#if (defined(__unix__) || defined(__APPLE__)) && !defined(ARDUINO)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "jstp_link.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int port = -1, kept_open = -1;
static uint8_t in[1024], out[1024];
static size_t in_at, in_size, out_size;

/* What nobody reads is lost, as on a cable. */
static void flush(void) {
  for (size_t at = 0; at < out_size;) {
    ssize_t n = write(port, out + at, out_size - at);
    if (n > 0) at += (size_t)n;
    else if (n < 0 && errno == EINTR) continue;
    else if (n < 0 && errno == EAGAIN) {
      struct pollfd room = {.fd = port, .events = POLLOUT};
      if (poll(&room, 1, 100) <= 0) break;
    } else break;
  }
  out_size = 0;
}

int16_t jl_hal_read(void) {
  if (in_at == in_size) {
    flush();
    ssize_t n = read(port, in, sizeof in);
    in_at = 0;
    in_size = n > 0 ? (size_t)n : 0;
    if (n <= 0) return -1;
  }
  return in[in_at++];
}

void jl_hal_write(uint8_t byte) {
  if (out_size == sizeof out) flush();
  out[out_size++] = byte;
}

uint16_t jl_hal_millis(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint16_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

uint16_t jl_hal_boot(uint8_t *cause) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *cause = 0;
  return (uint16_t)((unsigned)getpid() * 40503U ^ (unsigned)now.tv_sec ^ (unsigned)now.tv_nsec >> 10);
}

static void make_raw(int fd, speed_t speed) {
  struct termios settings;
  if (tcgetattr(fd, &settings)) return;
  cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  cfsetispeed(&settings, speed);
  cfsetospeed(&settings, speed);
  tcsetattr(fd, TCSANOW, &settings);
}

void jl_hal_speed(uint8_t number) {
#ifdef B1000000
  static const speed_t speeds[] = {B115200, B500000, B115200, B1000000, B57600, B38400, B9600};
#else
  static const speed_t speeds[] = {B115200, B115200, B115200, B115200, B57600, B38400, B9600};
#endif
  flush();
  tcdrain(port);
  make_raw(port, speeds[number]);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void open_terminal(void) {
  port = posix_openpt(O_RDWR | O_NOCTTY);
  if (port < 0 || grantpt(port) || unlockpt(port)) fail("a pseudo terminal");
  const char *name = ptsname(port);
  /* With one end kept open, reading does not fail while no host is there. */
  kept_open = open(name, O_RDWR | O_NOCTTY);
  if (kept_open < 0) fail(name);
  make_raw(kept_open, B115200);
  printf("%s\n", name);
  fflush(stdout);
}

void setup(void);
void loop(void);

int main(int count, char **arguments) {
  if (count > 1) {
    port = open(arguments[1], O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (port < 0) fail(arguments[1]);
    make_raw(port, B115200);
  } else open_terminal();
  fcntl(port, F_SETFL, fcntl(port, F_GETFL) | O_NONBLOCK);
  setup();
  for (;;) {
    loop();
    flush();
    struct pollfd more = {.fd = port, .events = POLLIN};
    if (in_at == in_size) poll(&more, 1, 1);
  }
}
#endif
