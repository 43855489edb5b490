// A settings file of the card as data: bounded before it is parsed, never executed, never thrown about.

import { parse, stringify, TomlError } from 'smol-toml'

export type Table = Record<string, unknown>

/** Bytes. Imager writes less than one thousand; a long configuration needs some. */
export const LONGEST = 65_536
const DEEPEST = 16

/** @returns the table, or what is wrong with the file, for people. */
export function readToml(bytes: Uint8Array): { table: Table } | { problem: string } {
  if (bytes.length > LONGEST) return { problem: `it is larger than ${LONGEST} bytes` }
  let text: string
  try {
    // Editors of other systems put a mark before the first letter: the decoder takes it away.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return { problem: 'it is no UTF-8: save it as UTF-8' }
  }
  try {
    return { table: parse(text, { maxDepth: DEEPEST, unsafeKeyBehaviour: 'throw' }) as Table }
  } catch (error) {
    return { problem: tell(error as Error) }
  }
}

export function writeToml(table: Table): string {
  return stringify(table)
}

/** The place and the first line: what follows quotes the file, and so its passwords. */
function tell(error: Error): string {
  const what = (error.message.split('\n')[0] as string).replace('Invalid TOML document: ', '')
  return error instanceof TomlError ? `line ${error.line}, column ${error.column}: ${what}` : what
}
