// G-code is checked before anything moves: what Grbl 1.1 would refuse in the middle of a job is refused at its start.

import type { Json } from '#device'
import { jobLines, outOfRange, refusedLine, withoutComments } from '#device'

/** Characters that Grbl takes in a line: its buffer has 80 with the closing zero. */
const LONGEST = 79

const G = new Set(
  [
    0, 1, 2, 3, 4, 17, 18, 19, 20, 21, 28, 30, 38.2, 38.3, 38.4, 38.5, 40, 43.1, 49, 53, 54, 55, 56, 57, 58,
    59,
  ].concat([61, 80, 90, 91, 91.1, 92, 92.1, 93, 94]),
)
const M = new Set([0, 1, 2, 3, 4, 5, 7, 8, 9, 30])
/** They write the controller's memory, in which time it loses what is sent: never within a job (A3). */
const STORING = new Set([10, 28.1, 30.1])
const WORD = /([A-Z])([+-]?(?:\d+\.?\d*|\.\d+))/y
const LETTERS = 'FGIJKLMNPRSTXYZ'
/** Moves that need a feed rate. */
const CUTTING = [1, 2, 3]

/**
 * The lines as they are sent: without comments, spaces and empty ones.
 * @throws {JstpError} 400 `{ code: "range", line }`: the first line that can't be, counted from 1
 */
export function checkJob(job: Json): string[] {
  const lines: string[] = []
  let hasFeed = false
  let motion = 0
  for (const [at, line] of jobLines(job).entries()) {
    const bare = strip(line, at + 1)
    if (bare === '' || bare === '%') continue
    const words = readWords(bare, at + 1)
    hasFeed ||= words.some(([letter, value]) => letter === 'F' && value > 0)
    for (const [letter, value] of words) if (letter === 'G' && value <= 3) motion = value
    const moves = words.some(([letter]) => 'XYZ'.includes(letter))
    if (moves && CUTTING.includes(motion) && !hasFeed) {
      throw refusedLine(at + 1, line, 'it moves with G1, G2 or G3, and no feed rate (F) comes before')
    }
    lines.push(bare)
  }
  if (lines.length === 0) throw outOfRange('the job is empty')
  return lines
}

function strip(line: string, number: number): string {
  const bare = withoutComments(line, number).replace(/\s+/g, '').toUpperCase()
  if (bare.startsWith('$'))
    throw refusedLine(number, line, '$ commands are no part of a job: use "settings" or an action')
  if (bare.length > LONGEST)
    throw refusedLine(number, line, `it has ${bare.length} characters, and Grbl takes ${LONGEST}`)
  return bare
}

function readWords(bare: string, number: number): [letter: string, value: number][] {
  const words: [string, number][] = []
  const seen = new Set<string>()
  WORD.lastIndex = 0
  for (let at = 0; at < bare.length; at = WORD.lastIndex) {
    const match = WORD.exec(bare)
    if (!match) throw refusedLine(number, bare, `"${bare.slice(at, at + 10)}" is no letter with a number`)
    const [, letter = '', digits = ''] = match
    const value = Number(digits)
    checkWord(letter, value, number, bare)
    if (letter !== 'G' && letter !== 'M') {
      if (seen.has(letter)) throw refusedLine(number, bare, `${letter} comes twice`)
      seen.add(letter)
    }
    words.push([letter, value])
  }
  return words
}

function checkWord(letter: string, value: number, number: number, bare: string): void {
  if (!LETTERS.includes(letter)) throw refusedLine(number, bare, `Grbl does not know the letter ${letter}`)
  if (letter === 'G' && STORING.has(value)) {
    throw refusedLine(
      number,
      bare,
      `G${value} writes the controller's memory, which is not safe within a job`,
    )
  }
  if (letter === 'G' && !G.has(value)) throw refusedLine(number, bare, `Grbl does not know G${value}`)
  if (letter === 'M' && !M.has(value)) throw refusedLine(number, bare, `Grbl does not know M${value}`)
  if (letter === 'F' && value < 0) throw refusedLine(number, bare, 'a feed rate is not negative')
}
