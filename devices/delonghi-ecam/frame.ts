// The frames of De'Longhi's ECAM machines: start byte, length, payload, CRC.
//
//   host → machine   0D LEN payload… CRCHI CRCLO        LEN = payload length + 3
//   machine → host   D0 LEN payload… CRCHI CRCLO        payload[0] = request id, payload[1] = F0 or 0F

const FROM_HOST = 0x0d
const FROM_MACHINE = 0xd0
/** Start byte, length and CRC. */
const OVERHEAD = 4
/** The least that LEN can be: one byte of payload. */
const SHORTEST = 4

/** CRC-16 with the polynomial 0x1021 and the initial value 0x1D0F, not reflected, no final XOR. */
export function crc(bytes: Uint8Array): number {
  let sum = 0x1d0f
  for (const byte of bytes) {
    sum ^= byte << 8
    for (let bit = 0; bit < 8; bit++) sum = (sum & 0x8000 ? (sum << 1) ^ 0x1021 : sum << 1) & 0xffff
  }
  return sum
}

/** A frame to the machine. */
export function toMachine(payload: ArrayLike<number>): Uint8Array {
  return frame(FROM_HOST, payload)
}

/** A frame from the machine, as the simulator says it. */
export function toHost(payload: ArrayLike<number>): Uint8Array {
  return frame(FROM_MACHINE, payload)
}

/** The payload of a whole frame to the machine; undefined when it isn't one. */
export function fromHost(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== FROM_HOST || bytes.length < SHORTEST + 1 || bytes[1] !== bytes.length - 1) return undefined
  return sound(bytes) ? payloadOf(bytes) : undefined
}

/**
 * Puts the pieces of notifications together. Skips to a start byte with a possible length, waits for the rest; after
 * a wrong CRC it goes on one byte later; what follows a whole frame is dropped, as the machine says one thing at a time.
 */
export class Assembler {
  /** Frames with a wrong CRC so far. */
  broken = 0
  /** Never more than the longest frame (256 bytes) and one piece. */
  #buffer: Uint8Array = new Uint8Array()

  /** Bytes that wait for the rest of their frame. */
  get waiting(): number {
    return this.#buffer.length
  }

  /** The payload that this piece has completed, if it has. */
  push(piece: Uint8Array): Uint8Array | undefined {
    let bytes = new Uint8Array(this.#buffer.length + piece.length)
    bytes.set(this.#buffer)
    bytes.set(piece, this.#buffer.length)
    for (;;) {
      const start = bytes.findIndex(
        (byte, at) => byte === FROM_MACHINE && (bytes[at + 1] ?? SHORTEST) >= SHORTEST,
      )
      bytes = start < 0 ? new Uint8Array() : bytes.slice(start)
      const length = (bytes[1] ?? Infinity) + 1
      if (bytes.length < length) {
        this.#buffer = bytes
        return undefined
      }
      const whole = bytes.subarray(0, length)
      if (sound(whole)) {
        this.#buffer = new Uint8Array()
        return payloadOf(whole)
      }
      this.broken++
      bytes = bytes.slice(1)
    }
  }

  /** Forgets half a frame: its rest will not come. */
  reset(): void {
    this.#buffer = new Uint8Array()
  }
}

function frame(start: number, payload: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(payload.length + OVERHEAD)
  bytes.set([start, payload.length + 3])
  bytes.set(payload, 2)
  const sum = crc(bytes.subarray(0, -2))
  bytes.set([sum >> 8, sum & 0xff], payload.length + 2)
  return bytes
}

function sound(bytes: Uint8Array): boolean {
  const sum = crc(bytes.subarray(0, -2))
  return bytes.at(-2) === sum >> 8 && bytes.at(-1) === (sum & 0xff)
}

function payloadOf(bytes: Uint8Array): Uint8Array {
  return bytes.slice(2, -2)
}
