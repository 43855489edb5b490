// mqtt.js gathers a packet of any announced size before anybody sees it. Here the announcement is read first.

import type { Duplex } from 'node:stream'

const CONTINUES = 0x80

/** Ends a stream on which a packet of more than `most` bytes begins. To be called before anybody else reads it. */
export function boundPackets(stream: Duplex, most: number): void {
  /** Bytes still to come of the packet. */
  let left = 0
  /** Bytes of its head so far: one for the type, up to four for the length. */
  let head = 0
  let length = 0
  stream.on('data', (chunk: Uint8Array) => {
    let at = 0
    while (at < chunk.length) {
      if (left > 0) {
        const step = Math.min(left, chunk.length - at)
        left -= step
        at += step
        continue
      }
      const byte = chunk[at++] as number
      if (head > 0) length += (byte & 0x7f) * 128 ** (head - 1)
      const isRead = head > 0 && (byte < CONTINUES || head === 4)
      head = isRead ? 0 : head + 1
      if (!isRead) continue
      if (length > most) {
        stream.destroy(new Error(`the broker sends a packet of ${length} bytes; ${most} are allowed`))
        return
      }
      left = length
      length = 0
    }
  })
}
