// A serial port that keeps itself open: found by a name that stays, opened when it is plugged in, given up within a second
// when it is unplugged, and opened again (design §4).
//
//   closed → waiting → opening → up
//              ↑                  │ unplugged, an error, a write that nobody takes
//              └──────────────────┘

import type { Cancel } from '../../core/clock.ts'
import type { Env } from '../../core/env.ts'
import { type Link, LinkError, type LinkEvents } from '../../device/link.ts'
import { machine, type OpenPort, type PortHost } from './port.ts'
import type { PortFile } from './port-find.ts'
import { shared } from './port-why.ts'

export interface SerialSettings {
  /** A path, best one of /dev/serial/by-id; or `usb:vendor:product[:serial]`. */
  port: string
  /** Bits per second. */
  speed: number
}

export type SerialState = 'closed' | 'waiting' | 'opening' | 'up'

/** Milliseconds between two looks at whether the port is there. */
const LOOK = 500
const OPEN = 5000
const CLOSE = 2000
/** Milliseconds for a write besides twice the time that its bytes take on the wire. */
const WRITE = 2000
/** Bytes that wait to be taken by the kernel. */
const UNSENT = 65_536
/** Milliseconds to the next try, when the port is there but can't be opened. */
const STEPS = [1000, 2000, 5000, 15_000]
const JITTER = 0.2
/** Milliseconds after which a port was a good one. */
const GOOD = 30_000

export class SerialLink implements Link {
  #settings: SerialSettings
  #env: Env
  #host: PortHost
  #events: LinkEvents | undefined
  #state: SerialState = 'closed'
  #cause = 'not opened yet'
  #told = ''
  #port: OpenPort | undefined
  #file: PortFile | undefined
  /** Counts openings: what an old one still says is not listened to. */
  #run = 0
  #tries = 0
  #triedMark = ''
  #retryAt = 0
  #upAt = 0
  #speed: number
  #unsent = 0
  #writes = new Set<(error: Error) => void>()
  #timer: Cancel = () => {}

  constructor(settings: SerialSettings, env: Env, host: PortHost = machine) {
    this.#settings = settings
    this.#speed = settings.speed
    this.#env = env
    this.#host = host
  }

  /** What `["engine","serial"]` shows. */
  status(): { port: string; path: string | null; state: SerialState; speed: number; cause: string } {
    const { port } = this.#settings
    return {
      port,
      path: this.#file?.path ?? null,
      state: this.#state,
      speed: this.#speed,
      cause: this.#cause,
    }
  }

