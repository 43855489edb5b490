// Padding (spec B5): x | 01 | 00…, so that an on is as long as an off.

export const BUCKET = 64

/** The length of what `length` bytes become. */
export function paddedLength(length: number, bucket = BUCKET): number {
  return Math.ceil((length + 1) / bucket) * bucket
}

export function pad(bytes: Uint8Array, bucket = BUCKET): Uint8Array {
  const padded = new Uint8Array(paddedLength(bytes.length, bucket))
  padded.set(bytes)
  padded[bytes.length] = 1
  return padded
}

/** `undefined`: not padded like that. Takes any bucket that is a multiple of 64. */
export function unpad(padded: Uint8Array): Uint8Array | undefined {
  if (padded.length === 0 || padded.length % BUCKET !== 0) return undefined
  let end = padded.length - 1
  while (end >= 0 && padded[end] === 0) end--
  return end >= 0 && padded[end] === 1 ? padded.subarray(0, end) : undefined
}
