// base64url without padding (spec B5): one text for each byte string, and only that is read.

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const VALUES = new Map([...LETTERS].map((letter, value) => [letter.charCodeAt(0), value]))

/** For pages; Node has something faster (provider-node). */
export function toText(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const word =
      ((bytes[i] as number) << 16) |
      ((left > 1 ? (bytes[i + 1] as number) : 0) << 8) |
      (left > 2 ? (bytes[i + 2] as number) : 0)
    text += LETTERS.charAt(word >> 18) + LETTERS.charAt((word >> 12) & 63)
    if (left > 1) text += LETTERS.charAt((word >> 6) & 63)
    if (left > 2) text += LETTERS.charAt(word & 63)
  }
  return text
}

/** `undefined`: not the text that `toText` writes for any bytes. */
export function fromText(text: string): Uint8Array | undefined {
  const rest = text.length % 4
  if (rest === 1) return undefined
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let word = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const value = VALUES.get(text.charCodeAt(i))
    if (value === undefined) return undefined
    word = ((word << 6) | value) & 0xffffff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = word >> bits
  }
  return (word & ((1 << bits) - 1)) === 0 ? bytes : undefined
}
