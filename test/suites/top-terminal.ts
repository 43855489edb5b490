// A program on a terminal: a real pseudo-terminal (Python has them, Node has not), and what would be seen on it.

import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { clean, widthOf } from '../../src/cli/top-text.ts'
import { Program } from './rig.ts'

/** Takes `size ROWS COLUMNS`, `keys HEX`, `signal N`; tells what was written, and at the end how the terminal was left. */
const DRIVER = `
import fcntl, json, os, select, struct, sys, termios
import pty
master, slave = pty.openpty()
def size(rows, columns): fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
size(int(sys.argv[1]), int(sys.argv[2]))
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2): os.dup2(slave, fd)
    os.close(master)
    os.execvp(sys.argv[3], sys.argv[3:])
inputs, line, ended = [master, 0], b'', None
while True:
    ready = select.select(inputs, [], [], 0.02)[0]
    if master in ready: os.write(1, os.read(master, 65536))
    if 0 in ready:
        more = os.read(0, 4096)
        if not more: inputs = [master]
        line += more
        *commands, line = line.split(b'\\n')
        for command in commands:
            word, *rest = command.decode().split(' ')
            if word == 'size': size(int(rest[0]), int(rest[1]))
            elif word == 'keys': os.write(master, bytes.fromhex(rest[0]))
            elif word == 'signal': os.kill(child, int(rest[0]))
    if ended is not None and master not in ready: break
    if ended is None:
        done, status = os.waitpid(child, os.WNOHANG)
        if done: ended = os.waitstatus_to_exitcode(status)
isSame = termios.tcgetattr(slave) == before
sys.stderr.write(json.dumps({'code': ended, 'isSame': isSame}))
`

export interface Left {
  /** The exit code; negative: the signal. */
  code: number
  /** Echo, line discipline and all that: as before. */
  isSame: boolean
}

export class Terminal {
  readonly program: Program
  rows: number
  columns: number

  constructor(words: string[], { rows = 24, columns = 80, env = {} as Record<string, string> } = {}) {
    this.rows = rows
    this.columns = columns
    const variables = Object.entries({ TERM: 'xterm-256color', ...env }).map(([name, it]) => `${name}=${it}`)
    const command = [...variables, process.execPath, resolve('dist/hormiga.js'), ...words]
    this.program = new Program('python3', ['-c', DRIVER, String(rows), String(columns), 'env', ...command])
  }

  /** All that was written so far. */
  get raw(): string {
    return this.program.out
  }

  /** What is seen now. */
  get lines(): string[] {
    return see(this.raw)
  }

  get text(): string {
    return this.lines.join('\n')
  }

  resize(rows: number, columns: number): void {
    this.rows = rows
    this.columns = columns
    this.#tell(`size ${rows} ${columns}`)
  }

  press(keys: string): void {
    this.#tell(`keys ${Buffer.from(keys).toString('hex')}`)
  }

  signal(number: number): void {
    this.#tell(`signal ${number}`)
  }

  /** Waits until that is seen. */
  async shows(pattern: RegExp, limit = 15_000): Promise<string> {
    for (const end = Date.now() + limit; ; await pause(20)) {
      const { text } = this
      if (pattern.test(text)) return text
      if (Date.now() > end) throw new Error(`never seen: ${pattern}\n${text}\n${this.program.err}`)
    }
  }

  async ended(): Promise<Left> {
    await this.program.end()
    return JSON.parse(this.program.err)
  }

  #tell(line: string): void {
    this.program.process.stdin?.write(`${line}\n`)
  }
}

const SEQUENCE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal takes for commands
  /\u001b\[(?<parameters>[\d;?]*)(?<command>[A-Za-z])|(?<other>[\u0000-\u001f\u007f-\u009f])|(?<text>[^\u0000-\u001f\u007f-\u009f]+)/g

/** Understands what `hormiga top` writes; anything else is an error. */
export function see(raw: string): string[] {
  let lines: string[] = []
  let row = 0
  let column = 0
  for (const { groups: { parameters = '', command, other, text } = {} } of raw.matchAll(SEQUENCE)) {
    if (text !== undefined) {
      lines[row] = `${(lines[row] ?? '').slice(0, column)}${text}`
      column = (lines[row] as string).length
    } else if (other === '\r') column = 0
    else if (other === '\n') row++
    else if (command === 'H') [row, column] = [Number(parameters.split(';')[0]) - 1, 0]
    else if (command === 'K') lines[row] = (lines[row] ?? '').slice(0, column)
    else if (command === 'J') lines = []
    else if (command !== 'm' && !parameters.startsWith('?'))
      throw new Error(`what is ${JSON.stringify(other ?? `${parameters}${command}`)}?`)
  }
  return Array.from(lines, (line = '') => line.trimEnd())
}

export function cellsOf(line: string): number {
  return widthOf(clean(line))
}
