/* What the two halves of the library, delivery and dispatches, say to each other. Not for applications. */
#ifndef JL_INSIDE_H
#define JL_INSIDE_H

#include "jstp_link.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the lowest byte of a number must come first"
#endif

#ifdef __AVR__
#define JL_BYTE(address) pgm_read_byte(address)
#define JL_WORD(address) pgm_read_word(address)
#define jl_compare_flash memcmp_P
#else
#define JL_BYTE(address) ((uint8_t) * (address))
#define JL_WORD(address) (*(address))
#define jl_compare_flash memcmp
#endif

/* jstp_link.c */
extern uint8_t jl_tx[JL_MAXF]; /* the answer: its payload starts at 2 and ends before JL_MAXF - 2 */
uint16_t jl_crc(const uint8_t *bytes, uint8_t n);
void jl_send_answer(uint8_t payload);
void jl_acknowledge(void);
void jl_send_event(uint8_t *frame, uint8_t n); /* the dispatch starts at 3; room for two more bytes after n */

/* jl_dispatch.c */
void jl_use_table(const jl_resource *table, uint8_t count);
void jl_execute(const uint8_t *payload, uint8_t n);
void jl_release_all(void);
void jl_report_due(void);

#endif
