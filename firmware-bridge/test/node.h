/* Both halves of the library in one file, so that inner functions can be reached; a cable and a clock that are ours; and the
   node that the dialogues of vectors.json are held with. */
#include "../src/jl_dispatch.c"
#include "../src/jstp_link.c"
#include <stdio.h>
#include <stdlib.h>

static uint8_t cable[4096], sent[16384];
static size_t cable_at, cable_n, sent_n;
static uint16_t time_ms;
static int speed_now;

int16_t jl_hal_read(void) { return cable_at < cable_n ? cable[cable_at++] : -1; }
void jl_hal_write(uint8_t byte) {
  if (sent_n == sizeof sent) abort();
  sent[sent_n++] = byte;
}
uint16_t jl_hal_millis(void) { return time_ms; }
uint16_t jl_hal_boot(uint8_t *cause) {
  *cause = 1;
  return 0x0102;
}
void jl_hal_speed(uint8_t number) { speed_now = number; }

/* ---- The node of vectors.json ---- */

static bool led;
static int32_t servo = 90, adc = 512, count, presses;
static int effects, safe_calls;
static float number = 21.5f;
static char text[40] = "hola";

static void answer_led(const jl_call *c) {
  if (c->method == JL_PUT) {
    if (c->body.type != JL_BOOL) {
      jl_reply(400);
      return;
    }
    led = c->body.number;
    effects++;
  }
  jl_reply(200);
  jl_put_bool(led);
}
static void answer_servo(const jl_call *c) {
  if (c->method == JL_PUT) {
    servo = c->body.number;
    effects++;
  }
  jl_reply(200);
  jl_put_int(servo);
}
static void answer_adc(const jl_call *c) {
  (void)c;
  jl_reply(200);
  jl_put_int(adc);
}
static void answer_count(const jl_call *c) {
  if (c->method != JL_GET) {
    count++;
    effects++;
  }
  if (c->method == JL_PATCH) jl_busy();
  jl_reply(200);
  jl_put_int(count);
}
static void answer_button(const jl_call *c) {
  (void)c;
  jl_reply(200);
  jl_put_int(presses);
}
static void answer_sum(const jl_call *c) {
  int32_t sum = 0;
  for (int32_t i = 0; c->body.type == JL_ARRAY && i < c->body.number; i++) {
    jl_item item;
    jl_next(&item);
    if (item.type != JL_INT) {
      jl_reply(400);
      return;
    }
    sum += (int16_t)item.number;
  }
  jl_reply(200);
  jl_put_map(2);
  jl_put_text("n");
  jl_put_int(c->body.number);
  jl_put_text("sum");
  jl_put_int(sum);
}
static void answer_text(const jl_call *c) {
  if (c->method == JL_PUT) {
    if (c->body.type != JL_TEXT_VALUE || c->body.number > 39) {
      jl_reply(400);
      return;
    }
    memcpy(text, c->body.text, (size_t)c->body.number);
    text[c->body.number] = 0;
    effects++;
  }
  jl_reply(200);
  jl_put_text(text);
}
static void answer_long(const jl_call *c) {
  (void)c;
  jl_reply(200);
  jl_put_array(9);
  for (int i = 0; i < 9; i++) jl_put_text("a text of thirty bytes, nine times");
}
static void answer_nothing(const jl_call *c) { (void)c; }
static void answer_float(const jl_call *c) {
  if (c->method == JL_PUT) {
    number = jl_float(&c->body);
    effects++;
  }
  jl_reply(200);
  jl_put_float(number);
}

static const jl_resource node_rows[] JL_FLASH = {
    {"led", JL_ALONE, JL_CAN_GET | JL_CAN_PUT, "", 0, 0, answer_led},
    {"servo", 3, JL_CAN_GET | JL_CAN_PUT, "deg", 0, 180, answer_servo},
    {"adc", 0, JL_CAN_GET | JL_CAN_BIND, "mV", 0, 0, answer_adc},
    {"count", JL_ALONE, JL_CAN_GET | JL_CAN_POST | JL_CAN_PATCH, "", 0, 0, answer_count},
    {"button", JL_ALONE, JL_CAN_GET | JL_CAN_BIND | JL_IS_EVENT, "", 0, 0, answer_button},
    {"sum", JL_ALONE, JL_CAN_POST, "", 0, 0, answer_sum},
    {"text", JL_ALONE, JL_CAN_GET | JL_CAN_PUT, "", 0, 0, answer_text},
    {"long", JL_ALONE, JL_CAN_GET, "", 0, 0, answer_long},
    {"nothing", JL_ALONE, JL_CAN_GET, "", 0, 0, answer_nothing},
    {"float", 254, JL_CAN_GET | JL_CAN_PUT, "°C", 0, 0, answer_float},
    {"tilt", JL_ALONE, JL_CAN_GET, "deg", -90, 90, answer_servo},
};

static void make_all_safe(void) { safe_calls++; }
