// H4, the framing of HCI over a byte stream: a type byte, a header with a length, the rest. It has no sync mark, so a
// few stray bytes are stepped over, and after more of them only the answer to an HCI Reset is believed.

export const COMMAND = 0x01
export const ACL = 0x02
const SCO = 0x03
export const EVENT = 0x04

export const COMMAND_COMPLETE = 0x0e
export const COMMAND_STATUS = 0x0f

/** HCI Reset: opcode 0x0c03, no parameters. */
export const RESET = Uint8Array.of(COMMAND, 0x03, 0x0c, 0x00)

const MAX_PACKET = 4096
const MAX_STRAY = 16

/** Cuts a stream of bytes from a controller into HCI packets. Holds at most one packet (4 KiB) between pushes. */
export class H4Splitter {
  #rest: Buffer = Buffer.alloc(0)
  #stray = 0
  #state: 'framed' | 'lost' | 'hunting' = 'framed'

  /** Bytes that belonged to no packet, since the beginning. */
  garbage = 0

  /** Framing is lost: nothing comes out until `hunt` and the answer to a reset. */
  get lost(): boolean {
    return this.#state === 'lost'
  }

  /** From here on only the answer to HCI Reset is believed, and what follows it. */
  hunt(): void {
    this.#state = 'hunting'
    this.#rest = Buffer.alloc(0)
  }

  /** The packets that are whole now, type byte included. Each is a copy. */
  push(chunk: Uint8Array): Buffer[] {
    const bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : Buffer.from(chunk)
    const packets: Buffer[] = []
    let at = this.#state === 'hunting' ? this.#findReset(bytes) : 0
    while (this.#state === 'framed' && at < bytes.length) {
      const length = packetLength(bytes, at)
      if (length === 'short') break
      if (length === 'bad') {
        at++
        this.garbage++
        if (++this.#stray > MAX_STRAY) this.#state = 'lost'
        continue
      }
      if (at + length > bytes.length) break
      this.#stray = 0
      if (bytes[at] !== SCO) packets.push(Buffer.from(bytes.subarray(at, at + length)))
      at += length
    }
    if (this.#state === 'lost') {
      this.garbage += bytes.length - at
      at = bytes.length
    }
    this.#rest = Buffer.from(bytes.subarray(at))
    return packets
  }

  #findReset(bytes: Buffer): number {
    for (let at = 0; at + 7 <= bytes.length; at++) {
      const found = bytes[at] === EVENT && bytes[at + 1] === COMMAND_COMPLETE && bytes[at + 2] === 4
      if (!found || bytes.readUInt16LE(at + 4) !== 0x0c03) continue
      this.#state = 'framed'
      this.#stray = 0
      return at
    }
    return Math.max(0, bytes.length - 6)
  }
}

function packetLength(bytes: Buffer, at: number): number | 'short' | 'bad' {
  const left = bytes.length - at
  switch (bytes[at]) {
    case EVENT: {
      const code = bytes[at + 1]
      if (code !== undefined && !(code >= 0x01 && code <= 0x3e) && code !== 0x57 && code !== 0xff)
        return 'bad'
      return left < 3 ? 'short' : 3 + (bytes[at + 2] ?? 0)
    }
    case ACL: {
      if (left < 5) return 'short'
      const length = 5 + bytes.readUInt16LE(at + 3)
      return length > MAX_PACKET ? 'bad' : length
    }
    case SCO:
      return left < 4 ? 'short' : 4 + (bytes[at + 3] ?? 0)
    default:
      return 'bad'
  }
}
