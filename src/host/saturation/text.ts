// How files of /proc and /sys are read, and how what they count is compared.

import type { Sources } from './sources.ts'

const WRAP = 2 ** 32

/** The number at the start of a text; `undefined`: there is none. */
export function toNumber(text: string | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Number.parseFloat(text)
  return Number.isFinite(value) ? value : undefined
}

/** The number after a word at the start of a line, e.g. of `MemTotal: 24684084 kB`. */
export function numberAfter(text: string, word: string): number | undefined {
  const at = text.startsWith(word) ? 0 : text.indexOf(`\n${word}`) + 1
  if (at === 0 && !text.startsWith(word)) return undefined
  return toNumber(text.slice(at + word.length, at + word.length + 32))
}

/** What a list such as `0-2,5` holds; `undefined`: it is none. */
export function toList(text: string | undefined): number[] | undefined {
  const ranges = text?.trim().split(',') ?? []
  const numbers = ranges.flatMap((range) => {
    const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? []
    if (from === undefined) return []
    const length = Math.max(0, Number(to) - Number(from) + 1)
    return Array.from({ length }, (_, index) => Number(from) + index)
  })
  return numbers.length > 0 ? numbers : undefined
}

/**
 * By how much a counter has grown. One of 32 bits starts again at 0; one that was set back tells nothing.
 * `most`: what it can have grown by at most.
 */
export function growth(before: number, now: number, most = Number.POSITIVE_INFINITY): number | undefined {
  if (now >= before) return now - before
  const wrapped = now + WRAP - before
  return before < WRAP && wrapped <= Math.min(most, WRAP / 2) ? wrapped : undefined
}

/** Part of the last 10 s in which some task waited for `cpu` or `memory`, 0–1; `undefined`: the kernel has no PSI. */
export function readPressure(sources: Sources, of: string): number | undefined {
  const text = sources.follow(`/proc/pressure/${of}`)
  const percent = text && toNumber(/^some avg10=([\d.]+)/m.exec(text)?.[1])
  return typeof percent === 'number' ? percent / 100 : undefined
}

/** A part of the whole: 0–1. */
export function toRatio(part: number, whole: number): number | undefined {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : undefined
}
