/* Throws everything at the node of node.h: noise, damaged frames, right frames with wrong dispatches, time that passes.
   libFuzzer makes the inputs; each is a list of steps. Nothing may trip a sanitizer, everything that is sent must be a
   frame, no command may be executed twice, and after all of it a session must still work.

     clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all test/fuzz.c -o fuzz
     ./fuzz -max_len=200 -runs=10000000

   With -DJL_MAXF=96 -DJL_WINDOW=1 -DJL_BINDS=10 it has the size of an ATmega328P. */
#include "node.h"

static const uint8_t *input;
static size_t input_left;

static uint8_t pick(void) {
  if (!input_left) return 0;
  input_left--;
  return *input++;
}

static void die(const char *why) {
  fprintf(stderr, "%s\n", why);
  abort();
}

/* Takes the frame at `at` out of what was sent; where the next one starts. */
static size_t read_sent(size_t at, uint8_t *frame, size_t *length) {
  size_t n = 0;
  if (sent[at++]) die("a frame does not start with a delimiter");
  while (sent[at]) {
    uint8_t code = sent[at++];
    for (uint8_t i = 1; i < code; i++) {
      if (!sent[at] || n == JL_MAXF) die("a wrong COBS block");
      frame[n++] = sent[at++];
    }
    if (sent[at] && code != 0xFF) {
      if (n == JL_MAXF) die("a frame is too long");
      frame[n++] = 0;
    }
  }
  if (n < 4) die("a frame is too short");
  *length = n - 2;
  uint16_t crc = jl_crc(frame, (uint8_t)*length);
  if (frame[n - 2] != (uint8_t)crc || frame[n - 1] != crc >> 8) die("a wrong check");
  return at + 1;
}

/* Everything sent must be frames of a known kind. Keeps the last DATA, without its header, in `answer`. */
static uint8_t answer[JL_MAXF];
static size_t answer_n;

static void check_sent(void) {
  uint8_t frame[JL_MAXF];
  size_t n;
  for (size_t at = 0; at < sent_n;) {
    at = read_sent(at, frame, &n);
    uint8_t c = frame[0];
    if (c >= 0x90 && (c & 0xF8) != 0xA0 && c != 0xC1 && c != 0xC8 && c != 0xC9 && c != 0xCB && c != 0xCD) die("an unknown kind");
    if (c >= 0x80) continue;
    answer_n = n - 2;
    memcpy(answer, frame + 2, answer_n);
  }
  sent_n = 0;
}

static void run_node(void) {
  cable_at = 0;
  do jl_poll();
  while (cable_at < cable_n);
  jl_poll();
  check_sent();
  cable_n = 0;
}

/* A frame on our cable; `emit` writes to `sent`, so it is taken from there. */
static void lay(uint8_t *frame, uint8_t n) {
  size_t before = sent_n;
  emit(frame, n);
  memcpy(cable + cable_n, sent + before, sent_n - before);
  cable_n += sent_n - before;
  sent_n = before;
}

/* n or fewer bytes of the input. */
static uint8_t take_some(uint8_t *to, uint8_t most) {
  uint8_t n = (uint8_t)(pick() % (most + 1u));
  for (uint8_t i = 0; i < n; i++) to[i] = pick();
  return n;
}

/* A dispatch that is mostly right, with a body of whatever bytes. */
static uint8_t take_dispatch(uint8_t *to) {
  static const char *const resources[] = {"\x81\x63led", "\x82\x65servo\x03", "\x82\x63" "adc\x00", "\x81\x65" "count",
                                          "\x80", "\x81\x63sum", "\x81\x64text", "\x82\x65" "float\x18\xFE", "\x04", "\x09"};
  uint8_t n = 0, shape = pick(), method = pick();
  to[n++] = (uint8_t)(0x83 + (shape & 1) + (method % 9 > 5));
  to[n++] = (uint8_t)(method % 9);
  to[n++] = 0x19;
  to[n++] = 0;
  to[n++] = (uint8_t)(shape >> 1 & 3);
  if (method % 9 > 5) to[n++] = method >> 6;
  const char *resource = resources[pick() % (sizeof resources / sizeof *resources)];
  size_t length = resource[0] == '\x82' && resource[1] == '\x63' ? 6 : strlen(resource);
  memcpy(to + n, resource, length);
  n = (uint8_t)(n + length);
  if (shape & 1) n = (uint8_t)(n + take_some(to + n, 48));
  if (shape & 0x80) {
    uint8_t at = pick() % n;
    to[at] ^= pick();
  }
  return n;
}

