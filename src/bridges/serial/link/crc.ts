// CRC-16/X-25, the check of every frame on the serial link: two bytes, and cheap on an 8-bit microcontroller.

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1
  return crc
})

/** Of a whole frame with its check at the end, before the last inversion. */
const GOOD = 0xf0b8

/** The check of these bytes; it goes on the wire low byte first. */
export function crcOf(bytes: Uint8Array): number {
  return ~run(bytes) & 0xffff
}

/** Whether the last two bytes are the check of those before them. */
export function isWhole(bytes: Uint8Array): boolean {
  return run(bytes) === GOOD
}

function run(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) crc = (crc >> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number)
  return crc
}
