/* The node's side of the serial link (LINK.md): frames, session, delivery. What the dispatches say is in jl_dispatch.c.
   Nothing is allocated; one frame in, one frame out. */
#include "jl_inside.h"
#include <string.h>

#ifdef __AVR__
#include <util/crc16.h>
#define crc_step(crc, byte) _crc_ccitt_update(crc, byte)
#else
static uint16_t crc_step(uint16_t crc, uint8_t byte) {
  crc ^= byte;
  for (uint8_t i = 0; i < 8; i++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1;
  return crc;
}
#endif

enum { RST = 0xC0, HELLO, EVENT = 0xC8, LOG, PING, PONG, SETBAUD, SETBAUD_OK };
enum { ACK = 0x80, NAK = 0xA0, NOT_READY = 0x08, REPEATED = 0x08 };
enum { MOST_REPEATS = 8, FIRST_RTO = 250, LEAST_RTO = 40, LONGEST_SAMPLE = 250, BEACON_MS = 1000, TRIAL_MS = 1000 };

/* What comes in. */
static uint8_t rx[JL_MAXF], rx_n, rx_code, rx_left;
static uint16_t rx_crc;

/* What is kept for repetition: an answer, two bytes of header before it and two of check after it. */
uint8_t jl_tx[JL_MAXF];
static uint8_t tx_n;
static bool tx_busy;

static uint8_t sid, next_tx, next_rx, tries, event_seq;
static bool naked, sent_again;
static uint16_t sent_at, heard_at, hello_at, rto;
static uint16_t patience; /* how long the host may be silent; 0: it is, and all is safe */

static uint16_t boot;
static uint8_t boot_cause;
static const char *node_name;
static void (*make_safe)(void);

#if JL_WINDOW > 1
/* DATA accepted while an answer is still out. */
static uint8_t queue[JL_WINDOW - 1][JL_MAXF], queue_n[JL_WINDOW - 1], queued;
static bool refused;
#endif

uint16_t jl_crc(const uint8_t *bytes, uint8_t n) {
  uint16_t crc = 0xFFFF;
  while (n--) crc = crc_step(crc, *bytes++);
  return ~crc;
}

static uint16_t since(uint16_t then) { return (uint16_t)(jl_hal_millis() - then); }

/* ---- Out ---- */

/* Sends n bytes and their check, for which `frame` has room. COBS never needs more than one block of 254 here. */
static void emit(uint8_t *frame, uint8_t n) {
  jl_hal_write(0); /* on its way while the check is computed */
  uint16_t crc = jl_crc(frame, n);
  uint8_t *end = frame + n;
  *end++ = (uint8_t)crc;
  *end++ = (uint8_t)(crc >> 8);
  for (;; frame++) {
    uint8_t *zero = frame;
    while (zero != end && *zero) zero++;
    jl_hal_write((uint8_t)(zero - frame + 1));
    while (frame != zero) jl_hal_write(*frame++);
    if (frame == end) break;
  }
  jl_hal_write(0);
}

static void emit_short(uint8_t ctrl) {
  uint8_t frame[4];
  frame[0] = ctrl;
  frame[1] = sid;
  emit(frame, 2);
}

static void emit_hello(void) {
  uint8_t frame[26], n = 8;
  frame[0] = HELLO;
  frame[1] = sid;
  frame[2] = 1;
  frame[3] = (uint8_t)boot;
  frame[4] = (uint8_t)(boot >> 8);
  frame[5] = JL_MAXF;
  frame[6] = JL_WINDOW;
  frame[7] = boot_cause;
  for (const char *c = node_name; n < 24 && (frame[n] = JL_BYTE(c)); c++) n++;
  emit(frame, n);
  hello_at = jl_hal_millis();
}

static void emit_answer(uint8_t repeated) {
  if (repeated) sent_again = true;
  jl_tx[0] = (uint8_t)(next_tx << 4 | repeated | next_rx);
  jl_tx[1] = sid;
  emit(jl_tx, tx_n);
  sent_at = jl_hal_millis();
}

/* The first damaged frame or gap is worth one NAK; more would only multiply the noise. */
static void nak_once(void) {
  if (naked) return;
  naked = true;
  emit_short(NAK | next_rx);
}

void jl_send_answer(uint8_t payload) {
  tx_n = (uint8_t)(payload + 2);
  tx_busy = true;
  tries = 0;
  sent_again = false;
  emit_answer(0);
}

void jl_acknowledge(void) { emit_short(ACK | next_rx); }

void jl_send_event(uint8_t *frame, uint8_t n) {
  frame[0] = EVENT;
  frame[1] = sid;
  frame[2] = event_seq++;
  emit(frame, n);
}

void jl_busy(void) {
  if (sid) emit_short(ACK | NOT_READY | next_rx);
}

void jl_log(uint8_t level, const char *text) {
  uint8_t frame[JL_EVENT_MAX], n = 3;
  if (!sid) return;
  frame[0] = LOG;
  frame[1] = sid;
  frame[2] = level;
  while (*text && n < JL_EVENT_MAX - 2) frame[n++] = (uint8_t)*text++;
  emit(frame, n);
}

/* ---- Session ---- */

/* 0: none. */
static void start_session(uint8_t id) {
  sid = id;
  next_tx = next_rx = event_seq = 0;
  tx_busy = naked = false;
  rto = FIRST_RTO;
#if JL_WINDOW > 1
  queued = 0;
  refused = false;
#endif
  jl_release_all();
}

static void heard(void) {
  heard_at = jl_hal_millis();
  patience = JL_SILENCE_MS;
}

/* ---- In ---- */

static void acknowledged(uint8_t expected) {
  if (!tx_busy || ((uint8_t)(expected - next_tx) & 7) != 1) return;
  next_tx = expected;
  tx_busy = false;
  if (sent_again) return;
  uint16_t sample = since(sent_at);
  if (sample > LONGEST_SAMPLE) sample = LONGEST_SAMPLE;
  /* rto is 4 × SRTT, and SRTT moves by an eighth. */
  rto = (uint16_t)(rto - (rto >> 3) + (sample >> 1));
  if (rto < LEAST_RTO) rto = LEAST_RTO;
}

static void accepted(void) {
  next_rx = (next_rx + 1) & 7;
  naked = false;
}

#if JL_WINDOW > 1
static void accept_data(const uint8_t *payload, uint8_t n) {
  if (queued == JL_WINDOW - 1) {
    refused = true;
    emit_short(ACK | NOT_READY | next_rx);
    return;
  }
  accepted();
  if (!tx_busy && !queued) {
    jl_execute(payload, n);
    return;
  }
  memcpy(queue[queued], payload, n);
  queue_n[queued++] = n;
  jl_acknowledge();
}

static void execute_queued(void) {
  static uint8_t first[JL_MAXF];
  if (tx_busy) return;
  if (queued) {
    uint8_t n = queue_n[0];
    memcpy(first, queue[0], n);
    queued--;
    for (uint8_t i = 0; i < queued; i++) {
      memcpy(queue[i], queue[i + 1], queue_n[i + 1]);
      queue_n[i] = queue_n[i + 1];
    }
    jl_execute(first, n);
  }
  if (refused) {
    refused = false;
    emit_short(NAK | next_rx);
  }
}
#else
/* The host, that has but one unacknowledged, repeats what comes while an answer is out. */
static void accept_data(const uint8_t *payload, uint8_t n) {
  if (tx_busy) return;
  accepted();
  jl_execute(payload, n);
}
#endif

static void receive_data(uint8_t number, const uint8_t *payload, uint8_t n) {
  uint8_t ahead = (uint8_t)(number - next_rx) & 7;
  if (ahead == 0) accept_data(payload, n);
  else if (ahead < JL_WINDOW) nak_once();
  else if (tx_busy) emit_answer(REPEATED);
  else jl_acknowledge();
}

static const uint8_t speeds[][4] JL_FLASH = {
    {0x00, 0xC2, 0x01, 0x00}, /* 115200 */
    {0x20, 0xA1, 0x07, 0x00}, /* 500000 */
    {0x90, 0xD0, 0x03, 0x00}, /* 250000 */
    {0x40, 0x42, 0x0F, 0x00}, /* 1000000 */
    {0x00, 0xE1, 0x00, 0x00}, /* 57600 */
    {0x00, 0x96, 0x00, 0x00}, /* 38400 */
    {0x80, 0x25, 0x00, 0x00}, /* 9600 */
};

/* A speed that is none of ours is not answered, and nothing changes. */
static void receive_speed(uint8_t *frame) {
  for (uint8_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
    if (jl_compare_flash(frame + 2, speeds[i], 4)) continue;
    frame[0] = SETBAUD_OK;
    emit(frame, 6);
    jl_hal_speed(i);
    patience = TRIAL_MS;
  }
}

/* A frame that passed the check; n without the check. */
static void receive(uint8_t *frame, uint8_t n) {
  uint8_t ctrl = frame[0], expected = ctrl & 7;
  if (ctrl == RST) {
    if (!frame[1]) return;
    start_session(frame[1]);
    heard();
    emit_hello();
    return;
  }
  if (!sid || frame[1] != sid) {
    emit_hello();
    return;
  }
  heard();
  if (ctrl < 0x80) {
    acknowledged(expected);
    receive_data(ctrl >> 4, frame + 2, (uint8_t)(n - 2));
  } else if ((ctrl & 0xF0) == ACK) acknowledged(expected);
  else if ((ctrl & 0xF8) == NAK) {
    acknowledged(expected);
    if (tx_busy && expected == next_tx) emit_answer(REPEATED);
  } else if (ctrl == PING) {
    frame[0] = PONG;
    emit(frame, n);
  } else if (ctrl == SETBAUD && n == 6) receive_speed(frame);
}

static void rx_start(void) {
  rx_n = rx_code = rx_left = 0;
  rx_crc = 0xFFFF;
}

static void rx_end(void) {
  if (!rx_left && rx_n >= 4 && rx_crc == 0xF0B8) receive(rx, (uint8_t)(rx_n - 2));
  else if (sid) nak_once();
  rx_start();
}

/* One byte of the wire. */
static void rx_byte(uint8_t byte) {
  if (!byte) {
    if (rx_code) rx_end();
    return;
  }
  if (rx_left) rx_left--;
  else {
    uint8_t code = rx_code;
    rx_code = byte;
    rx_left = (uint8_t)(byte - 1);
    /* A block shorter than 254 bytes stands for a zero at its end, unless the frame ends there. */
    if (!code || code == 0xFF) return;
    byte = 0;
  }
  /* Too long: no check is right from here on. */
  if (rx_n == JL_MAXF) {
    rx_crc = 0;
    return;
  }
  rx[rx_n++] = byte;
  rx_crc = crc_step(rx_crc, byte);
}

/* ---- The loop ---- */

static void repeat_if_due(void) {
  if (!tx_busy || since(sent_at) < rto) return;
  if (tries >= MOST_REPEATS) {
    start_session(0);
    emit_hello();
    return;
  }
  tries++;
  emit_answer(REPEATED);
}

static void watch_silence(void) {
  if (!patience || since(heard_at) < patience) return;
  patience = 0;
  start_session(0);
  jl_hal_speed(0);
  if (make_safe) make_safe();
}

void jl_poll(void) {
  static uint8_t looked_at;
  int16_t byte;
  uint8_t most = 255, now;
  for (; most && (byte = jl_hal_read()) >= 0; most--) rx_byte((uint8_t)byte);
  /* While bytes come, what else is due is looked at once a ms: a flood must not keep us from it, nor it us from the bytes. */
  now = (uint8_t)jl_hal_millis();
  if (most != 255 && now == looked_at) return;
  looked_at = now;
#if JL_WINDOW > 1
  execute_queued();
#endif
  repeat_if_due();
  watch_silence();
  if (sid) jl_report_due();
  else if (since(hello_at) >= BEACON_MS) emit_hello();
}

bool jl_online(void) { return sid != 0; }

void jl_on_silence(void (*function)(void)) { make_safe = function; }

void jl_begin(const char *name, const jl_resource *table, uint8_t count) {
  jl_use_table(table, count);
  node_name = name;
  boot = jl_hal_boot(&boot_cause);
  rx_start();
  emit_hello();
}
