/* What the dispatches of the link say (LINK.md, Dispatches): the CBOR subset, the table of resources, the catalogue,
   BINDs and events, and that no command is executed twice. Variables of the file instead of arguments, and 16 bits where
   they do: on an AVR that is half the flash. */
#include "jl_inside.h"
#include <string.h>

enum { MAJOR_UINT = 0x00, MAJOR_NEGATIVE = 0x20, MAJOR_TEXT = 0x60, MAJOR_ARRAY = 0x80, MAJOR_MAP = 0xA0, MAJOR_SIMPLE = 0xE0 };
enum { DEFAULT_PERIOD_MS = 100 };
enum { CATALOGUE = 0xFE, UNKNOWN = 0xFF };

static const jl_resource *rows;
static uint8_t row_count;

/* The last command, and the length of its answer while that is still in jl_tx. */
static uint16_t last_tx, last_crc, last_status;
static uint8_t last_length;

/* One a row; period 0: not bound. */
typedef struct {
  uint16_t period, looked_at, crc;
  uint8_t occurred;
} bind;
static bind binds[JL_BINDS];

void jl_use_table(const jl_resource *table, uint8_t count) {
  rows = table;
  row_count = count;
}

/* ---- Reading ---- */

static const uint8_t *in;
static uint8_t in_left;
static jl_call call; /* its body is whatever was read last: in the end, the body */

static uint8_t take(void) {
  in_left--;
  return *in++;
}

/* avr-gcc's way with loops makes this one 6 µs slower, and each dispatch is read by five calls. */
#ifdef __AVR__
__attribute__((optimize("no-tree-loop-optimize")))
#endif
static void next(void) {
  call.body.type = JL_BAD;
  if (!in_left) return;
  uint8_t info = take(), major = info & 0xE0, size = 0, flip = 0;
  info &= 31;
  if (info > 23) size = info - 23;
  if (size > 3) return;
  if (size == 3) size = 4;
  if (size > in_left) return;
  /* A negative number is the complement of what is written. The lowest byte comes first in memory (jl_inside.h). */
  if (major == MAJOR_NEGATIVE) flip = 0xFF;
  uint8_t *number = (uint8_t *)&call.body.number;
  number[1] = number[2] = number[3] = flip;
  number[0] = info ^ flip;
  while (size) number[--size] = take() ^ flip;
  if (major == MAJOR_SIMPLE) {
    if (info == 26) call.body.type = JL_FLOAT;
    info &= ~1;
    if (info == 22) call.body.type = JL_NULL;
    if (info == 20) {
      number[0] &= 1;
      call.body.type = JL_BOOL;
    }
  } else if (major <= MAJOR_NEGATIVE) {
    if ((number[3] ^ flip) < 0x80) call.body.type = JL_INT;
  } else if ((major == JL_TEXT_VALUE || major == JL_ARRAY || major == JL_MAP) && info < 25 && number[0] <= in_left) {
    /* Each item of an array or a map takes at least a byte, as each byte of a text does. */
    call.body.type = major;
    if (major == JL_TEXT_VALUE) {
      call.body.text = in;
      in += number[0];
      in_left = (uint8_t)(in_left - number[0]);
    }
  }
}

void jl_next(jl_item *to) {
  jl_item body = call.body;
  next();
  *to = call.body;
  call.body = body;
}

float jl_float(const jl_item *number) {
  if (number->type != JL_FLOAT) return (float)number->number;
  float value;
  memcpy(&value, &number->number, sizeof value);
  return value;
}

/* ---- Writing ---- */

static uint8_t *out, *reply_at, *body_at;
static uint8_t out_left, reply_size;
static bool out_full;
static uint8_t reply_method;
static uint16_t reply_tx, reply_status;

static void put(uint8_t byte) {
  if (!out_left) {
    out_full = true;
    return;
  }
  out_left--;
  *out++ = byte;
}

static void put_head(uint8_t major, uint16_t value) {
  if (value > 23) {
    if (value > 0xFF) {
      put(major | 25);
      put((uint8_t)(value >> 8));
    } else put(major | 24);
    major = 0;
  }
  put((uint8_t)(major | value));
}

static void put_32(uint8_t head, uint32_t value) {
  put(head);
  put((uint8_t)(value >> 24));
  put((uint8_t)(value >> 16));
  put((uint8_t)(value >> 8));
  put((uint8_t)value);
}

void jl_put_int(int32_t value) {
  uint8_t major = MAJOR_UINT;
  if (value < 0) {
    major = MAJOR_NEGATIVE;
    value = ~value;
  }
  if (value > 0xFFFF) put_32(major | 26, (uint32_t)value);
  else put_head(major, (uint16_t)value);
}

void jl_put_bool(bool value) { put(value ? 0xF5 : 0xF4); }

void jl_put_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_32(0xFA, bits);
}

