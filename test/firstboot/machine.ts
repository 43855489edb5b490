// A computer for first boot that keeps what is safe on its disk apart from what is only remembered, and loses power at a
// given step. Its commands do what the real ones would, as one step each.

import type { Machine, Owned, Ran } from '../../src/firstboot/machine.ts'

/** Names and contents, as a program sees them. */
export type Files = Record<string, string>

export class PowerCut extends Error {}

interface Inode {
  /** What is on the disk for sure. */
  safe: string
  seen: string
}

interface Change {
  folder: string
  apply(names: Map<string, number>): void
}

const PASSWD = '/etc/passwd'

export class CutMachine implements Machine {
  readonly commands: string[][] = []
  readonly modes: Record<string, number | undefined> = {}
  /** Everything ever put into a command, which is where a secret must not be seen by others. */
  readonly inputs: string[] = []
  writes = 0
  /** From now on nothing happens any more. */
  isCut = false
  /** Files that can't be read or written, by path, with what is said then. */
  broken: Record<string, string> = {}
  #seen = new Map<string, number>()
  #safe = new Map<string, number>()
  #pending: Change[] = []
  #inodes: Inode[] = []
  #steps: number

  constructor(files: Files, steps = Infinity) {
    for (const [path, content] of Object.entries(files)) {
      this.#seen.set(path, this.#inodes.push({ safe: content, seen: content }) - 1)
    }
    this.#safe = new Map(this.#seen)
    this.#steps = steps
  }

  get files(): Files {
    return this.#resolve(this.#seen, (inode) => inode.seen)
  }

  /** Every state that the disk may be in when the power has gone now. */
  afterCut(): Files[] {
    const states = new Map<string, Files>()
    for (let chosen = 0; chosen < 1 << this.#pending.length; chosen++) {
      const names = new Map(this.#safe)
      this.#pending.forEach(({ apply }, index) => {
        if (chosen & (1 << index)) apply(names)
      })
      for (const variant of [0, 1, 2, 3]) {
        const files = this.#resolve(names, (inode) => variantsOf(inode)[variant] as string)
        states.set(JSON.stringify(Object.entries(files).sort()), files)
      }
    }
    return [...states.values()]
  }

  async read(path: string, most: number): Promise<Uint8Array | undefined> {
    this.#complain(path)
    const content = this.files[path]
    return content === undefined ? undefined : Buffer.from(content, 'latin1').subarray(0, most + 1)
  }

  async makeFolder(): Promise<void> {}

  async writeSynced(path: string, content: Uint8Array, { mode }: Owned): Promise<void> {
    this.#complain(path)
    this.#step()
    const inode: Inode = { safe: '', seen: Buffer.from(content).toString('latin1') }
    const number = this.#inodes.push(inode) - 1
    this.#change(path, (names) => names.set(path, number))
    this.#step()
    inode.safe = inode.seen
    this.modes[path] = mode
    this.writes++
    this.#step()
  }

  async rename(from: string, to: string): Promise<void> {
    this.#checkPower()
    const number = this.#seen.get(from) as number
    this.modes[to] = this.modes[from]
    this.#change(to, (names) => {
      names.delete(from)
      names.set(to, number)
    })
    this.#step()
  }

  async syncFolder(path: string): Promise<void> {
    this.#step()
    for (const { folder, apply } of this.#pending) if (folder === path) apply(this.#safe)
    this.#pending = this.#pending.filter(({ folder }) => folder !== path)
    this.#step()
  }

  async hold(path: string): Promise<() => Promise<void>> {
    const inode = this.#inodes[this.#seen.get(path) as number] as Inode
    return async () => {
      this.#checkPower()
      inode.seen = '\0'.repeat(inode.seen.length)
      this.#step()
      inode.safe = inode.seen
      this.#step()
    }
  }

  async run(command: string[], { input = '' } = {}): Promise<Ran> {
    this.#step()
    this.commands.push(command)
    this.inputs.push(input)
    const [name, ...words] = command
    if (name === 'useradd')
      this.#append(PASSWD, `${words.at(-1)}:x:1001:1001::/home/${words.at(-1)}:/bin/bash\n`)
    if (name === 'test') return { code: this.files[`${words.at(-1)}/.`] === undefined ? 1 : 0, out: '' }
    this.#step()
    return { code: 0, out: '' }
  }

  #append(path: string, line: string): void {
    const content = (this.files[path] ?? '') + line
    const number = this.#inodes.push({ safe: content, seen: content }) - 1
    for (const names of [this.#seen, this.#safe]) names.set(path, number)
  }

  #change(path: string, apply: Change['apply']): void {
    apply(this.#seen)
    this.#pending.push({ folder: path.slice(0, path.lastIndexOf('/')), apply })
  }

  #complain(path: string): void {
    const why = this.broken[path]
    if (why !== undefined) throw new Error(why)
  }

  #step(): void {
    if (this.#steps-- <= 0) this.isCut = true
    this.#checkPower()
  }

  #checkPower(): void {
    if (this.isCut) throw new PowerCut('the power is gone')
  }

  #resolve(names: Map<string, number>, content: (inode: Inode) => string): Files {
    return Object.fromEntries(
      [...names].map(([path, number]) => [path, content(this.#inodes[number] as Inode)]),
    )
  }
}

/** What may be read of a file that was not synced: what is safe, nothing, half of it, zeros. */
function variantsOf({ safe, seen }: Inode): string[] {
  return safe === seen
    ? [seen, seen, seen, seen]
    : [safe, '', seen.slice(0, seen.length / 2), '\0'.repeat(seen.length)]
}
