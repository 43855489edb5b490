// A profile becomes resources: one handler per method and point, never a catch-all (design §9.1), and every failure
// becomes the status that design §9.6 gives it.

import type { Clock } from '../core/clock.ts'
import type { Json } from '../core/dispatch.ts'
import type { Handler, Owner, Request } from '../core/owner.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { Commands } from './commands.ts'
import { type Link, LinkError } from './link.ts'
import type { Points } from './points.ts'
import { type Command, type Driver, elementsOf, type Shape } from './profile.ts'
import { check, checkFields, checkPatch } from './values.ts'

/** Of the answer timeout, how much a driver has for a command, and when the kit stops waiting for a driver. */
const DEADLINE = 0.8
const GUARD = 0.9

export interface Exposure {
  name: string
  /** What the thing has at present. */
  shape(): Shape
  driver: Driver
  points: Points
  link: Pick<Link, 'write'>
  owner: Owner
  clock: Clock
  /** Milliseconds in which the engine wants an answer. */
  answerTimeout: number
  online(): boolean
  /** Milliseconds since the last sign of life; null: none so far. */
  age(): number | null
  /** The error for a command to something that isn't there: at once, it never waits for a connection. */
  offline(): JstpError
  /** Somebody has asked for a value. */
  asked(): void
}

/** Binds everything that the thing has to the owner of the root. What it returns does so again, when there may be more. */
export function expose(exposure: Exposure): () => void {
  const { name, shape, driver, owner, points, clock } = exposure
  const commands = new Commands(clock)
  const bound = new Set<string>()
  owner.handle('GET', [], () => {
    exposure.asked()
    return { online: exposure.online(), age: exposure.age(), ...points.all() }
  })

  /** A point that is no more is not there, though its handler is. */
  const described = (point: string, method: string) => {
    const found = shape().points[point]
    if (found?.methods.includes(method as 'GET')) return found
    throw new JstpError(STATUS.NOT_FOUND, `${name} has no ${method} of ${point} any more`)
  }

  const bind = () => {
    for (const [point, { methods }] of Object.entries(shape().points)) {
      for (const method of methods) {
        const key = `${method} ${point}`
        if (bound.has(key)) continue
        bound.add(key)
        owner.handle(method, elementsOf(point), method === 'GET' ? reader(point) : setter(point, method))
      }
    }
  }

  const reader = (point: string): Handler => {
    const read = readerOf(exposure, point)
    return (request) => {
      described(point, 'GET')
      return read(request)
    }
  }

  const setter = (point: string, method: string): Handler =>
    commander(point, (value, command) => {
      const field = described(point, method)
      const where = `${name}/${point}`
      const checked = method === 'PATCH' ? checkPatch(field, value, where) : check(field, value, where)
      return () => driver.write?.[point]?.(checked, command)
    })

  for (const [action, { urgent }] of Object.entries(shape().actions)) {
    const handler = commander(
      action,
      (body, command) => {
        const checked = checkFields(shape().actions[action]?.body ?? {}, body, `${name}/${action}`)
        return () => driver.act?.[action]?.(checked, command)
      },
      urgent,
    )
    owner.handle('POST', [action], handler)
  }
  bind()
  return bind

  /** `prepare` checks the body; what it returns does the thing. */
  function commander(
    point: string,
    prepare: (body: Json | undefined, command: Command) => () => Promise<Json | void> | undefined,
    urgent = false,
  ): Handler {
    return (request: Request) => {
      const command = new Commanded(exposure.link, clock, exposure.answerTimeout * DEADLINE)
      const execute = async () => {
        const act = prepare(request.dispatch.body, command)
        // What must always work is tried as long as there is a link at all.
        if (!urgent && !exposure.online()) throw exposure.offline()
        try {
          return await within(clock, exposure.answerTimeout * GUARD, act(), () => command.late())
        } catch (error) {
          throw asStatus(error, exposure, command)
        }
      }
      return urgent ? execute() : commands.run(request, point, execute, () => command.reached)
    }
  }
}

function readerOf(exposure: Exposure, point: string): Handler {
  const { driver, points, clock } = exposure
  return async () => {
    exposure.asked()
    const fresh = driver.read?.[point]
    if (fresh && exposure.online()) {
      const ms = exposure.answerTimeout * DEADLINE
      try {
        await within(
          clock,
          ms,
          fresh(),
          () => new LinkError('timeout', `no value within ${Math.round(ms)} ms`),
        )
      } catch (error) {
        // What was read before is better than nothing; its age tells.
        if (!points.knows(point)) throw asStatus(error, exposure)
      }
    }
    if (!points.knows(point) && !exposure.online()) throw exposure.offline()
    return points.read(point, exposure.online())
  }
}

/** A command as a driver sees it. It knows what became of its bytes, and refuses to write when it is too late. */
class Commanded implements Command {
  reached = false
  confirmed = false
  #link: Pick<Link, 'write'>
  #clock: Clock
  #end: number

  constructor(link: Pick<Link, 'write'>, clock: Clock, ms: number) {
    this.#link = link
    this.#clock = clock
    this.#end = clock.now() + ms
  }

  left(): number {
    return Math.max(0, this.#end - this.#clock.now())
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.left() === 0) throw this.late()
    const before = this.reached
    this.reached = true
    try {
      await this.#link.write(bytes)
      this.confirmed = true
    } catch (error) {
      // Only these two say that nothing happened.
      if (error instanceof LinkError && !error.uncertain) this.reached = before
      throw error
    }
  }

  /** The error for one without an answer: nobody may think that it can just be repeated when it was written. */
  late(): JstpError {
    return this.reached
      ? new JstpError(
          STATUS.TIMEOUT,
          'sent, but what became of it is not known; read the state before repeating it',
          {
            code: 'uncertain',
          },
        )
      : new JstpError(STATUS.FAILED, 'not executed: it could not be sent in time', { code: 'not-executed' })
  }
}

/** Design §9.6. `command`: what failed was one, not a GET. */
function asStatus(error: unknown, exposure: Exposure, command?: Commanded): unknown {
  if (!(error instanceof LinkError)) return error
  if (error.code === 'offline') return exposure.offline()
  if (error.code === 'refused') {
    return new JstpError(STATUS.BAD_DISPATCH, `the device refused it: ${error.message}`, { code: 'device' })
  }
  return command ? command.late() : new JstpError(STATUS.TIMEOUT, error.message, { code: 'timeout' })
}

/** The outcome of `work`, or an error when it takes longer. */
function within<T>(
  clock: Clock,
  ms: number,
  work: Promise<T> | undefined,
  late: () => Error,
): Promise<T | void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()))
    Promise.resolve(work).finally(cancel).then(resolve, reject)
  })
}