void jl_put_text(const char *text) {
  put_head(MAJOR_TEXT, (uint16_t)strlen(text));
  while (*text) put((uint8_t)*text++);
}

void jl_put_null(void) { put(0xF6); }
void jl_put_array(uint8_t count) { put_head(MAJOR_ARRAY, count); }
void jl_put_map(uint8_t count) { put_head(MAJOR_MAP, count); }

static void begin_reply(uint8_t method, uint8_t *at, uint8_t size) {
  reply_method = method;
  reply_at = at;
  reply_size = size;
  reply_status = 0;
}

/* [8, tx, status, … or, for an event, [4, 0, alias, … */
void jl_reply(uint16_t status) {
  reply_status = status;
  out = reply_at;
  out_left = reply_size;
  out_full = false;
  put(MAJOR_ARRAY | 4);
  put(reply_method);
  put_head(MAJOR_UINT, reply_tx);
  put_head(MAJOR_UINT, reply_method == JL_PATCH ? call.alias : status);
  body_at = out;
}

/* No answer, or one that is too long: 500. No value: null. The length of it all. */
static uint8_t end_reply(void) {
  if (!reply_status || out_full) jl_reply(500);
  if (out == body_at) jl_put_null();
  return (uint8_t)(out - reply_at);
}

static void call_row(void) {
  jl_answer *answer = (jl_answer *)JL_WORD(&rows[call.alias].answer);
  answer(&call);
}

/* ---- The catalogue ---- */

/* Names and units are shorter than 24 bytes: their length fits in the head. */
static void put_flash_text(const char *text) {
  uint8_t *head = out, letter;
  put(MAJOR_TEXT);
  while (!out_full && (letter = JL_BYTE(text++)) != 0) {
    put(letter);
    ++*head;
  }
}

static void put_limit(int16_t value) {
  if (value < 0) put_head(MAJOR_NEGATIVE, (uint16_t)~value);
  else put_head(MAJOR_UINT, (uint16_t)value);
}

static void put_entry(const jl_resource *row, uint8_t alias) {
  uint8_t index = JL_BYTE(&row->index);
  put(MAJOR_ARRAY | 6);
  put_head(MAJOR_UINT, alias);
  put(index == JL_ALONE ? MAJOR_ARRAY | 1 : MAJOR_ARRAY | 2);
  put_flash_text(row->name);
  if (index != JL_ALONE) put_head(MAJOR_UINT, index);
  put_head(MAJOR_UINT, JL_BYTE(&row->can));
  put_flash_text(row->unit);
  put_limit((int16_t)JL_WORD(&row->min));
  put_limit((int16_t)JL_WORD(&row->max));
}

/* A page: as many entries as fit, from `first` on. */
static void put_catalogue(uint8_t first) {
  jl_reply(200);
  uint8_t *head = out;
  put(MAJOR_ARRAY);
  uint8_t *end = out;
  for (; first < row_count; first++) {
    put_entry(&rows[first], first);
    if (out_full) break;
    end = out;
    ++*head;
#if JL_MAXF > 200
    if (*head == MAJOR_ARRAY + 23) break;
#endif
  }
  out = end;
  out_full = false;
}

/* ---- Binds and events ---- */

/* Period 0: no longer. */
static uint16_t bind_row(uint16_t period) {
  if (call.alias >= JL_BINDS) return 503;
  bind *b = &binds[call.alias];
  b->crc = 0;
  b->occurred = 0;
  b->period = period;
  b->looked_at = (uint16_t)(jl_hal_millis() - period);
  return 200;
}

void jl_release_all(void) { memset(binds, 0, sizeof binds); }

void jl_happened(uint8_t alias) {
  if (alias < JL_BINDS && binds[alias].period && binds[alias].occurred < 255) binds[alias].occurred++;
}

/* Looks at a bound resource and sends its value, if it is new or if something has happened. */
static void report(bind *b) {
  static uint8_t frame[JL_EVENT_MAX];
  b->looked_at = jl_hal_millis();
  call.method = JL_GET;
  call.body.type = JL_NONE;
  reply_tx = 0;
  begin_reply(JL_PATCH, frame + 3, JL_EVENT_MAX - 5);
  call_row();
  uint8_t n = end_reply();
  if (reply_status != 200) return;
  /* 0 stands for "never sent". */
  uint16_t crc = jl_crc(reply_at, n) | 1;
  if (crc == b->crc) return;
  b->crc = crc;
  jl_send_event(frame, (uint8_t)(n + 3));
}

void jl_report_due(void) {
  bind *b = binds;
  for (uint8_t alias = 0; alias < JL_BINDS; alias++, b++) {
    if (!b->period) continue;
    if (b->occurred) {
      b->occurred--;
      b->crc = 0;
    } else if (JL_BYTE(&rows[alias].can) & JL_IS_EVENT || (uint16_t)(jl_hal_millis() - b->looked_at) < b->period)
      continue;
    call.alias = alias;
    report(b);
  }
}

