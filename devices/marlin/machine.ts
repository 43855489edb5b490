// A machine with Marlin: how it is met, what it is told, and how it is stopped. Numbered lines go by `Sender`, one at a time, so
// that nothing of ours stands before a stop (A4, design §9.10).

import { type Cancel, type Command, type Context, type Driver, Job, type Json, Lines } from '#device'
import { ENCODER, reach, refused, unknownFate, within } from './command.ts'
import { checkJob } from './gcode.ts'
import { firmwareOf, type Heat, type Line, readLine } from './line.ts'
import { Sender } from './sender.ts'
import { SETTINGS, STOP, stopsOf } from './tables.ts'

/** Milliseconds that a board which restarts when its port is opened has to say so, and from there until it listens. */
const BOOT = 4000
const SETTLE = 500
/** Milliseconds between two questions; how it is asked less often when nobody wants to know. */
const POLL = 2000
const RARELY = 10_000
/** Milliseconds after a stop in which Marlin throws moves away, and until it is sent again without a confirmation. */
const DEAF = 1200
const AGAIN = 1000

type State = 'starting' | 'idle' | 'running' | 'holding' | 'homing' | 'stopping' | 'alarm'

export class Machine implements Driver {
  #context: Context
  #lines = new Lines((text) => this.#line(readLine(text)))
  #sender: Sender
  #state: State = 'starting'
  #job: Job | undefined
  #firmware: Record<string, string> = {}
  #capabilities: Record<string, boolean> = {}
  #settings: Record<string, Record<string, number>> = {}
  #heat: Heat = {}
  /** Why it does nothing any more. */
  #alarm = ''
  /** Counts meetings and stops: what began before is over. */
  #run = 0
  #polledAt = 0
  #halting: Promise<void> | undefined
  /** Whoever waits for a sign that it is at work. */
  #working = new Set<() => void>()
  #killed = new Set<() => void>()
  #timer: Cancel = () => {}
  #poll: Cancel = () => {}

