// What Home Assistant wants done. A message is a command only on a topic that discovery has named, and never when it comes
// from the broker's memory: nobody wants a coffee that was ordered before the power cut.

import type { Element, Json } from '../../../core/dispatch.ts'
import type { Door } from '../../../core/door.ts'
import type { Env } from '../../../core/env.ts'
import { isData, type Message, Payload } from '../payload.ts'
import type { HomeDevice } from './device.ts'
import type { Entity } from './entities.ts'
import type { Told } from './outbox.ts'
import { readPress } from './payloads.ts'

export interface HomeCommandsOptions {
  engine: Pick<Door, 'ask'>
  env: Env
  tell(told: Told[]): void
}

/** Bytes of a command, commands of one device that are not answered yet, and as many again of those that can't wait. */
const SIZE = 1024
const OPEN = 8
/** Milliseconds between two lines in the log about messages that are no commands. */
const QUIET = 10_000

interface Target {
  device: HomeDevice
  entity: Entity
}

interface Request {
  method: 'PUT' | 'PATCH' | 'POST'
  path: Element[]
  body?: Json
  urgent: boolean
}

export class HomeCommands {
  #options: HomeCommandsOptions
  #targets = new Map<string, Target>()
  #open = new Map<string, number>()
  #saidAt = -Infinity
  #isClosed = false

  constructor(options: HomeCommandsOptions) {
    this.#options = options
  }

  /** Takes the commands of a device, instead of what one of its name had. */
  adopt(device: HomeDevice): void {
    this.release(device)
    for (const [topic, entity] of device.commands) this.#targets.set(topic, { device, entity })
  }

  release({ name }: HomeDevice): void {
    for (const [topic, { device }] of this.#targets) if (device.name === name) this.#targets.delete(topic)
  }

  close(): void {
    this.#isClosed = true
  }

  take({ topic, payload, retained }: Message): void {
    if (this.#isClosed) return
    const target = this.#targets.get(topic)
    if (!target) return this.#ignore('stray', `${topic.slice(0, 120)} is no topic for commands`)
    if (retained) {
      const why = `${topic} is kept by the broker, so it was not said now; it is not executed. Publish it without "retain"`
      return this.#ignore('retained', why)
    }
    const said = payload.length <= SIZE ? new Payload(payload).text : undefined
    try {
      if (said === undefined) throw new Error(`text of at most ${SIZE} bytes is expected`)
      const request = this.#requestOf(target, said)
      if (request) void this.#execute(target, request)
    } catch (error) {
      this.#refuse(target, (error as Error).message, { code: 'payload' })
    }
  }

  /** `undefined`: it is done already. @throws {Error} why it can't be */
  #requestOf({ device, entity }: Target, said: string): Request | undefined {
    const { command } = entity
    switch (command?.do) {
      case 'choose':
        this.#options.tell(device.choose(entity, said))
        return undefined
      case 'write':
        return { method: command.method, path: command.path, body: command.read(said), urgent: false }
      case 'act': {
        readPress(said)
        const { path, urgent, choice, field } = command
        const body = choice && field ? { [field]: device.chosen(choice) } : undefined
        return { method: 'POST', path, body, urgent }
      }
    }
  }

  /** Every message is a command of its own: it gets a transaction id that no other has. */
  async #execute(target: Target, { method, path, body, urgent }: Request): Promise<void> {
    const { engine, env } = this.#options
    const { device, entity } = target
    const lane = `${device.name} ${urgent}`
    const open = this.#open.get(lane) ?? 0
    if (open >= OPEN) {
      env.meters.count('homeassistant.busy')
      return this.#refuse(target, `${OPEN} commands wait for their answers already`, { code: 'busy' })
    }
    this.#open.set(lane, open + 1)
    env.meters.count('homeassistant.command')
    try {
      const transaction = env.random.uuid()
      const answer = await engine.ask(method, [device.name, ...path], { body, transaction }).first()
      if (answer.status < 400) return
      const { message, code } = isData(answer.body) ? answer.body : {}
      this.#refuse(target, String(message ?? `answered ${answer.status}`), {
        status: answer.status,
        code: code ?? null,
      })
    } catch (error) {
      this.#refuse(target, `${entity.id}: ${(error as Error).message}`, { code: 'timeout' })
    } finally {
      const left = (this.#open.get(lane) ?? 1) - 1
      if (left > 0) this.#open.set(lane, left)
      else this.#open.delete(lane)
    }
  }

  #refuse({ device, entity }: Target, message: string, more: { [key: string]: Json }): void {
    this.#options.env.meters.count('homeassistant.refused')
    this.#say(`${device.name}/${entity.id}: not done: ${message}`)
    this.#options.tell(device.refused(entity, message, more))
  }

  #ignore(word: 'stray' | 'retained', message: string): void {
    this.#options.env.meters.count(`homeassistant.${word}`)
    this.#say(message)
  }

  /** Strangers could fill the log. */
  #say(message: string): void {
    const { clock, log } = this.#options.env
    if (clock.now() - this.#saidAt < QUIET) return log.debug(`Home Assistant: ${message}`)
    this.#saidAt = clock.now()
    log.warn(`Home Assistant: ${message}`)
  }
}
