// The robot's board: an Arduino Uno or Nano, or a made-up one in a Linux process.
//
//   left motor   D6 speed (PWM), D7 direction      servo      D9
//   right motor  D5 speed (PWM), D4 direction      distance   HC-SR04, trigger D8, echo D2
//   emergency stop button between D3 and ground
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__AVR_ATmega328P__)
#include <avr/interrupt.h>
#include <avr/io.h>

#define PERIOD 40000U // of Timer 1: 20 ms in steps of half a microsecond
#define MEASURE_MS 60

static volatile uint16_t echo_from, echo_time;
static volatile bool echo_heard;
static uint16_t triggered_at;

// Memory is painted before main, so that what was never used can be told.
#ifndef ARDUINO
extern uint8_t _end;
#define PAINT 0xC5
__attribute__((naked, used, section(".init3"))) void board_paint(void);
__attribute__((naked, used, section(".init3"))) void board_paint(void) {
  for (uint8_t *p = &_end; p < (uint8_t *)RAMEND; p++) *p = PAINT;
}
static int16_t board_never_used(void) {
  int16_t n = 0;
  for (const uint8_t *p = &_end; p < (uint8_t *)RAMEND && *p == PAINT; p++) n++;
  return n;
}
#else
static int16_t board_never_used(void) { return -1; }
#endif

ISR(INT0_vect) {
  uint16_t now = TCNT1;
  if (PIND & _BV(2)) echo_from = now;
  else {
    echo_time = now >= echo_from ? now - echo_from : now + (PERIOD - echo_from);
    echo_heard = true;
  }
}

static void board_servo(uint8_t degrees) { OCR1A = 1088 + degrees * 62U / 3; } // 544 to 2404 µs

// OCR 0 still gives a short pulse: a motor that stands gets none at all.
static void board_motor(uint8_t side, int8_t percent) {
  uint8_t duty = (uint8_t)((percent < 0 ? -percent : percent) * 255 / 100);
  uint8_t direction = side ? _BV(4) : _BV(7), output = side ? _BV(COM0B1) : _BV(COM0A1);
  if (percent < 0) PORTD |= direction;
  else PORTD &= (uint8_t)~direction;
  if (side) OCR0B = duty;
  else OCR0A = duty;
  if (duty) TCCR0A |= output;
  else TCCR0A &= (uint8_t)~output;
}

static void board_begin(void) {
  DDRD |= _BV(4) | _BV(5) | _BV(6) | _BV(7);
  DDRB |= _BV(0) | _BV(1);
  PORTD |= _BV(3);
  TCCR0A = _BV(WGM01) | _BV(WGM00);
  TCCR0B = _BV(CS01) | _BV(CS00);
  ICR1 = PERIOD - 1;
  TCCR1A = _BV(COM1A1) | _BV(WGM11);
  TCCR1B = _BV(WGM13) | _BV(WGM12) | _BV(CS11);
  board_servo(90);
  EICRA = _BV(ISC00);
  EIMSK = _BV(INT0);
}

static bool board_stop_pressed(void) { return !(PIND & _BV(3)); }

// What the last measurement said, in mm, or -1; starts the next one. Sound goes there and back: 0.0858 mm in half a µs.
static int16_t board_distance(void) {
  static int16_t mm = -1;
  uint16_t waited = (uint16_t)(jl_hal_millis() - triggered_at);
  if (waited < MEASURE_MS && triggered_at) return mm;
  cli();
  uint16_t time = echo_time;
  bool heard = echo_heard;
  echo_heard = false;
  sei();
  mm = heard ? (int16_t)((uint32_t)time * 88 / 1024) : -1;
  PORTB |= _BV(0);
  for (uint8_t i = 0; i < 60; i++) __asm__ volatile("nop"); // at least 10 µs with the loop around it
  PORTB &= (uint8_t)~_BV(0);
  triggered_at = jl_hal_millis() | 1;
  return mm;
}

#elif !defined(ARDUINO)
// A wall one metre ahead, and 0.5 mm a ms at full speed.
static int8_t powers[2];
static int32_t micrometres = 1000000;
static uint16_t moved_at;

static void board_begin(void) { moved_at = jl_hal_millis(); }
static void board_servo(uint8_t degrees) { (void)degrees; }

static int16_t board_distance(void) {
  uint16_t now = jl_hal_millis();
  micrometres -= (int32_t)(uint16_t)(now - moved_at) * (powers[0] + powers[1]) * 5 / 2;
  moved_at = now;
  if (micrometres < 0) micrometres = 0;
  if (micrometres > 4000000) micrometres = 4000000;
  return (int16_t)(micrometres / 1000);
}

static void board_motor(uint8_t side, int8_t percent) {
  board_distance();
  powers[side] = percent;
}

static bool board_stop_pressed(void) { return false; }
static int16_t board_never_used(void) { return -1; }
#else
#error "this example is for the ATmega328P; change board.h for another board"
#endif
#endif
