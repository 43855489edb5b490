// A sensor: the temperature of a TMP36 on A0 and a button on D2, of an Arduino Uno or Nano. Runs as a Linux process too,
// where both are made up.
#include <jstp_link.h>

#if defined(__AVR__)
#include <avr/io.h>

static void board_begin(void) {
  ADMUX = _BV(REFS0);
  ADCSRA = _BV(ADEN) | 7;
  PORTD |= _BV(2); // pull-up
}

static uint16_t board_analog(void) {
  ADCSRA |= _BV(ADSC);
  while (ADCSRA & _BV(ADSC)) {
  }
  return ADC;
}

static bool board_pressed(void) { return !(PIND & _BV(2)); }
#else
static void board_begin(void) {}
static uint16_t board_analog(void) { return (uint16_t)(150 + jl_hal_millis() / 4096); }
static bool board_pressed(void) { return jl_hal_millis() % 4000 < 100; }
#endif

static int32_t presses;

// 10 mV a degree, 500 mV at 0 °C, 5000 mV over 1024 steps.
static void temperature(const jl_call *call) {
  (void)call;
  jl_reply(200);
  jl_put_float((float)(board_analog() * (5000 / 10.24f) / 1000 - 50));
}

static void button(const jl_call *call) {
  (void)call;
  jl_reply(200);
  jl_put_int(presses);
}

enum { TEMPERATURE, BUTTON };

static const jl_resource resources[] JL_FLASH = {
  {"temperature", JL_ALONE, JL_CAN_GET | JL_CAN_BIND, "C", 0, 0, temperature},
  {"button", JL_ALONE, JL_CAN_GET | JL_CAN_BIND | JL_IS_EVENT, "", 0, 0, button},
};

void setup(void) {
  board_begin();
  JL_BEGIN("sensor", resources);
}

void loop(void) {
  static bool was_pressed;
  static uint16_t seen_at;
  bool pressed = board_pressed();
  // A button chatters for some ms: the next change counts 20 ms later at the earliest.
  if (pressed != was_pressed && (uint16_t)(jl_hal_millis() - seen_at) > 20) {
    was_pressed = pressed;
    seen_at = jl_hal_millis();
    if (pressed) {
      presses++;
      jl_happened(BUTTON);
    }
  }
  jl_poll();
}
