// COBS: bytes without a zero, so that a zero can part frames. One byte more for up to 254, however bad they are.

/** The bytes without zeros, and without the zeros around them on the wire. */
export function cobsEncode(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + Math.floor(bytes.length / 254) + 1)
  let block = 0
  let end = 1
  const close = () => {
    out[block] = end - block
    block = end++
  }
  for (const [at, byte] of bytes.entries()) {
    if (byte === 0) close()
    else {
      out[end++] = byte
      // A full block stands for no zero after it.
      if (end - block === 0xff && at < bytes.length - 1) close()
    }
  }
  out[block] = end - block
  return out.subarray(0, end)
}

/** What they stand for; `undefined`: no encoder writes that. */
export function cobsDecode(bytes: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(bytes.length)
  let end = 0
  for (let at = 0; at < bytes.length; ) {
    const block = bytes[at] as number
    const next = at + block
    if (block === 0 || next > bytes.length) return undefined
    for (at++; at < next; at++) {
      const byte = bytes[at] as number
      if (byte === 0) return undefined
      out[end++] = byte
    }
    if (block < 0xff && at < bytes.length) out[end++] = 0
  }
  return out.subarray(0, end)
}
