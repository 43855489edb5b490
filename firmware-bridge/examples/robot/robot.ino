// A robot: two motors, a servo, a distance sensor, an emergency stop. The motors stop when the button is pressed, when
// somebody says POST ["stop"], and when the host falls silent. Pins and board: board.h.
#include <jstp_link.h>
#include "board.h"

static int8_t motors[2];
static uint8_t angle = 90;
static bool stopped;
static int32_t presses, commands;

static void motors_off(void) {
  motors[0] = motors[1] = 0;
  board_motor(0, 0);
  board_motor(1, 0);
}

// The host is gone: nothing may move on by itself.
static void make_safe(void) { motors_off(); }

// Row 0 is the left motor, row 1 the right one.
static void motor(const jl_call *call) {
  if (call->method == JL_PUT) {
    if (stopped) {
      jl_reply(400);
      jl_put_text("stopped");
      return;
    }
    motors[call->alias] = (int8_t)call->body.number;
    board_motor(call->alias, motors[call->alias]);
    commands++;
  }
  jl_reply(200);
  jl_put_int(motors[call->alias]);
}

static void servo(const jl_call *call) {
  if (call->method == JL_PUT) {
    angle = (uint8_t)call->body.number;
    board_servo(angle);
    commands++;
  }
  jl_reply(200);
  jl_put_int(angle);
}

static void distance(const jl_call *call) {
  (void)call;
  int16_t mm = board_distance();
  jl_reply(200);
  if (mm < 0) jl_put_null();
  else jl_put_int(mm);
}

// POST stops and keeps it so; PUT false lets the motors be used again.
static void stop(const jl_call *call) {
  if (call->method == JL_POST) {
    stopped = true;
    motors_off();
    commands++;
  } else if (call->method == JL_PUT) {
    if (call->body.type != JL_BOOL || (!call->body.number && board_stop_pressed())) {
      jl_reply(400);
      return;
    }
    stopped = call->body.number;
    if (stopped) motors_off();
    commands++;
  }
  jl_reply(200);
  jl_put_bool(stopped);
}

static void button(const jl_call *call) {
  (void)call;
  jl_reply(200);
  jl_put_int(presses);
}

// For whoever wants to know: commands that had an effect since the start, bytes of memory never used.
static void stats(const jl_call *call) {
  (void)call;
  jl_reply(200);
  jl_put_map(2);
  jl_put_text("commands");
  jl_put_int(commands);
  jl_put_text("free");
  jl_put_int(board_never_used());
}

enum { LEFT, RIGHT, SERVO, DISTANCE, STOP, BUTTON, STATS };

static const jl_resource resources[] JL_FLASH = {
  {"motor", 0, JL_CAN_GET | JL_CAN_PUT | JL_CAN_BIND, "%", -100, 100, motor},
  {"motor", 1, JL_CAN_GET | JL_CAN_PUT | JL_CAN_BIND, "%", -100, 100, motor},
  {"servo", JL_ALONE, JL_CAN_GET | JL_CAN_PUT | JL_CAN_BIND, "deg", 0, 180, servo},
  {"distance", JL_ALONE, JL_CAN_GET | JL_CAN_BIND, "mm", 0, 0, distance},
  {"stop", JL_ALONE, JL_CAN_GET | JL_CAN_POST | JL_CAN_PUT | JL_CAN_BIND, "", 0, 0, stop},
  {"button", JL_ALONE, JL_CAN_GET | JL_CAN_BIND | JL_IS_EVENT, "", 0, 0, button},
  {"stats", JL_ALONE, JL_CAN_GET, "", 0, 0, stats},
};

void setup(void) {
  board_begin();
  jl_on_silence(make_safe);
  JL_BEGIN("robot", resources);
}

void loop(void) {
  static bool was_pressed;
  bool pressed = board_stop_pressed();
  if (pressed) {
    stopped = true;
    motors_off();
    if (!was_pressed) {
      presses++;
      jl_happened(BUTTON);
    }
  }
  was_pressed = pressed;
  jl_poll();
}
