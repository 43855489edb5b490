// A machine with our package in a folder: the real launcher, the real lines of the unit, the built engine, and in place of
// systemd a few lines that start it again. Its power can be cut.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { didOf } from '../../src/identity/did.ts'
import { makeKeyFile } from '../../src/identity/keystore.ts'
import { makeUpdate, type UpdateFiles } from '../../src/update/package.ts'

const ARCH: Record<string, string> = { x64: 'amd64', arm64: 'arm64', arm: 'armhf' }
const NODE = Number(process.versions.node.split('.')[0])
const RESTART = 300
const LIMIT = 30_000

/** As in `scripts/deb/root`, with a machine's root folder before every path. */
function placed(file: string, root: string): string {
  const text = readFileSync(join('scripts/deb/root', file), 'utf8')
  return text
    .replaceAll(/\/(?:usr\/lib|var\/lib|etc|run)\/hormiga/g, (path) => root + path)
    .replace('update --settle', `update --settle --root ${root}`)
}

/** The built program as the files of a version. @param main instead of starting it */
export function engineFiles(version: string, main = "await import('./real.js')"): UpdateFiles {
  const files: UpdateFiles = new Map()
  const add = (path: string, content: string | Uint8Array) => files.set(path, Buffer.from(content))
  add('real.js', readFileSync('dist/hormiga.js'))
  for (const name of readdirSync('dist/chunks')) {
    if (name.endsWith('.js')) add(`chunks/${name}`, readFileSync(join('dist/chunks', name)))
  }
  add('hormiga.js', `console.error('this is ${version}')\n${main}\n`)
  add('package.json', '{ "type": "module" }\n')
  add('VERSION', `${version}\n`)
  return files
}

/** A version whose coffee machine is out of reach. */
export function worseFiles(version: string): UpdateFiles {
  const config = {
    listen: { tcp: false, http: false },
    bluetooth: { source: 'unix:/nowhere/bluetooth.sock' },
    devices: { cafetera: { profile: 'delonghi-ecam' } },
  }
  const files = engineFiles(
    version,
    `process.argv[process.argv.indexOf('--config') + 1] = new URL('worse.json', import.meta.url).pathname
    await import('./real.js')`,
  )
  return files.set('worse.json', Buffer.from(JSON.stringify(config)))
}

export interface Ended {
  code: number | null
  out: string
}

export class Machine {
  readonly root = mkdtempSync(join(tmpdir(), 'hormiga-machine-'))
  /** What the engines have said. */
  log = ''
  #engine: ChildProcess | undefined
  #running: ChildProcess[] = []
  #isOn = false
  #loops: Promise<unknown> = Promise.resolve()
  #orders = 0
  #key = makeKeyFile(join(this.root, 'key'))

