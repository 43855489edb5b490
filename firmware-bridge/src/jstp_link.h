/* A microcontroller as a JSTP node over a serial cable: declare resources in a table, call jl_poll() in the loop.
   The rules on the wire are in LINK.md; the five functions a new board needs are at the end of this file. */
#ifndef JSTP_LINK_H
#define JSTP_LINK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __AVR__
#include <avr/pgmspace.h>
#define JL_FLASH PROGMEM
#define JL_TEXT(s) PSTR(s)
#else
#define JL_FLASH
#define JL_TEXT(s) (s)
#endif

/* Sizes. Small on an AVR, where they are counted in the 600 bytes the link may take; generous elsewhere. */
#ifdef __AVR__
#ifndef JL_MAXF
#define JL_MAXF 96 /* bytes of a decoded frame, 32 to 254 */
#endif
#ifndef JL_WINDOW
#define JL_WINDOW 1 /* DATA the host may have unacknowledged, 1 to 3 */
#endif
#ifndef JL_BINDS
#define JL_BINDS 10 /* the first rows of the table, which can be bound */
#endif
#endif
#ifndef JL_MAXF
#define JL_MAXF 254
#endif
#ifndef JL_WINDOW
#define JL_WINDOW 3
#endif
#ifndef JL_BINDS
#define JL_BINDS 32
#endif
#ifndef JL_EVENT_MAX
#define JL_EVENT_MAX 48 /* bytes of an EVENT frame, kept on the stack while it is written */
#endif
#ifndef JL_SILENCE_MS
#define JL_SILENCE_MS 5000 /* without a valid frame for so long, the safe-state function runs; at most 30000 */
#endif
#ifndef JL_NAME_MAX
#define JL_NAME_MAX 16 /* with the closing zero */
#endif
#ifndef JL_UNIT_MAX
#define JL_UNIT_MAX 8 /* with the closing zero */
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What may be done with a resource: the third column of the table. */
enum {
  JL_CAN_GET = 1,
  JL_CAN_POST = 2,
  JL_CAN_PUT = 4,
  JL_CAN_PATCH = 8,
  JL_CAN_DELETE = 16,
  JL_CAN_BIND = 32, /* looked at every period, reported when its value has changed */
  JL_IS_EVENT = 64  /* with JL_CAN_BIND: reported at every jl_happened(), not by its value */
};

/* Methods of a call. */
enum { JL_GET = 1, JL_POST, JL_PUT, JL_PATCH, JL_DELETE, JL_BIND, JL_RELEASE, JL_ANSWER };

/* Types of a value. */
enum { JL_NONE, JL_INT, JL_BOOL, JL_FLOAT, JL_NULL, JL_BAD, JL_TEXT_VALUE = 0x60, JL_ARRAY = 0x80, JL_MAP = 0xA0 };

/* One value of a body. Text is not closed by a zero: its length is `number`. */
typedef struct {
  uint8_t type;
  int32_t number;      /* the whole number, true or false, the length of a text, the size of an array or a map */
  const uint8_t *text; /* the first byte of a text */
} jl_item;

typedef struct {
  uint8_t method; /* JL_GET … JL_DELETE */
  uint8_t alias;  /* the row of the table, so that one function can serve several */
  jl_item body;   /* its first value; the items of an array or a map follow by jl_next() */
} jl_call;

typedef void jl_answer(const jl_call *call);

#define JL_ALONE 255

/* One resource. Rows stay where they are in the table: the row is the alias. */
typedef struct {
  char name[JL_NAME_MAX]; /* "servo", 3 is the resource ["servo", 3]; "led", JL_ALONE is ["led"] */
  uint8_t index;          /* 0 to 254, or JL_ALONE */
  uint8_t can;            /* JL_CAN_… added up */
  char unit[JL_UNIT_MAX]; /* "deg", "cm", or "" */
  int16_t min, max;       /* limits of a body, a whole number then, checked before the function is called; 0, 0: none */
  jl_answer *answer;
} jl_resource;

/* Starts the link. `name` (up to 16 bytes) and the table lie in flash: use JL_BEGIN. */
void jl_begin(const char *name, const jl_resource *table, uint8_t count);
#define JL_BEGIN(name, table) jl_begin(JL_TEXT(name), table, sizeof(table) / sizeof((table)[0]))

/* Does what is due; call it in the main loop, at least every few ms. Never from a resource's function or an interrupt. */
void jl_poll(void);

/* True while a host has a session with us. */
bool jl_online(void);

/* Which function makes the machine safe (motors off): called once when the host has been silent for JL_SILENCE_MS. */
void jl_on_silence(void (*make_safe)(void));

/* A resource with JL_IS_EVENT has something to tell. Reported by the next jl_poll(), with what its GET answers. */
void jl_happened(uint8_t alias);

/* Says to the host that an answer takes its time. For a function that needs more than some 100 ms. */
void jl_busy(void);

/* Sends a line to the host's log. level: 0 debug, 1 info, 2 warning, 3 error. `text` lies in RAM. */
void jl_log(uint8_t level, const char *text);

/* Within a resource's function: the status first, then one value. No value: null. */
void jl_reply(uint16_t status);
void jl_put_int(int32_t value);
void jl_put_bool(bool value);
void jl_put_float(float value);
void jl_put_text(const char *text);
void jl_put_null(void);
void jl_put_array(uint8_t count); /* then its items */
void jl_put_map(uint8_t count);   /* then key, value, key, value… */

/* Within a resource's function: the next value of an array or a map in the body. */
void jl_next(jl_item *item);

/* A number of a body, whole or not. */
float jl_float(const jl_item *item);

/* ---- What a board has to offer; see hal_avr.c, hal_arduino.cpp, hal_posix.c ---- */

/* The next byte received, or -1. Its buffer holds JL_WINDOW × (JL_MAXF + 3) + 6 bytes. */
int16_t jl_hal_read(void);
/* Sends a byte; may wait until there is room for it. */
void jl_hal_write(uint8_t byte);
/* Milliseconds, running over at 65536. */
uint16_t jl_hal_millis(void);
/* Opens the port at 115200. Returns a number that differs from that of the last start; fills in why we started (any value). */
uint16_t jl_hal_boot(uint8_t *cause);
/* Sends what is left, then switches to a speed of LINK.md's list: 115200 (0), 500000, 250000, 1000000, 57600, 38400, 9600 (6). */
void jl_hal_speed(uint8_t number);

#ifdef __cplusplus
}
#endif
#endif
