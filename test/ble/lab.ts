// Bluetooth with no radio: BlueZ's controller emulator (btvirt, Debian package bluez-test-tools) on private sockets, and
// devices made of real bleno. Nothing here knows the product.

import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const HERE = resolve('test/ble')

/** The De'Longhi service, which the echo device borrows. */
export const SERVICE = '00035b03-58e6-07dd-021a-08123a000300'
export const CHARACTERISTIC = '00035b03-58e6-07dd-021a-08123a000301'

/** Waits until `look` gives something truthy; fails after `ms`. */
export async function until<T>(
  what: string,
  look: () => T,
  ms = 8_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const end = Date.now() + ms
  for (;;) {
    const found = look()
    if (found) return found as NonNullable<Exclude<T, false>>
    if (Date.now() > end) throw new Error(`waited ${ms} ms for: ${what}`)
    await new Promise((go) => setTimeout(go, 5))
  }
}

/** Emulated air: every client of `path` gets a controller, and all of them hear each other. */
export interface Air {
  path: string
  folder: string
  stop(): void
}

export async function startAir(): Promise<Air> {
  const folder = mkdtempSync(join(tmpdir(), 'air-'))
  const preload = join(folder, 'noalg.so')
  execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-o', preload, join(HERE, 'noalg.c'), '-ldl'])
  const btvirt = spawn('btvirt', ['-s'], {
    env: { ...process.env, BTVIRT_DIR: folder, LD_PRELOAD: preload },
    stdio: 'ignore',
  })
  const path = join(folder, 'bt-server-le')
  let failure: Error | undefined
  btvirt.once('error', (error) => {
    failure = error
  })
  let stopped = false
  btvirt.once('exit', (code, signal) => {
    if (!stopped) console.log(`btvirt ended by itself: ${signal ?? code}`)
  })
  const stop = () => {
    stopped = true
    btvirt.kill()
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', stop)
  await until('btvirt, from the package bluez-test-tools', () => {
    if (failure) throw failure
    return existsSync(path)
  })
  return { path, folder, stop }
}

export interface DeviceOptions {
  name?: string
  service?: string
  characteristic?: string
  /** A TypeScript module that exports `simulator(clock, settings)`, from the root; without it the device echoes. */
  simulator?: string
  settings?: object
}

/** What a device says of itself; see peripheral.mjs. */
interface Told {
  ready?: string
  write?: string
  accept?: string
  subscribed?: boolean
  disconnect?: string
  reply?: number
  value?: unknown
}

/** A device in a process of its own. */
export class Device {
  #child: ChildProcess
  address = ''
  /** What has been written to it, as hex. */
  writes: string[] = []
  /** Times it was connected, subscribed to, and disconnected. */
  seen = { accept: 0, subscribed: 0, disconnect: 0 }
  #asked = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #count = 0

  constructor(child: ChildProcess) {
    this.#child = child
    child.once('exit', () => {
      for (const { reject } of this.#asked.values()) reject(new Error('the device has ended'))
    })
    child.on('message', (told: Told) => {
      if (told.reply !== undefined) this.#asked.get(told.reply)?.resolve(told.value)
      if (told.ready) this.address = told.ready
      if (told.write !== undefined) this.writes.push(told.write)
      for (const key of ['accept', 'subscribed', 'disconnect'] as const) if (told[key]) this.seen[key]++
    })
  }

  /** What to do wrong: see peripheral.mjs. Resolves when it knows: a write over the air can be faster than an order. */
  order(orders: {
    refuse?: number
    answer?: boolean
    drop?: 'write' | 'now' | 'no'
    greet?: string
    send?: string[]
  }): Promise<void> {
    return this.#tell((id) => ({ ...orders, id }))
  }

  /** Calls a method of its simulator, or reads a field; what comes back is as JSON has it. */
  ask<T = void>(name: string, ...args: unknown[]): Promise<T> {
    return this.#tell((id) => ({ ask: [name, ...args], id }))
  }

  #tell<T>(message: (id: number) => object): Promise<T> {
    const id = ++this.#count
    return new Promise<T>((resolve, reject) => {
      this.#asked.set(id, { resolve: (value) => resolve(value as T), reject })
      this.#child.send(message(id))
    }).finally(() => this.#asked.delete(id))
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

/** Publishes a simulated device on the air; resolves when it can be heard. */
export async function startDevice(air: Air, options: DeviceOptions = {}): Promise<Device> {
  const { name = 'cafetera', service = SERVICE, characteristic = CHARACTERISTIC, settings } = options
  const simulator = options.simulator && (await bundle(options.simulator))
  const child = fork(
    join(HERE, 'peripheral.mjs'),
    [
      JSON.stringify({
        name,
        service: service.replaceAll('-', ''),
        characteristic: characteristic.replaceAll('-', ''),
        simulator,
        settings,
      }),
    ],
    {
      execArgv: ['-r', join(HERE, 'hci-socket.cjs')],
      env: { ...process.env, HCI_PATH: air.path },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  )
  const device = new Device(child)
  await until('the device to advertise', () => device.address)
  return device
}

async function bundle(entry: string): Promise<string> {
  const folder = resolve('.build/simulators', String(process.pid))
  mkdirSync(folder, { recursive: true })
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const outfile = join(folder, `${entry.replace(/\W+/g, '-')}.mjs`)
  const contents = `
    import { simulator } from './${entry}'
    import { SystemClock } from './src/core/clock.ts'
    export const simulate = (settings) => simulator(new SystemClock(), settings)`
  await build({
    stdin: { contents, resolveDir: resolve('.'), loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  })
  return outfile
}
