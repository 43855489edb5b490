// A Grbl controller: what it is told, what it is known to do, and how it is stopped. Lines go by `Sender`, real-time bytes
// past everything (A3, design §9.10).

import {
  type Cancel,
  type Command,
  type Context,
  type Driver,
  Job,
  type Json,
  JstpError,
  Lines,
  STATUS,
} from '#device'
import { checkJob } from './gcode.ts'
import { alarmText, errorText, type Line, readLine, type State, type Status } from './line.ts'
import { Sender, type Sent } from './sender.ts'

const HOLD = 0x21
const RESUME = 0x7e
const STATUS_QUERY = 0x3f
const RESET = 0x18
const JOG_CANCEL = 0x85

/** Milliseconds between questions for the status: while it moves, while somebody watches, else. */
const POLL = { moving: 200, watched: 500, idle: 2000 }
/** Milliseconds that a stop gives the axes to come to rest, so that the position is not lost. */
const REST = 2000
/** Milliseconds without an answer to lines of an earlier life, after which answers are ours. */
const QUIET = 300
const MOVING: State[] = ['running', 'jogging', 'homing', 'holding']

/** Waits for all motion before it. */
const STANDSTILL = 'G4P0.01'

/** Codes of the overrides: to 100 %, 10 and 1 percent more and less. */
const FEED = [0x90, 0x91, 0x92, 0x93, 0x94] as const
const SPINDLE = [0x99, 0x9a, 0x9b, 0x9c, 0x9d] as const
const RAPID: Record<number, number> = { 100: 0x95, 50: 0x96, 25: 0x97 }

export class Machine implements Driver {
  #context: Context
  #lines = new Lines((text) => this.#line(readLine(text)))
  #sender: Sender
  #job: Job | undefined
  #state: State | 'starting' = 'starting'
  /** Answers belong to our lines: an earlier engine's are through. */
  #isSynced = false
  #strayAt = 0
  /** Since when it is being stopped; and whoever waits for the end of that. */
  #stopping: { cancel: Cancel; done: (() => void)[] } | undefined
  /** It wants a reset, and listens to nothing else. */
  #wantsReset = false
  #offset = { x: 0, y: 0, z: 0 }
  #overrides = { feed: 100, rapid: 100, spindle: 100 }
  #settings: Record<string, number> = {}
  #poll: Cancel = () => {}

  constructor(context: Context) {
    this.#context = context
    this.#sender = new Sender((text) => void this.#write(new TextEncoder().encode(text)))
  }

  up(): void {
    this.#begin()
    this.#strayAt = this.#context.clock.now()
    this.#ask()
  }

  data(bytes: Uint8Array): void {
    this.#lines.add(bytes)
  }

  down(): void {
    this.#poll()
    this.#end('failed', 'the connection broke; what the controller had taken may still have been executed')
    this.#begin()
  }

  close(): void {
    this.#poll()
    this.#stopping?.cancel()
  }

  read = {
    settings: async (): Promise<void> => {
      await this.#line1('$$')
      this.#context.set('settings', { ...this.#settings })
    },
  }

  write = {
    settings: async (value: Json, command: Command): Promise<Json> => {
      this.#needIdle()
      // One at a time: while it writes its memory, it loses what is sent (A3).
      for (const [number, setting] of Object.entries(value as Record<string, number>)) {
        await this.#line1(`$${number}=${setting}`, command, true)
        this.#settings[number] = setting
      }
      this.#context.set('settings', { ...this.#settings })
      return value
    },
  }

