/* The board: an AVR with USART0 at 16 MHz (Arduino Uno, Nano, Pro Mini). Owns the USART: no `Serial` besides it.
   Without the Arduino core it also owns Timer 2 and calls setup() and loop(). */
#if defined(__AVR__) && defined(UDR0)
#define JL_HAL_AVR
#elif defined(__AVR__)
#include <avr/io.h>
#ifdef UDR0
#define JL_HAL_AVR
#endif
#endif

#ifdef JL_HAL_AVR
#include "jstp_link.h"
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#ifndef F_CPU
#define F_CPU 16000000UL
#endif
#if F_CPU != 16000000UL
#error "the dividers are for 16 MHz"
#endif
#ifndef JL_BOOT_AT
#define JL_BOOT_AT E2END /* the last byte of the EEPROM */
#endif
#define IN_SIZE 128 /* a power of two; JL_WINDOW × (JL_MAXF + 3) + 6 must fit */
#define OUT_SIZE 64

#if JL_WINDOW * (JL_MAXF + 3) + 6 >= IN_SIZE
#error "the input ring is too small for JL_WINDOW frames of JL_MAXF bytes"
#endif
#ifndef USART_RX_vect
#define USART_RX_vect USART0_RX_vect
#define USART_UDRE_vect USART0_UDRE_vect
#endif

static volatile uint8_t in_ring[IN_SIZE], in_head, out_ring[OUT_SIZE], out_tail;
static volatile uint8_t in_tail, out_head;

/* A host that keeps to the window can't fill the ring. One that doesn't garbles its own frames: the check finds out. */
ISR(USART_RX_vect) {
  uint8_t head = in_head;
  in_ring[head] = UDR0;
  in_head = (head + 1) & (IN_SIZE - 1);
}

/* The last byte and the switch-off in one call: the interrupt must never return without having written. */
ISR(USART_UDRE_vect) {
  uint8_t tail = out_tail;
  UDR0 = out_ring[tail];
  tail = (tail + 1) & (OUT_SIZE - 1);
  out_tail = tail;
  if (tail == out_head) UCSR0B &= (uint8_t)~_BV(UDRIE0);
}

int16_t jl_hal_read(void) {
  uint8_t tail = in_tail;
  if (tail == in_head) return -1;
  uint8_t byte = in_ring[tail];
  in_tail = (tail + 1) & (IN_SIZE - 1);
  return byte;
}

void jl_hal_write(uint8_t byte) {
  uint8_t head = out_head, next = (head + 1) & (OUT_SIZE - 1);
  while (next == out_tail) {
  }
  out_ring[head] = byte;
  out_head = next;
  UCSR0B |= _BV(UDRIE0);
}

/* UBRR in double-speed mode, within 2.2 % of the speeds of LINK.md. */
static const uint8_t dividers[] PROGMEM = {16, 3, 7, 1, 34, 51, 207};

/* After the ring is empty two bytes may still be in the port: 2.1 ms at 9600. */
void jl_hal_speed(uint8_t number) {
  while (out_head != out_tail) {
  }
  uint8_t from = (uint8_t)jl_hal_millis();
  while ((uint8_t)((uint8_t)jl_hal_millis() - from) < 4) {
  }
  UBRR0L = pgm_read_byte(&dividers[number]);
}

static void open_port(void) {
  UBRR0 = 16;
  UCSR0A = _BV(U2X0);
  UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
  UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
}

#ifdef ARDUINO
#include <Arduino.h>
uint16_t jl_hal_millis(void) { return (uint16_t)millis(); }
#else
static volatile uint16_t ticks;

ISR(TIMER2_COMPA_vect) { ticks++; }

uint16_t jl_hal_millis(void) {
  uint8_t flags = SREG;
  cli();
  uint16_t now = ticks;
  SREG = flags;
  return now;
}

static void start_ticks(void) {
  OCR2A = F_CPU / 64 / 1000 - 1;
  TCCR2A = _BV(WGM21);
  TCCR2B = _BV(CS22);
  TIMSK2 = _BV(OCIE2A);
}

void setup(void);
void loop(void);

/* Sleeps until the next interrupt, at the latest a millisecond away. */
__attribute__((weak)) int main(void) {
  setup();
  for (;;) {
    loop();
    if (in_head == in_tail) sleep_mode();
  }
}
#endif

/* One byte is enough to tell a start from the last one. avr-libc's EEPROM functions would take twice the flash. */
static uint8_t count_start(void) {
  EEAR = JL_BOOT_AT;
  EECR |= _BV(EERE);
  EEDR = EEDR + 1;
  EECR |= _BV(EEMPE);
  EECR |= _BV(EEPE);
  return EEDR;
}

uint16_t jl_hal_boot(uint8_t *cause) {
  cli();
  uint8_t boot = count_start();
  *cause = MCUSR;
  MCUSR = 0;
#ifndef ARDUINO
  start_ticks();
#endif
  open_port();
  sei();
  return boot;
}
#endif
