// The board: anything with an Arduino core that is no AVR with USART0 (ESP32, RP2040, SAMD, STM32, Leonardo …). Uses `Serial`.
#if defined(ARDUINO) && !(defined(__AVR__) && defined(UBRR0H))
#include <Arduino.h>
#if !(defined(__AVR__) && defined(UDR0))
#include "jstp_link.h"

static const uint32_t speeds[] = {115200, 500000, 250000, 1000000, 57600, 38400, 9600};

int16_t jl_hal_read(void) { return (int16_t)Serial.read(); }

void jl_hal_write(uint8_t byte) { Serial.write(byte); }

uint16_t jl_hal_millis(void) { return (uint16_t)millis(); }

void jl_hal_speed(uint8_t number) {
  Serial.flush();
  Serial.begin(speeds[number]);
}

// No memory that outlives a start: the time until here and noise on a pin make two starts differ.
uint16_t jl_hal_boot(uint8_t *cause) {
  *cause = 0;
  Serial.begin(speeds[0]);
  uint16_t boot = (uint16_t)micros();
  for (uint8_t i = 0; i < 16; i++) boot = (uint16_t)(boot << 1 | boot >> 15) ^ (uint16_t)analogRead(A0);
  return boot;
}
#endif
#endif