  act = {
    job: async ({ lines }: Record<string, Json>, command: Command): Promise<Json> => {
      const checked = checkJob(lines as Json)
      this.#needIdle()
      const job = new Job(checked, {
        standstill: STANDSTILL,
        failed: () => this.#halt(),
        changed: () => this.#context.set('progress', job.value),
      })
      this.#job = job
      this.#context.set('progress', job.value)
      // Whatever is written counts as the command's, so that it is never begun twice.
      await command.write(Uint8Array.of(STATUS_QUERY))
      this.#sender.follow(() => lineOf(job))
      this.#again()
      return job.value
    },
    hold: (_: Record<string, Json>, command: Command) => command.write(Uint8Array.of(HOLD)),
    resume: async (_: Record<string, Json>, command: Command): Promise<void> => {
      if (this.#state !== 'holding' && this.#state !== 'door') throw busy('it is not held')
      if (this.#stopping) throw busy('it is being stopped')
      await command.write(Uint8Array.of(RESUME))
    },
    stop: async (_: Record<string, Json>, command: Command): Promise<Json> => {
      this.#end('stopped', 'somebody has stopped it')
      await command.write(Uint8Array.of(this.#state === 'jogging' ? JOG_CANCEL : HOLD))
      return { confirmed: await this.#stopped(command.left()) }
    },
    reset: async (_: Record<string, Json>, command: Command): Promise<void> => {
      this.#end('stopped', 'somebody has reset the controller')
      await command.write(Uint8Array.of(RESET))
      this.#wantsReset = false
    },
    unlock: async (_: Record<string, Json>, command: Command): Promise<void> => {
      if (this.#wantsReset) throw alarm('it wants a reset first')
      await this.#line1('$X', command)
    },
    home: async (_: Record<string, Json>, command: Command): Promise<void> => {
      this.#needNoJob()
      await this.#line1('$H', command)
    },
    jog: async ({ x, y, z, feed }: Record<string, Json>, command: Command): Promise<void> => {
      if (this.#state !== 'idle' && this.#state !== 'jogging') throw this.#refusal()
      const axes = Object.entries({ X: x, Y: y, Z: z }).flatMap(([letter, by]) =>
        typeof by === 'number' ? [`${letter}${number(by)}`] : [],
      )
      if (axes.length === 0)
        throw new JstpError(STATUS.BAD_DISPATCH, 'x, y or z is needed', { code: 'range' })
      await this.#line1(`$J=G91G21${axes.join('')}F${number(feed as number)}`, command)
    },
    override: async ({ feed, rapid, spindle }: Record<string, Json>, command: Command): Promise<void> => {
      const bytes = [
        ...(typeof feed === 'number' ? steps(FEED, this.#overrides.feed, feed) : []),
        ...(typeof rapid === 'number' ? [RAPID[rapid] as number] : []),
        ...(typeof spindle === 'number' ? steps(SPINDLE, this.#overrides.spindle, spindle) : []),
      ]
      if (bytes.length > 0) await command.write(Uint8Array.from(bytes))
    },
  }

  #line(line: Line | undefined): void {
    if (!line) return
    this.#context.heard()
    switch (line.is) {
      case 'ok':
      case 'error':
        if (this.#sender.take(line.is === 'ok' ? undefined : line.code)) return
        this.#strayAt = this.#context.clock.now()
        return this.#context.count('stray')
      case 'status':
        return this.#status(line)
      case 'banner':
        return this.#restarted()
      case 'alarm':
        this.#context.set('alarm', { code: line.code, message: alarmText(line.code) })
        this.#end('failed', `alarm: ${alarmText(line.code)}`)
        return this.#become('alarm')
      case 'setting':
        this.#settings[line.number] = line.value
        return
      case 'message':
        this.#context.log.info(`${this.#context.name} says: ${line.text}`)
        // Only from here on does it hear a reset (measured).
        if (line.text !== 'Reset to continue') return
        this.#wantsReset = true
        if (this.#stopping) this.#reset()
    }
  }

  #status({ state, isBraking, machine, work, offset, feed, spindle, overrides }: Status): void {
    const { set, clock } = this.#context
    if (offset) this.#offset = offset
    if (overrides) this.#overrides = overrides
    if (!this.#isSynced && clock.now() - this.#strayAt >= QUIET) {
      this.#isSynced = true
      this.#sender.pump()
    }
    const at = this.#offset
    if (machine) {
      set('machine', machine)
      set('position', { x: less(machine.x, at.x), y: less(machine.y, at.y), z: less(machine.z, at.z) })
    } else if (work) set('position', work)
    if (feed !== undefined) set('feed', feed)
    if (spindle !== undefined) set('spindle', spindle)
    set('overrides', { ...this.#overrides })
    this.#become(state)
    const isAtRest = (state === 'holding' && !isBraking) || state === 'idle' || state === 'alarm'
    if (this.#stopping && isAtRest && !this.#wantsReset) this.#reset()
  }

  /** It has forgotten all that it was told. */
  #restarted(): void {
    this.#end('failed', 'the controller has restarted')
    const stopping = this.#stopping
    this.#begin()
    this.#isSynced = true
    for (const done of stopping?.done ?? []) done()
    this.#ask()
  }

  #begin(): void {
    this.#stopping?.cancel()
    this.#stopping = undefined
    this.#wantsReset = false
    this.#isSynced = false
    this.#lines.reset()
    this.#sender.reset()
    this.#overrides = { feed: 100, rapid: 100, spindle: 100 }
    this.#become('starting')
  }

  /** A line was refused: what is in the controller already must not run on without it. */
  #halt(): void {
    void this.#write(Uint8Array.of(HOLD))
    void this.#stopped(REST)
  }

  /** Lets it come to rest, then throws away what it still holds. True when it has said that it did. */
  #stopped(ms: number): Promise<boolean> {
    const { clock } = this.#context
    this.#stopping ??= { cancel: clock.after(REST, () => this.#reset()), done: [] }
    const { done } = this.#stopping
    if (this.#wantsReset) this.#reset()
    else this.#ask()
    return new Promise((resolve) => {
      const late = clock.after(ms, () => resolve(false))
      done.push(() => {
        late()
        resolve(true)
      })
    })
  }

  #reset(): void {
    this.#stopping?.cancel()
    void this.#write(Uint8Array.of(RESET))
  }

  /** Asks for the status, and again as often as it is worth it. */
  #ask(): void {
    void this.#write(Uint8Array.of(STATUS_QUERY))
    this.#again()
  }

  #again(): void {
    const { clock, wanted } = this.#context
    this.#poll()
    const isMoving = this.#stopping || this.#job?.isRunning || MOVING.includes(this.#state as State)
    const ms = isMoving ? POLL.moving : wanted() || !this.#isSynced ? POLL.watched : POLL.idle
    this.#poll = clock.after(ms, () => this.#ask())
  }

  /** Nothing more of the job is sent. */
  #end(state: 'failed' | 'stopped', cause: string): void {
    this.#job?.end(state, cause)
    this.#sender.follow(() => undefined)
  }

  #become(state: State | 'starting'): void {
    this.#state = state
    this.#context.set('state', state)
  }

  /** One line and its answer. */
  async #line1(text: string, command?: Command, isAlone = false): Promise<void> {
    if (!this.#isSynced) throw busy('it has just been connected, and still answers lines of before')
    // It counts as written before it is: a line that may have got there is never sent again.
    await command?.write(Uint8Array.of(STATUS_QUERY))
    await new Promise<void>((resolve, reject) => {
      const isTaken = this.#sender.send({
        text,
        isAlone,
        answered: (error) => {
          if (error === undefined) resolve()
          else if (error === 'lost')
            reject(new JstpError(STATUS.TIMEOUT, 'the controller has restarted', { code: 'uncertain' }))
          else
            reject(
              new JstpError(STATUS.BAD_DISPATCH, `${text}: ${errorText(error)}`, { code: 'device', error }),
            )
        },
      })
      if (!isTaken) reject(busy('too many commands wait'))
    })
  }

  #needNoJob(): void {
    if (this.#job?.isRunning) throw busy('a job is running: stop it first')
  }

  #needIdle(): void {
    this.#needNoJob()
    if (this.#state !== 'idle' || !this.#isSynced) throw this.#refusal()
  }

  #refusal(): JstpError {
    if (this.#state !== 'alarm') return busy(`it is ${this.#state}, and takes this only when it is idle`)
    return alarm('it is locked after an alarm: home it, or unlock it')
  }

  /** What fails is told by the link's end. */
  #write(bytes: Uint8Array): Promise<void> {
    return this.#context.link.write(bytes).catch(() => this.#context.count('unsent'))
  }
}

/** The next line of a job, as the sender takes it. */
function lineOf(job: Job): Sent | undefined {
  const line = job.next()
  if (!line) return undefined
  const why = (error: number | 'lost') =>
    error === 'lost' ? 'the controller has restarted' : errorText(error)
  return {
    text: line.text,
    answered: (error) => line.answered(error === undefined ? undefined : why(error)),
  }
}

function alarm(why: string): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, why, { code: 'alarm' })
}

function busy(why: string): JstpError {
  return new JstpError(STATUS.BAD_DISPATCH, why, { code: 'busy' })
}

/** The bytes that take an override from one value to another. */
function steps(
  [reset, up10, down10, up1, down1]: typeof FEED | typeof SPINDLE,
  from: number,
  to: number,
): number[] {
  const start = Math.abs(to - 100) < Math.abs(to - from) ? 100 : from
  const tens = Math.trunc((to - start) / 10)
  const ones = to - start - tens * 10
  return [
    ...(start === from ? [] : [reset]),
    ...Array.from({ length: Math.abs(tens) }, () => (tens > 0 ? up10 : down10)),
    ...Array.from({ length: Math.abs(ones) }, () => (ones > 0 ? up1 : down1)),
  ]
}

/** Grbl counts in thousandths. */
function less(a: number, b: number): number {
  return Math.round((a - b) * 1000) / 1000
}

function number(value: number): string {
  return String(Math.round(value * 1000) / 1000)
}
