// "My servo is a resource": a hobby servo on pin 9 of any Arduino board, by the Arduino Servo library.
#include <Servo.h>
#include <jstp_link.h>

Servo arm;

static void servo(const jl_call *call) {
  if (call->method == JL_PUT) arm.write(call->body.number);
  jl_reply(200);
  jl_put_int(arm.read());
}

// name, number or JL_ALONE, what may be done, unit, least, most, function
const jl_resource resources[] JL_FLASH = {
  {"servo", JL_ALONE, JL_CAN_GET | JL_CAN_PUT | JL_CAN_BIND, "deg", 0, 180, servo},
};

void setup() {
  arm.attach(9);
  JL_BEGIN("my servo", resources);
}

void loop() {
  jl_poll();
}
