// The part of CBOR (RFC 8949) that JSON needs: no tags, no byte strings.

export function encodeCbor(value) {
  if (value === null) return Buffer.from([0xf6])
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4])
  if (typeof value === 'number') return encodeNumber(value)
  if (typeof value === 'string') return encodeText(value)
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encodeCbor)])
  const pairs = Object.entries(value).filter(([, item]) => item !== undefined)
  return Buffer.concat([head(5, pairs.length), ...pairs.flat().map(encodeCbor)])
}

function encodeNumber(value) {
  const isInteger = Number.isSafeInteger(value) && !Object.is(value, -0)
  if (isInteger) return value >= 0 ? head(0, value) : head(1, -1 - value)
  const bytes = Buffer.alloc(9)
  bytes[0] = 0xfb
  bytes.writeDoubleBE(value, 1)
  return bytes
}

function encodeText(value) {
  const bytes = Buffer.from(value, 'utf8')
  return Buffer.concat([head(3, bytes.length), bytes])
}

function head(major, count) {
  const type = major << 5
  if (count < 24) return Buffer.from([type | count])
  const size = [1, 2, 4].find((bytes) => count < 2 ** (8 * bytes)) ?? 8
  const bytes = Buffer.alloc(1 + size)
  bytes[0] = type | (24 + Math.log2(size))
  if (size < 8) bytes.writeUIntBE(count, 1, size)
  else bytes.writeBigUInt64BE(BigInt(count), 1)
  return bytes
}

export function decodeCbor(bytes) {
  const reader = new Reader(bytes)
  const value = reader.item()
  if (!reader.atEnd) throw new Error('bytes left over after the CBOR item')
  return value
}

/** The items that are complete, and the bytes after them. */
export function decodeCborSequence(bytes) {
  const reader = new Reader(bytes)
  const items = []
  let end = 0
  try {
    while (!reader.atEnd) {
      items.push(reader.item())
      end = reader.at
    }
  } catch (error) {
    if (error !== CUT_SHORT) throw error
  }
  return { items, rest: bytes.subarray(end) }
}

const CUT_SHORT = new Error('CBOR item cut short')
const BREAK = Symbol('break')
const simple = new Map([
  [20, false],
  [21, true],
  [22, null],
  [23, undefined],
])

class Reader {
  #bytes
  at = 0

  constructor(bytes) {
    this.#bytes = bytes
  }

  get atEnd() {
    return this.at === this.#bytes.length
  }

  item() {
    const first = this.#take(1)[0]
    const major = first >> 5
    const info = first & 31
    if (major === 7) return this.#simpleOrFloat(info)
    const count = info === 31 ? Infinity : this.#count(info)
    if (major === 0) return count
    if (major === 1) return -1 - count
    if (major === 3) return this.#text(count)
    if (major === 4) return this.#list(count)
    if (major === 5) return this.#map(count)
    throw new Error(`CBOR major type ${major} is not JSON`)
  }

  #take(length) {
    const end = this.at + length
    if (end > this.#bytes.length) throw CUT_SHORT
    const part = this.#bytes.subarray(this.at, end)
    this.at = end
    return part
  }

  #count(info) {
    if (info < 24) return info
    if (info > 27) throw new Error(`CBOR length form ${info}`)
    const size = 2 ** (info - 24)
    const part = this.#take(size)
    return size < 8 ? part.readUIntBE(0, size) : Number(part.readBigUInt64BE())
  }

  #simpleOrFloat(info) {
    if (info === 31) return BREAK
    if (info === 25) return halfFloat(this.#take(2).readUInt16BE())
    if (info === 26) return this.#take(4).readFloatBE()
    if (info === 27) return this.#take(8).readDoubleBE()
    if (simple.has(info)) return simple.get(info)
    throw new Error(`CBOR simple value ${info}`)
  }

  #text(count) {
    return count === Infinity ? this.#items(count).join('') : this.#take(count).toString('utf8')
  }

  #list(count) {
    return this.#items(count)
  }

  #map(count) {
    const flat = this.#items(count * 2)
    const pairs = []
    for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]])
    return Object.fromEntries(pairs)
  }

  #items(count) {
    const items = []
    while (items.length < count) {
      const item = this.item()
      if (item === BREAK) break
      items.push(item)
    }
    return items
  }
}

function halfFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
