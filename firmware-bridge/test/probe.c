/* The C core on a bench: takes commands on standard input, a line each, and answers each with a line. Time and cable are
   ours (node.h).

     in HEX       bytes from the cable            out: what the node sends
     wait N       N ms pass, a look each ms       out: what the node sends
     frame HEX    out: the bytes of that frame on the wire
     decode HEX   out: the frame those bytes hold, or "damaged"
     crc HEX      out: the check
     cbor HEX     out: the same value, read and written again, or "bad"
     press, adc N, float N, log TEXT, busy, effects, safe, speed, online */
#include "node.h"

/* ---- Commands ---- */

static size_t read_hex(const char *hex, uint8_t *to, size_t room) {
  size_t n = 0;
  unsigned byte;
  for (; n < room && sscanf(hex, "%2x", &byte) == 1; hex += 2) to[n++] = (uint8_t)byte;
  return n;
}

static void print_hex(const uint8_t *bytes, size_t n) {
  while (n--) printf("%02x", *bytes++);
  printf("\n");
}

static void print_sent(void) {
  print_hex(sent, sent_n);
  sent_n = 0;
}

static void decode(const uint8_t *bytes, size_t n) {
  rx_start();
  for (size_t i = 0; i < n; i++) {
    if (bytes[i] || !rx_code) {
      rx_byte(bytes[i]);
      continue;
    }
    if (!rx_left && rx_n >= 4 && rx_crc == 0xF0B8) print_hex(rx, (size_t)rx_n - 2);
    else printf("damaged\n");
    rx_start();
    return;
  }
  printf("damaged\n");
}

static bool copy_value(void) {
  uint32_t owed = 1;
  while (owed--) {
    next();
    if (call.body.type == JL_INT) jl_put_int(call.body.number);
    else if (call.body.type == JL_BOOL) jl_put_bool(call.body.number);
    else if (call.body.type == JL_FLOAT) jl_put_float(jl_float(&call.body));
    else if (call.body.type == JL_NULL) jl_put_null();
    else if (call.body.type == JL_TEXT_VALUE) {
      char copy[256];
      memcpy(copy, call.body.text, (size_t)call.body.number);
      copy[call.body.number] = 0;
      jl_put_text(copy);
    } else if (call.body.type == JL_ARRAY) {
      jl_put_array((uint8_t)call.body.number);
      owed += (uint32_t)call.body.number;
    } else if (call.body.type == JL_MAP) {
      jl_put_map((uint8_t)call.body.number);
      owed += 2 * (uint32_t)call.body.number;
    } else return false;
  }
  return in_left == 0;
}

int main(void) {
  static char line[16384];
  static uint8_t bytes[8192], value[300];
  jl_on_silence(make_all_safe);
  JL_BEGIN("avr1", node_rows);
  while (fgets(line, sizeof line, stdin)) {
    char *rest = strchr(line, ' ');
    const char *argument = rest ? rest + 1 : "";
    line[strcspn(line, "\n")] = 0;
    if (rest) *rest = 0;
    size_t n = read_hex(argument, bytes, sizeof bytes);
    if (!strcmp(line, "in")) {
      memcpy(cable, bytes, n);
      cable_at = 0;
      cable_n = n;
      do jl_poll();
      while (cable_at < cable_n);
      jl_poll();
      jl_poll();
      print_sent();
    } else if (!strcmp(line, "wait")) {
      for (int ms = atoi(argument); ms > 0; ms--) {
        time_ms++;
        jl_poll();
      }
      print_sent();
    } else if (!strcmp(line, "frame")) {
      emit(bytes, (uint8_t)n);
      print_sent();
    } else if (!strcmp(line, "decode")) decode(bytes, n);
    else if (!strcmp(line, "crc")) printf("%04x\n", jl_crc(bytes, (uint8_t)n));
    else if (!strcmp(line, "cbor")) {
      uint8_t exact[256];
      memcpy(exact, bytes, n);
      in = exact;
      in_left = (uint8_t)n;
      out = value;
      out_left = 255;
      if (copy_value()) print_hex(value, (size_t)(out - value));
      else printf("bad\n");
    } else if (!strcmp(line, "press")) {
      presses++;
      jl_happened(4);
      jl_poll();
      print_sent();
    } else if (!strcmp(line, "adc")) {
      adc = atoi(argument);
      printf("\n");
    } else if (!strcmp(line, "log")) {
      jl_log(2, argument);
      print_sent();
    } else if (!strcmp(line, "effects")) printf("%d\n", effects);
    else if (!strcmp(line, "safe")) printf("%d\n", safe_calls);
    else if (!strcmp(line, "speed")) printf("%d\n", speed_now);
    else if (!strcmp(line, "online")) printf("%d\n", jl_online());
    else return 2;
    fflush(stdout);
  }
  return 0;
}
