// G-code is checked before anything moves. Every build of Marlin knows other codes; what is certain is how a line looks, what
// G codes there are, and which commands have no place in a job.

import { type Json, jobLines, outOfRange, refusedLine, withoutComments } from '#device'

/** Characters of a line: Marlin's buffer has 96, with the line number, the checksum and the closing zero. */
const LONGEST = 80

const G = new Set(
  [
    0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 17, 18, 19, 20, 21, 22, 23, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
  ].concat([
    38.2, 38.3, 38.4, 38.5, 42, 53, 54, 55, 56, 57, 58, 59, 59.1, 59.2, 59.3, 60, 61, 76, 80, 90, 91, 92, 425,
  ]),
)
/** Commands with a text instead of numbers. */
const TEXT = new Set([16, 23, 32, 117, 118, 919])
const REFUSED: Record<number, string> = {
  0: 'it waits for a button of the machine, and nothing can stop it meanwhile: use "hold"',
  1: 'it waits for a button of the machine, and nothing can stop it meanwhile: use "hold"',
  28: 'it would write the job to the card instead of running it',
  29: 'it belongs to M28',
  108: 'use "stop"',
  110: 'lines are numbered already',
  112: 'use "kill"',
  154: 'what the machine reports by itself is ours to set',
  155: 'what the machine reports by itself is ours to set',
  410: 'use "stop"',
  500: 'what is stored is no part of a job: use "save"',
  502: 'it throws the settings away: no part of a job',
  575: 'it changes the speed of the port',
  997: 'it writes new firmware',
  999: 'use "unlock"',
}
const COMMAND = /^([GMT])(\d{1,4}(?:\.\d)?)(?![\d.])/
const PARAMETER = /\s*([A-Z])([+-]?(?:\d+\.?\d*|\.\d+))?/y
/** Of these moves every letter needs a number. */
const MOVES = new Set([0, 1, 2, 3, 5])

/**
 * The lines as they are sent: without comments, numbers of lines and empty ones.
 * @throws {JstpError} 400 `{ code: "range", line }`: the first line that can't be, counted from 1
 */
export function checkJob(job: Json): string[] {
  const lines: string[] = []
  for (const [at, line] of jobLines(job).entries()) {
    const bare = strip(line, at + 1)
    if (bare === '' || bare === '%') continue
    lines.push(checkLine(bare, at + 1))
  }
  if (lines.length === 0) throw outOfRange('the job is empty')
  return lines
}

function strip(line: string, number: number): string {
  const isText = TEXT.has(Number(/^\s*M(\d+)/i.exec(line)?.[1]))
  const bare = isText ? line.replace(/;.*/, '') : withoutComments(line, number)
  // A file may bring numbers and checksums of its own.
  return bare
    .trim()
    .replace(/^N\d+\s*/i, '')
    .replace(/\s*\*\d+$/, '')
}

function checkLine(bare: string, number: number): string {
  const refuse = (why: string) => refusedLine(number, bare, why)
  const [, letter = '', digits = ''] = COMMAND.exec(bare.toUpperCase()) ?? []
  const code = Number(digits)
  if (letter === '') throw refuse('it is no G, M or T command')
  if (bare.length > LONGEST) throw refuse(`it has ${bare.length} characters, and Marlin takes ${LONGEST}`)
  if (/[^\x20-\x7e]/.test(bare) || bare.includes('*'))
    throw refuse('it has a character that Marlin can not take')
  if (letter === 'G' && !G.has(code)) throw refuse(`Marlin does not know G${code}`)
  const why = letter === 'M' ? REFUSED[code] : undefined
  if (why) throw refuse(why)
  if (letter === 'M' && TEXT.has(code)) return bare
  const rest = bare.toUpperCase().slice(letter.length + digits.length)
  checkParameters(rest, letter === 'G' && MOVES.has(code), refuse)
  return `${letter}${digits}${rest}`
}

function checkParameters(rest: string, isMove: boolean, refuse: (why: string) => Error): void {
  const seen = new Set<string>()
  PARAMETER.lastIndex = 0
  for (let at = 0; at < rest.length; at = PARAMETER.lastIndex) {
    const match = PARAMETER.exec(rest)
    if (!match) throw refuse(`"${rest.slice(at, at + 10).trim()}" is no letter with a number`)
    const [, letter = '', value] = match
    if (letter === 'G' || letter === 'M') throw refuse('Marlin takes one command in a line')
    if (isMove && value === undefined) throw refuse(`${letter} needs a number`)
    if (seen.has(letter)) throw refuse(`${letter} comes twice`)
    if (letter === 'F' && Number(value) <= 0) throw refuse('a feed rate is more than 0')
    seen.add(letter)
  }
}
