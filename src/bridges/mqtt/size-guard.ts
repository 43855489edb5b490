// mqtt.js gathers a packet of any announced size before anybody sees it. Here the announcement is read first.

import type { Duplex } from 'node:stream'

/** Ends a stream on which a packet of more than `most` bytes begins. To be called before anybody reads it. */
export function limitPackets(stream: Duplex, most: () => number): void {
  /** Bytes of the packet still to come. */
  let left = 0
  /** Bytes of the head read so far: its type, then up to four of its length. */
  let head = 0
  let length = 0
  stream.on('data', (chunk: Uint8Array) => {
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        const step = Math.min(left, chunk.length - at)
        left -= step
        at += step
        continue
      }
      const byte = chunk[at++] as number
      if (head > 0) length += (byte & 0x7f) * 128 ** (head - 1)
      const isLast = head > 0 && (byte < 0x80 || head === 4)
      head = isLast ? 0 : head + 1
      if (!isLast) continue
      if (length > most()) {
        stream.destroy(new Error(`the other side began a packet of ${length} bytes; ${most()} are allowed`))
        return
      }
      left = length
      length = 0
    }
  })
}
