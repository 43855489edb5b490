// Bytes, in chunks cut anywhere, to whole CBOR items (RFC 8742, spec §9.7). Without recursion, in linear time, and never
// holding more than one item.

import { Held } from './held.ts'

const UNSIGNED = 0
const NEGATIVE = 1
const TEXT = 3
const LIST = 4
const MAP = 5
const TAG = 6
const SIMPLE = 7
const INDEFINITE = 31

const START = 64 << 10

/** What a level still waits for: so many items, or a break. */
interface Level {
  /** Items to come; below zero where only a break can end it. In a map an even number means that a key is next. */
  left: number
  major: number
  isOpen: boolean
}

export interface ItemSink {
  item(bytes: Uint8Array): void
  /** The bytes are no CBOR. Where the next item starts nobody can tell, so this is the end. */
  malformed(reason: string): void
  /** An item is longer than the limit. Called once: what comes after it is not looked at. */
  oversize(start: Uint8Array): void
}

/** @param limit bytes of one item. @returns what takes the chunks. */
export function splitItems(limit: number, sink: ItemSink): (chunk: Uint8Array) => void {
  const held = new Held(limit)
  let isOver = false
  let scanner = new ItemScanner(Infinity)

  function take(chunk: Uint8Array): void {
    let start = 0
    try {
      while (start < chunk.length && !isOver) {
        const rest = chunk.subarray(start, start + limit + 1 - held.length)
        const end = scanner.scan(rest)
        const part = end < 0 ? rest : rest.subarray(0, end)
        if (held.length > 0 || end < 0) hold(part)
        else if (end > limit) over(part)
        if (end < 0 || isOver) return
        sink.item(held.length > 0 ? held.bytes.slice() : part)
        held.release()
        scanner = new ItemScanner(Infinity)
        start += end
      }
    } catch (error) {
      if (!(error instanceof MalformedItem)) throw error
      isOver = true
      sink.malformed(error.message)
    }
  }

  function hold(bytes: Uint8Array): void {
    held.add(bytes)
    if (held.isOver) over(held.bytes)
  }

  function over(bytes: Uint8Array): void {
    isOver = true
    const start = bytes.slice(0, Math.min(START, limit))
    held.drop()
    sink.oversize(start)
  }

  return take
}

/** Bytes that no CBOR item has. */
export class MalformedItem extends Error {}

/** Finds the end of one item, byte by byte if need be, and what in it is well formed but not allowed. */
export class ItemScanner {
  /** The first thing that is not allowed, for people. */
  fault: string | undefined
  /** Pairs of all maps so far. */
  pairs = 0
  readonly #nesting: number
  #levels: Level[] = []
  /** Bytes of a string still to come. */
  #skip = 0
  #initial = 0
  /** Bytes of the argument of `#initial` still to come. */
  #missing = 0
  #argument = 0
  #isBig = false

  constructor(nesting: number) {
    this.#nesting = nesting
  }

  /**
   * @returns where the item ends, or -1 if it goes on in the next chunk.
   * @throws {MalformedItem}
   */
  scan(bytes: Uint8Array): number {
    let at = 0
    while (at < bytes.length) {
      let isWhole = false
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, bytes.length - at)
        at += passed
        this.#skip -= passed
        isWhole = this.#skip === 0 && this.#done()
      } else if (this.#missing > 0) {
        this.#addArgument(bytes[at++] as number)
        isWhole = this.#missing === 0 && this.#head(this.#initial >> 5, this.#argument)
      } else {
        isWhole = this.#first(bytes[at++] as number)
      }
      if (isWhole) return at
    }
    return -1
  }

  #first(initial: number): boolean {
    const info = initial & 31
    this.#initial = initial
    this.#isBig = false
    if (info < 24) return this.#head(initial >> 5, info)
    if (info === INDEFINITE) return initial >> 5 === SIMPLE ? this.#break() : this.#open(initial >> 5)
    if (info > 27) throw new MalformedItem(`CBOR with the reserved length ${info}`)
    this.#missing = 1 << (info - 24)
    this.#argument = 0
    return false
  }

  /** `#isBig`: over 2^53, told before a double rounds it. */
  #addArgument(byte: number): void {
    this.#missing--
    if (this.#argument >= 2 ** 45) this.#isBig = this.#argument > 2 ** 45 || byte > 0
    this.#argument = this.#argument * 256 + byte
  }

  /** An item's head is complete. True when the whole frame is. */
  #head(major: number, argument: number): boolean {
    this.#checkKey(major)
    switch (major) {
      case UNSIGNED:
        if (this.#isBig) this.#refuse('A whole number beyond 2^53')
        return this.#done()
      case NEGATIVE:
        if (this.#isBig || argument === 2 ** 53) this.#refuse('A whole number beyond -2^53')
        return this.#done()
      case LIST:
      case MAP:
        return argument === 0
          ? this.#done()
          : this.#push(major, major === MAP ? 2 * argument : argument, false)
      case TAG:
        this.#refuse('A tag')
        return false
      case SIMPLE:
        this.#checkSimple()
        return this.#done()
      default:
        this.#skip = argument
        return argument === 0 && this.#done()
    }
  }

  #open(major: number): boolean {
    if (major === UNSIGNED || major === NEGATIVE || major === TAG)
      throw new MalformedItem('A CBOR number with no end')
    this.#checkKey(major)
    if (major !== LIST && major !== MAP) this.#refuse('A string in pieces')
    return this.#push(major, 0, true)
  }

  #push(major: number, left: number, isOpen: boolean): boolean {
    this.#levels.push({ left, major, isOpen })
    if (this.#levels.length > this.#nesting)
      this.#refuse(`Nested deeper than ${this.#nesting} lists and maps`)
    return false
  }

  #break(): boolean {
    const level = this.#levels.pop()
    if (!level?.isOpen || (level.major === MAP && level.left % 2 !== 0))
      throw new MalformedItem('A stray CBOR break')
    return this.#done()
  }

  /** An item is complete, and with it perhaps those around it. */
  #done(): boolean {
    for (let level = this.#levels.at(-1); level; level = this.#levels.at(-1)) {
      level.left--
      if (level.isOpen || level.left > 0) return false
      this.#levels.pop()
    }
    return true
  }

  #checkKey(major: number): void {
    const level = this.#levels.at(-1)
    if (level?.major !== MAP || level.left % 2 !== 0) return
    this.pairs++
    if (major !== TEXT) this.#refuse('A key that is no text')
  }

  #checkSimple(): void {
    const info = this.#initial & 31
    const isFloat = info >= 25
    if (!isFloat && (info < 20 || info > 22)) this.#refuse('A simple value other than true, false and null')
  }

  #refuse(fault: string): void {
    this.fault ??= fault
  }
}