  open(events: LinkEvents): void {
    if (this.#events) return
    this.#events = events
    this.#state = 'waiting'
    this.#timer = this.#env.clock.after(0, () => this.#look())
  }

  /** Resolves when the kernel has taken them: a serial line confirms nothing. */
  write(bytes: Uint8Array): Promise<void> {
    const port = this.#port
    if (this.#state !== 'up' || !port) return Promise.reject(new LinkError('offline', this.#cause))
    if (this.#unsent + bytes.length > UNSENT) {
      return Promise.reject(new LinkError('offline', `${this.#unsent} bytes wait to be sent already`))
    }
    const ms = WRITE + (20_000 * (this.#unsent + bytes.length)) / this.#speed
    this.#unsent += bytes.length
    return new Promise<void>((resolve, reject) => {
      const cancel = this.#env.clock.after(ms, () => {
        reject(new LinkError('timeout', `the port took no bytes for ${Math.round(ms)} ms`))
        this.#fail('it takes no bytes: its driver or the board hangs; unplug it and plug it in again', true)
      })
      this.#writes.add(reject)
      const settled = () => {
        cancel()
        this.#writes.delete(reject)
        this.#unsent -= bytes.length
      }
      port
        .write(Uint8Array.from(bytes))
        .finally(settled)
        .then(resolve, (error: Error) => reject(new LinkError('lost', error.message, { cause: error })))
    })
  }

  /** Goes on at another speed; the next opening is at that of the settings again. */
  async speed(speed: number): Promise<void> {
    const run = this.#run
    this.#speed = speed
    try {
      await this.#port?.speed(speed)
    } catch (error) {
      if (run === this.#run) this.#fail(`it can't run at ${speed} baud: ${(error as Error).message}`, true)
    }
  }

  async close(): Promise<void> {
    if (!this.#events) return
    this.#events = undefined
    this.#timer()
    this.#state = 'closed'
    this.#cause = 'the link was closed'
    const port = this.#forget()
    if (port) await this.#release(port, false)
  }

  /** Is it there, or still there? */
  async #look(): Promise<void> {
    const run = this.#run
    let file: PortFile | undefined
    let cause = ''
    try {
      file = await this.#host.find(this.#state === 'up' ? (this.#file?.path ?? '') : this.#settings.port)
    } catch (error) {
      cause = (error as Error).message
    }
    if (!this.#events || run !== this.#run) return
    if (this.#state === 'up') {
      if (file?.mark !== this.#file?.mark) return this.#fail('it was unplugged', true)
      return this.#lookAgain()
    }
    if (!file) {
      this.#tries = 0
      this.#triedMark = ''
      this.#tell(cause)
      return this.#lookAgain()
    }
    if (file.mark === this.#triedMark && this.#env.clock.now() < this.#retryAt) return this.#lookAgain()
    await this.#openPort(file)
  }

  #lookAgain(): void {
    this.#timer = this.#env.clock.after(LOOK, () => this.#look())
  }

  async #openPort(file: PortFile): Promise<void> {
    const run = ++this.#run
    const isCurrent = () => run === this.#run && this.#events !== undefined
    this.#state = 'opening'
    this.#file = file
    this.#speed = this.#settings.speed
    this.#timer = this.#env.clock.after(OPEN, () =>
      this.#fail(`it did not open within ${OPEN / 1000} s`, true),
    )
    try {
      const port = await this.#host.open(file.path, this.#speed, {
        data: (bytes) => isCurrent() && this.#state === 'up' && this.#call((events) => events.data(bytes)),
        gone: (cause) => isCurrent() && this.#state === 'up' && this.#fail(`it is gone (${cause})`, true),
      })
      if (!isCurrent()) return void this.#release(port, true)
      this.#opened(port, file)
    } catch (error) {
      if (!isCurrent()) return
      const why = await this.#host.explain(file.path, error as Error)
      if (isCurrent()) this.#fail(why, false)
    }
  }

  #opened(port: OpenPort, file: PortFile): void {
    this.#timer()
    this.#port = port
    this.#state = 'up'
    this.#upAt = this.#env.clock.now()
    this.#cause = ''
    this.#told = ''
    this.#lookAgain()
    this.#call((events) => events.up())
    void this.#host.holders(file.path).then((holders) => {
      if (holders.length > 0) this.#env.log.warn(shared(file.path, holders))
    })
  }

  /** `isNamed`: the cause needs the port's name before it. */
  #fail(cause: string, isNamed: boolean): void {
    const { clock, random } = this.#env
    this.#timer()
    if (this.#state === 'up' && clock.now() - this.#upAt >= GOOD) this.#tries = 0
    const step = STEPS[Math.min(this.#tries++, STEPS.length - 1)] as number
    this.#retryAt = clock.now() + step * (1 + JITTER * (2 * random.fraction() - 1))
    this.#triedMark = this.#file?.mark ?? ''
    this.#state = 'waiting'
    this.#cause = isNamed ? `${this.#settings.port}: ${cause}` : cause
    const port = this.#forget()
    if (port) void this.#release(port, true)
    this.#lookAgain()
    this.#tell(this.#cause)
  }

  /** Gives the port up; what waits to be written never will be. */
  #forget(): OpenPort | undefined {
    this.#run++
    const port = this.#port
    this.#port = undefined
    const lost = new LinkError('lost', `the port went away in mid-write: ${this.#cause}`)
    for (const reject of this.#writes) reject(lost)
    this.#writes.clear()
    return port
  }

  /** A port that won't close is left to the kernel, and counted. */
  async #release(port: OpenPort, discard: boolean): Promise<void> {
    const { clock, log, meters } = this.#env
    let cancel: Cancel = () => {}
    const late = new Promise<'late'>((resolve) => {
      cancel = clock.after(CLOSE, () => resolve('late'))
    })
    const closed = port.close(discard).catch((error: Error) => log.debug(`serial: ${error.message}`))
    if ((await Promise.race([closed, late])) === 'late') {
      meters.count('serial.unclosed')
      log.warn(`${this.#settings.port} does not close: its driver hangs`)
    }
    cancel()
  }

  #tell(cause: string): void {
    this.#cause = cause
    if (cause === this.#told) return
    this.#told = cause
    this.#call((events) => events.down(cause))
  }

  #call(tell: (events: LinkEvents) => void): void {
    try {
      if (this.#events) tell(this.#events)
    } catch (error) {
      this.#env.log.error(`a device failed on what its serial link told it: ${error}`)
    }
  }
}