  constructor(context: Context) {
    this.#context = context
    this.#sender = new Sender(context.clock, {
      write: (text) => void this.#write(text),
      count: (word) => context.count(word),
      broken: (why) => {
        this.#end('failed', why)
        context.log.warn(`${context.name}: ${why}`)
        this.#begin(BOOT)
      },
    })
  }

  up(): void {
    this.#begin(BOOT)
  }

  data(bytes: Uint8Array): void {
    this.#lines.add(bytes)
  }

  down(): void {
    this.#end('failed', 'the connection broke; what the machine had taken may still have been executed')
    this.#forget()
  }

  close(): void {
    this.#run++
    this.#timer()
    this.#poll()
    this.#sender.reset()
  }

  read = {
    settings: async (): Promise<void> => {
      if (this.#state !== 'idle') return
      await this.#ask('M503')
      this.#context.set('settings', structuredClone(this.#settings))
    },
  }

  write = {
    targets: async (value: Json, command: Command): Promise<Json> => {
      this.#needAwake()
      const { hotend, bed } = value as Record<string, number>
      if (hotend !== undefined) await this.#tell(`M104 S${hotend}`, command)
      if (bed !== undefined) await this.#tell(`M140 S${bed}`, command)
      await this.#ask('M105')
      return value
    },
    settings: async (value: Json, command: Command): Promise<Json> => {
      this.#needIdle()
      for (const [code, letters] of Object.entries(value as Record<string, Record<string, number>>)) {
        const words = Object.entries(letters).map(([letter, number]) => `${letter}${number}`)
        await this.#tell(`${code} ${words.join(' ')}`, command)
        this.#settings[code] = { ...this.#settings[code], ...letters }
      }
      this.#context.set('settings', structuredClone(this.#settings))
      return value
    },
  }

  act = {
    job: async ({ lines }: Record<string, Json>, command: Command): Promise<Json> => {
      const checked = checkJob(lines as Json)
      this.#needIdle()
      const job = new Job(checked, {
        standstill: 'M400',
        failed: () => this.#rest(),
        changed: () => this.#context.set('progress', job.value),
      })
      this.#job = job
      this.#context.set('progress', job.value)
      await reach(command)
      this.#become('running')
      this.#follow(job)
      return job.value
    },
    hold: async (_: Record<string, Json>, command: Command): Promise<Json> => {
      if (this.#state !== 'running') return { confirmed: this.#state === 'holding' }
      this.#become('holding')
      this.#sender.follow(() => undefined)
      return { confirmed: await within(this.#context.clock, command.left(), this.#ask('M400')) }
    },
    resume: async (_: Record<string, Json>, command: Command): Promise<void> => {
      const job = this.#job
      if (this.#state !== 'holding' || !job?.isRunning) throw refused('it is not held', 'busy')
      await reach(command)
      this.#become('running')
      this.#follow(job)
    },
    stop: async (_: Record<string, Json>, command: Command): Promise<Json> => {
      this.#end('stopped', 'somebody has stopped it')
      const halted = within(this.#context.clock, command.left(), this.#halt())
      await reach(command)
      return { confirmed: await halted }
    },
    kill: async (_: Record<string, Json>, command: Command): Promise<Json> => {
      this.#end('stopped', 'somebody has switched everything off')
      this.#sender.drop()
      const killed = new Promise<void>((resolve) => this.#killed.add(resolve))
      await command.write(ENCODER.encode('\nM112\n'))
      return { confirmed: await within(this.#context.clock, command.left(), killed) }
    },
    unlock: async (_: Record<string, Json>, command: Command): Promise<void> => {
      if (this.#state !== 'alarm') throw refused('it is not locked', 'busy')
      await reach(command)
      await this.#sync()
      await this.#ask('M999')
      this.#begin(0)
    },
    home: async ({ axes }: Record<string, Json>, command: Command): Promise<Json> => {
      this.#needIdle()
      await reach(command)
      this.#become('homing')
      const run = this.#run
      const home = this.#ask(['G28', ...String(axes ?? '').toUpperCase()].join(' ')).finally(
        () => run === this.#run && this.#become('idle'),
      )
      const working = new Promise<boolean>((resolve) => this.#working.add(() => resolve(false)))
      return { done: await Promise.race([home.then(() => true), working]) }
    },
    save: async (_: Record<string, Json>, command: Command): Promise<void> => {
      this.#needIdle()
      await this.#tell('M500', command)
    },
  }

  #line(line: Line): void {
    if (line.is === 'noise') return this.#context.count('noise')
    this.#context.heard()
    switch (line.is) {
      case 'ok':
        if (line.heat) this.#warm(line.heat)
        if (!this.#sender.ok()) this.#context.count('stray')
        return
      case 'resend':
        return this.#sender.resend(line.number)
      case 'busy':
        this.#sender.busy()
        for (const resolve of this.#working) resolve()
        return this.#working.clear()
      case 'wait':
        return this.#sender.idle()
      case 'start':
        this.#end('failed', 'the controller has restarted')
        return this.#begin(SETTLE)
      case 'error':
        return this.#error(line.text, line.isHalted)
      case 'unknown':
        return this.#unknown(line.command)
      case 'firmware':
        this.#firmware = line.fields
        return
      case 'capability':
        this.#capabilities[line.name] = line.isOn
        return
      case 'heat':
        return this.#warm(line.heat)
      case 'position':
        return this.#context.set('position', line.position)
      case 'setting':
        if (SETTINGS.includes(line.code)) this.#settings[line.code] = line.values
        return
      case 'info':
        this.#context.log.debug(`${this.#context.name} says: ${line.text}`)
    }
  }

  #warm(heat: Heat): void {
    this.#heat = { ...this.#heat, ...heat }
    this.#context.set('temperatures', { ...this.#heat })
    const targets = Object.entries(this.#heat).map(([heater, { target }]) => [heater, target])
    this.#context.set('targets', Object.fromEntries(targets))
  }

  #error(text: string, isHalted: boolean): void {
    this.#context.set('alarm', { message: text, halted: isHalted })
    this.#end('failed', `the machine says: ${text}`)
    if (!isHalted) return this.#rest()
    this.#alarm = text
    this.#run++
    this.#poll()
    this.#sender.reset()
    this.#become('alarm')
    for (const resolve of this.#killed) resolve()
    this.#killed.clear()
  }

  /** A move that it does not know leaves the rest without it; what else it does not know moves nothing. */
  #unknown(command: string): void {
    this.#context.count('unknown')
    this.#context.log.warn(`${this.#context.name} does not know ${command}`)
    if (!/^(N\d+ ?)?G/.test(command) || !this.#job?.isRunning) return
    this.#end('failed', `the machine does not know ${command}`)
    this.#rest()
  }

  #follow(job: Job): void {
    this.#sender.follow(() => {
      const line = job.next()
      if (!line) return undefined
      return {
        text: line.text,
        answered: (lost) => {
          line.answered(lost && 'what became of it is not known')
          if (job.state === 'done' && (this.#state === 'running' || this.#state === 'holding'))
            this.#become('idle')
        },
      }
    })
  }

  /** What it still holds must not run on. */
  #rest(): void {
    this.#halt().catch(() => this.#context.count('unstopped'))
  }

  /**
   * Brings it to rest past everything, and throws away what it still holds. Ends when the machine has said so: to a line that
   * no noise can change, for the first ones have neither number nor checksum.
   */
  #halt(): Promise<void> {
    const isMet = this.#state !== 'starting' && this.#state !== 'alarm'
    if (isMet && !this.#halting) this.#sender.drop()
    const urged = STOP.map((text) => this.#urge(text))
    if (!isMet) return Promise.all(urged).then(() => {})
    for (const urge of urged) urge.catch(() => {})
    this.#halting ??= this.#halted().finally(() => {
      this.#halting = undefined
    })
    return this.#halting
  }

  async #halted(): Promise<void> {
    const run = ++this.#run
    this.#become('stopping')
    // Once more past the queue, should the first have been lost.
    const again = this.#context.clock.after(AGAIN, () => void this.#urge('M410').catch(() => {}))
    await this.#ask('M410').finally(again)
    await this.#ask('M114')
    if (run !== this.#run) return
    this.#timer()
    this.#timer = this.#context.clock.after(DEAF, () => this.#become('idle'))
  }

  /** Meets it, in `ms` or when it has started: counts lines anew, asks what it is and can. */
  #begin(ms: number): void {
    this.#forget()
    const run = this.#run
    this.#timer = this.#context.clock.after(ms, async () => {
      try {
        await this.#sync()
        await this.#ask('M115')
        this.#declare()
        if (this.#capabilities.AUTOREPORT_TEMP) await this.#ask(`M155 S${POLL / 1000}`)
        await this.#ask('M105')
        await this.#ask('M114')
        if (run !== this.#run) return
        this.#become('idle')
        this.#tick()
      } catch {
        if (run !== this.#run) return
        this.#context.count('unmet')
        this.#begin(BOOT)
      }
    })
  }

  #forget(): void {
    this.close()
    this.#alarm = ''
    this.#heat = {}
    this.#capabilities = {}
    this.#settings = {}
    this.#lines.reset()
    this.#working.clear()
    this.#killed.clear()
    this.#become('starting')
  }

  #declare(): void {
    this.#context.set('firmware', firmwareOf(this.#firmware, this.#capabilities))
    this.#context.declare({ actions: stopsOf(this.#capabilities.EMERGENCY_PARSER === true) })
  }

  #tick(): void {
    const { clock, wanted } = this.#context
    this.#poll = clock.after(POLL, () => this.#tick())
    // While it is at something, its answer to a question would have to wait for that.
    if (this.#state !== 'idle' && this.#state !== 'running' && this.#state !== 'holding') return
    if (!this.#capabilities.AUTOREPORT_TEMP) void this.#ask('M105').catch(() => {})
    if (!wanted() && clock.now() - this.#polledAt < RARELY) return
    this.#polledAt = clock.now()
    void this.#ask('M114').catch(() => {})
  }

  /** Nothing more of the job is sent. */
  #end(state: 'failed' | 'stopped', cause: string): void {
    this.#job?.end(state, cause)
    this.#sender.follow(() => undefined)
  }

  #become(state: State): void {
    this.#state = state
    this.#context.set('state', state)
  }

  #urge(text: string): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#sender.urge({ text, answered: (lost) => (lost ? reject(unknownFate(text)) : resolve()) }),
    )
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#sender.sync({ answered: (lost) => (lost ? reject(unknownFate('M110')) : resolve()) }),
    )
  }

  /** One line, until it is answered. It rejects when what became of it is not known. */
  #ask(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const isTaken = this.#sender.send({
        text,
        answered: (lost) => (lost ? reject(unknownFate(text)) : resolve()),
      })
      if (!isTaken) reject(refused('too many commands wait', 'busy'))
    })
  }

  async #tell(text: string, command: Command): Promise<void> {
    await reach(command)
    await this.#ask(text)
  }

  #needAwake(): void {
    if (this.#state === 'alarm')
      throw refused(`it does nothing any more: ${this.#alarm}; "unlock" it, or restart it`, 'alarm')
    if (this.#state === 'starting' || this.#state === 'stopping')
      throw refused(`it is ${this.#state}`, 'busy')
  }

  #needIdle(): void {
    this.#needAwake()
    if (this.#job?.isRunning) throw refused('a job is running: stop it first', 'busy')
    if (this.#state !== 'idle')
      throw refused(`it is ${this.#state}, and takes this only when it is idle`, 'busy')
  }

  /** What fails is told by the link's end. */
  #write(text: string): Promise<void> {
    return this.#context.link.write(ENCODER.encode(text)).catch(() => this.#context.count('unsent'))
  }
}