static void new_session(uint8_t id) {
  uint8_t frame[4] = {0xC0, id};
  lay(frame, 2);
}

/* A command whose answer is lost with the session: asked again in the next one, it must not be executed again, and gets the
   same answer. */
static void ask_twice(void) {
  uint8_t dispatch[JL_MAXF], frame[JL_MAXF + 2] = {0x00}, n = take_dispatch(dispatch);
  bool has_tx = dispatch[2] == 0x19 && dispatch[3] == 0 && dispatch[4] != 0;
  if (dispatch[1] < JL_POST || dispatch[1] > JL_DELETE || !has_tx) return;
  int after = 0;
  uint8_t first[JL_MAXF];
  size_t first_n = 0;
  for (uint8_t id = 1; id <= 2; id++) {
    cable[cable_n++] = 0;
    new_session(id);
    run_node();
    frame[0] = 0;
    frame[1] = id;
    memcpy(frame + 2, dispatch, n);
    lay(frame, (uint8_t)(n + 2));
    answer_n = 0;
    run_node();
    if (id == 1) {
      after = effects;
      first_n = answer_n;
      memcpy(first, answer, answer_n);
    } else if (effects != after) die("a command was executed twice");
    else if (answer_n != first_n || memcmp(first, answer, answer_n)) die("another answer to the same command");
  }
}

static void step(void) {
  uint8_t frame[JL_MAXF + 2], kind = pick(), n, *exact;
  switch (kind & 7) {
    case 0: /* bytes as they are */
      cable_n += take_some(cable + cable_n, 255);
      return;
    case 1: /* a frame of any kind, for this session or another */
      frame[0] = pick();
      frame[1] = kind & 8 ? pick() : sid;
      lay(frame, (uint8_t)(2 + take_some(frame + 2, JL_MAXF - 4)));
      return;
    case 2: { /* the DATA that is expected; damaged or not */
      size_t from = cable_n;
      frame[0] = (uint8_t)(next_rx << 4 | (kind & 8) | ((next_tx + tx_busy) & 7));
      frame[1] = sid;
      lay(frame, (uint8_t)(2 + take_dispatch(frame + 2)));
      if (kind & 16) {
        from += pick() % (cable_n - from);
        cable[from] ^= pick();
      }
      return;
    }
    case 3:
      if (kind & 8) new_session((uint8_t)(kind >> 4));
      else {
        frame[0] = (uint8_t)(0x80 | ((next_tx + 1) & 7));
        frame[1] = sid;
        lay(frame, 2);
      }
      return;
    case 4: /* a dispatch in memory that ends where it ends */
      n = take_dispatch(frame);
      if (kind & 8) n = (uint8_t)(pick() % (n + 1u));
      exact = malloc(n ? n : 1);
      memcpy(exact, frame, n);
      jl_execute(exact, n);
      free(exact);
      return;
    case 5: /* time, or a value of the node's own */
      time_ms = (uint16_t)(time_ms + (kind >> 3) * (kind >> 3) * 7);
      adc = pick();
      jl_happened((uint8_t)(adc % 12));
      return;
    case 6:
      run_node();
      return;
    default:
      run_node();
      ask_twice();
  }
}

static void check_alive(void) {
  uint8_t ping[4] = {0xCA, 0x5A};
  cable[cable_n++] = 0;
  new_session(0x5A);
  lay(ping, 2);
  cable_at = sent_n = 0;
  while (cable_at < cable_n) jl_poll();
  if (!memchr(sent, 0xCB, sent_n)) die("no PONG after all that");
  check_sent();
  cable_n = 0;
}

/* As after a start, so that an input does the same every time. */
static void start(void) {
  cable_n = cable_at = sent_n = 0;
  last_tx = last_crc = last_status = last_length = 0;
  patience = 0;
  start_session(0);
  jl_on_silence(make_all_safe);
  JL_BEGIN("fuzzed", node_rows);
  check_sent();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input = data;
  input_left = size;
  start();
  while (input_left) {
    step();
    if (cable_n > sizeof cable / 2 || sent_n > sizeof sent / 2) run_node();
  }
  run_node();
  check_alive();
  return 0;
}
