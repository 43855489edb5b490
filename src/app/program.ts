// How this program is called, so that a command that is printed works when it is pasted.

import { basename, relative, resolve } from 'node:path'
import { version } from '../../package.json'

export const VERSION: string = version

/** `hormiga` where it is installed as a command, else `node dist/hormiga.js`, from the folder where we are. */
export function programName(script = process.argv[1] ?? '', cwd = process.cwd()): string {
  if (basename(script) === 'hormiga') return 'hormiga'
  const path = relative(cwd, resolve(cwd, script))
  return `node ${quote(path.startsWith('..') ? resolve(cwd, script) : path)}`
}

/** A word for a shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