/* ---- A dispatch ---- */

static bool bad;

static uint16_t read_uint(void) {
  next();
  if (call.body.type != JL_INT || (uint32_t)call.body.number > 0xFFFF) bad = true;
  return (uint16_t)call.body.number;
}

/* The value as an index or an alias; 255 is neither. */
static uint8_t as_index(void) {
  return call.body.type != JL_INT || (uint32_t)call.body.number > 254 ? JL_ALONE : (uint8_t)call.body.number;
}

/* Which row is ["servo"], ["servo", 3] or an alias? */
static uint8_t read_resource(void) {
  next();
  uint8_t n = (uint8_t)call.body.number, alias = as_index(), index = JL_ALONE;
  if (call.body.type == JL_INT) return alias < row_count ? alias : UNKNOWN;
  if (call.body.type != JL_ARRAY) return UNKNOWN;
  if (!n) return CATALOGUE;
  next();
  const char *text = (const char *)call.body.text;
  uint8_t length = (uint8_t)call.body.number;
  if (call.body.type != JL_TEXT_VALUE || length >= JL_NAME_MAX) return UNKNOWN;
  if (--n) {
    next();
    index = as_index();
    if (--n || index == JL_ALONE) return UNKNOWN;
  }
  const jl_resource *row = rows;
  for (alias = 0; alias < row_count; alias++, row++)
    if (JL_BYTE(&row->index) == index && !jl_compare_flash(text, row->name, length) && !JL_BYTE(row->name + length))
      return alias;
  return UNKNOWN;
}

/* Reads the rest of the dispatch. The status that answers it, or 0: the row shall. */
static uint16_t decide(uint8_t elements) {
  uint8_t method = call.method;
  call.alias = read_resource();
  call.body.type = JL_NONE;
  if (elements == 4) next();
  if (call.alias == UNKNOWN) return 404;
  /* What an array or a map holds is read by its row. */
  if (call.body.type == JL_BAD || (in_left && call.body.type != JL_ARRAY && call.body.type != JL_MAP)) return 400;
  if (call.alias == CATALOGUE) return method == JL_GET ? 0 : 405;
  const jl_resource *row = &rows[call.alias];
  /* GET 1 POST 2 PUT 3 PATCH 4 DELETE 5 BIND 6 are the bits 0 to 5; what can be bound can be released. */
  uint8_t bit = JL_CAN_BIND;
  if (method < JL_BIND) bit = (uint8_t)(1 << (method - 1));
  if (!(JL_BYTE(&row->can) & bit)) return 405;
  if (method == JL_RELEASE) return bind_row(0);
  if (method == JL_BIND) {
    uint16_t period = (uint16_t)call.body.number;
    if (call.body.type != JL_INT || !period) period = DEFAULT_PERIOD_MS;
    return bind_row(period);
  }
  if (bit & (JL_CAN_POST | JL_CAN_PUT | JL_CAN_PATCH)) {
    int16_t min = (int16_t)JL_WORD(&row->min), max = (int16_t)JL_WORD(&row->max);
    if (min != max && (call.body.type != JL_INT || call.body.number < min || call.body.number > max)) return 400;
  }
  return 0;
}

void jl_execute(const uint8_t *payload, uint8_t n) {
  in = payload;
  in_left = n;
  bad = false;
  next();
  uint8_t elements = (uint8_t)call.body.number;
  if (call.body.type != JL_ARRAY) bad = true;
  call.method = (uint8_t)read_uint();
  reply_tx = read_uint();
  if (call.method >= JL_BIND) {
    next();
    elements--;
  }
  if (bad || elements < 3 || elements > 4 || call.method < JL_GET || call.method > JL_RELEASE) {
    jl_acknowledge();
    return;
  }
  /* Nobody waits for the answer to a dispatch without tx, and the kept answer must stay: no room. */
  begin_reply(JL_ANSWER, jl_tx + 2, reply_tx ? JL_MAXF - 4 : 0);
  bool command = (uint8_t)(call.method - JL_POST) < 4;
  uint16_t crc = 0, status;
  if (command) crc = jl_crc(payload, n);
  if (command && reply_tx && reply_tx == last_tx && crc == last_crc) {
    if (last_length) {
      jl_send_answer(last_length);
      return;
    }
    status = last_status;
  } else status = decide(elements);
  if (status) jl_reply(status);
  else if (call.alias == CATALOGUE) put_catalogue(call.body.type == JL_INT ? (uint8_t)call.body.number : 0);
  else call_row();
  n = end_reply();
  if (!reply_tx) {
    jl_acknowledge();
    return;
  }
  last_length = 0;
  if (command) {
    last_tx = reply_tx;
    last_crc = crc;
    last_status = reply_status;
    last_length = n;
  }
  jl_send_answer(n);
}