  constructor(version: string) {
    for (const path of [
      'usr/lib/hormiga',
      'usr/lib/hormiga-node/bin',
      'var/lib/hormiga-versions',
      'etc/hormiga',
      'bin',
    ]) {
      mkdirSync(this.in(path), { recursive: true })
    }
    write(this.in('usr/lib/hormiga/engine'), engineFiles(version))
    writeFileSync(this.in('usr/lib/hormiga/launch'), placed('usr/lib/hormiga/launch', this.root), {
      mode: 0o755,
    })
    symlinkSync(process.execPath, this.in('usr/lib/hormiga-node/bin/node'))
    writeFileSync(this.in('bin/systemctl'), `#!/bin/sh\necho "$*" >> ${this.root}/orders\n`, { mode: 0o755 })
    cpSync('scripts/deb/root/etc/hormiga/update-keys', this.in('etc/hormiga/update-keys'))
    this.allow(didOf(this.#key.kid))
    const devices = { cafetera: { profile: 'delonghi-ecam', simulated: true } }
    const config = { listen: { tcp: '127.0.0.1:0', http: false }, devices }
    writeFileSync(this.in('etc/hormiga/hormiga.json'), JSON.stringify(config))
    writeFileSync(this.in('etc/hormiga/trust.json'), '{ "v": 1, "keys": [] }\n')
  }

  in(path: string): string {
    return join(this.root, path)
  }

  /** Whose updates it takes. */
  allow(...keys: string[]): void {
    writeFileSync(this.in('etc/hormiga/update-keys'), `# remark\n${keys.join(' of the builder\n')}\n`)
  }

  /** Which version an update has put in force. */
  get current(): string | undefined {
    const path = this.in('var/lib/hormiga-versions/current')
    return existsSync(path) ? readlinkSync(path) : undefined
  }

  get folders(): string[] {
    return readdirSync(this.in('var/lib/hormiga-versions'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort()
  }

  /** Makes a package and the command that takes it. */
  make(version: string, files = engineFiles(version)): string {
    const facts = { version, arch: ARCH[process.arch] as string, node: NODE, after: '0' }
    const path = this.in(`hormiga-${version}.update`)
    writeFileSync(path, makeUpdate(facts, files, this.#key))
    return path
  }

  /** `hormiga update …` as root. */
  start(...words: string[]): ChildProcess {
    const env = { ...process.env, PATH: `${this.in('bin')}:${process.env.PATH}` }
    const child = spawn(this.in('usr/lib/hormiga/launch'), ['update', '--root', this.root, ...words], { env })
    this.#running.push(child)
    return child
  }

  async update(...words: string[]): Promise<Ended> {
    return ended(this.start(...words))
  }

  /** Switches it on, and waits until the engine runs. */
  async on(): Promise<void> {
    const from = this.log.length
    this.switchOn()
    await this.says(/this is .* runs \(hormiga/s, from)
  }

  switchOn(): void {
    this.#isOn = true
    this.#loops = Promise.all([this.#supervise(), this.#obey()])
  }

  /** Everything ends at once, and nothing is left of what was in memory. */
  async cut(): Promise<void> {
    this.#isOn = false
    const alive = [...this.#running].filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    )
    const gone = alive.map((child) => once(child, 'exit'))
    for (const child of alive) child.kill('SIGKILL')
    await Promise.all(gone)
    await this.#loops
    rmSync(this.in('run'), { recursive: true, force: true })
  }

  async remove(): Promise<void> {
    await this.cut()
    rmSync(this.root, { recursive: true })
  }

  /** Ends the engine, as a fault in it would. */
  killEngine(): void {
    this.#engine?.kill('SIGKILL')
  }

  /** Waits until an engine has said something after that place of the log. */
  async says(pattern: RegExp, from = 0): Promise<string> {
    for (const end = Date.now() + LIMIT; Date.now() < end; await pause(20)) {
      const match = pattern.exec(this.log.slice(from))
      if (match) return match[0]
    }
    throw new Error(`no engine ever said ${pattern}:\n${this.log}`)
  }

  /** What systemd does with the unit. */
  async #supervise(): Promise<void> {
    const unit = placed('usr/lib/systemd/system/hormiga.service', this.root)
    const line = (name: string) => new RegExp(`^${name}=(?:\\+-)?(.*)$`, 'm').exec(unit)?.[1] as string
    while (this.#isOn) {
      await this.#run(line('ExecStartPre'))
      if (this.#isOn) await this.#run(`exec ${line('ExecStart')}`, (child) => (this.#engine = child))
      await pause(RESTART)
    }
  }

  async #run(script: string, started = (_child: ChildProcess): unknown => undefined): Promise<void> {
    const env = { ...process.env, STATE_DIRECTORY: this.in('var/lib/hormiga') }
    const child = spawn('sh', ['-c', script], { env })
    const keep = (bytes: Buffer) => (this.log += bytes)
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.#running.push(child)
    started(child)
    await once(child, 'exit')
  }

  /** Restarts that an update has asked for. */
  async #obey(): Promise<void> {
    const orders = this.in('orders')
    for (; this.#isOn; await pause(20)) {
      const size = existsSync(orders) ? statSync(orders).size : 0
      if (size === this.#orders) continue
      this.#orders = size
      this.#engine?.kill('SIGTERM')
    }
  }
}

/** Its exit code, and all that it has said. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let out = ''
  const keep = (bytes: Buffer) => (out += bytes)
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const [code] = await once(child, 'close')
  return { code, out }
}

function write(folder: string, files: UpdateFiles): void {
  for (const [path, content] of files) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  symlinkSync('hormiga.js', join(folder, 'hormiga'))
}
