// From the text of a configuration to a tree that knows its places: JSON with comments, where the same key twice is an
// error, for one of the two would be lost without a word.

import { getNodeValue, type Node, parseTree, printParseErrorCode } from 'jsonc-parser'
import { clip } from './config-check.ts'

/** What is wrong in a file, and where. */
export interface Problem {
  /** From 1. */
  line: number
  column: number
  /** Such as `devices.cafetera.profile`; empty: the file as a whole. */
  path: string
  /** What was found, and what is allowed. */
  message: string
}

/** Bytes; more than 1,000 devices need. */
export const LONGEST = 1 << 20

const EXPECTED: Record<string, string> = {
  InvalidSymbol: 'expected a value: text in "double quotes", a number, true, false, null, { or [',
  InvalidNumberFormat: 'expected a number such as 10 or 0.5',
  PropertyNameExpected: 'expected a name in "double quotes", or }',
  ValueExpected: 'expected a value: text in "double quotes", a number, true, false, null, { or [',
  ColonExpected: 'expected a colon (:) after the name',
  CommaExpected: 'expected a comma (,) before this, or the end of the list or object',
  CloseBraceExpected: 'expected a closing brace (})',
  CloseBracketExpected: 'expected a closing bracket (])',
  EndOfFileExpected: 'expected the end of the file',
  InvalidCommentToken: 'expected no comment here',
  UnexpectedEndOfComment: 'expected */ at the end of the comment',
  UnexpectedEndOfString: 'expected a double quote (") at the end of the text',
  UnexpectedEndOfNumber: 'expected more digits',
  InvalidUnicode: 'expected \\u and four hexadecimal digits',
  InvalidEscapeCharacter: 'expected one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u after the backslash',
  InvalidCharacter: 'expected no control characters in a text: write \\n or \\t',
}

/** The tree of the text, or the first thing that is wrong in it: what follows that is often only its consequence. */
export function parseText(text: string): { root: Node } | { problem: Problem } {
  if (text.trim() === '') return { problem: at(text, 0, '', 'the file is empty: write at least {}') }
  if (text.length > LONGEST) return { problem: at(text, 0, '', `the file is longer than ${LONGEST} letters`) }
  const errors: { error: number; offset: number; length: number }[] = []
  try {
    const root = parseTree(text, errors, { allowTrailingComma: true })
    const [first] = errors
    if (root && !first) return { root }
    return { problem: syntaxProblem(text, first ?? { error: 4, offset: 0, length: 0 }) }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { problem: at(text, 0, '', 'the file has too many lists or objects inside each other') }
  }
}

/** The value of a tree. The parser makes objects without a prototype: ours are like any others. */
export function toValue(node: Node): unknown {
  return structuredClone(getNodeValue(node))
}

/** A problem at an offset of the text. */
export function at(text: string, offset: number, path: string, message: string): Problem {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1) as string).length + 1, path, message }
}

function syntaxProblem(text: string, error: { error: number; offset: number; length: number }): Problem {
  const expected = EXPECTED[printParseErrorCode(error.error)] ?? 'expected something else'
  const found = text.slice(error.offset, error.offset + error.length).trim()
  const what = found === '' ? 'the end of the file' : clip(found)
  return at(text, error.offset, '', `invalid JSON: found ${what}, ${expected}`)
}
