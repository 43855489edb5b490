// A broker as a device of the engine: its root lists what is behind it, below are the devices and their properties, as
// they come and go (issue 5). Handlers are bound per method and depth; what isn't there is 404.

import type { Cancel } from '../../core/clock.ts'
import type { Element, Json } from '../../core/dispatch.ts'
import type { Env } from '../../core/env.ts'
import type { Owner, Request } from '../../core/owner.ts'
import { JstpError, STATUS } from '../../core/status.ts'
import { Commands } from '../../device/commands.ts'
import { LinkError } from '../../device/link.ts'
import type { Device, DeviceStatus } from '../../device/start.ts'
import type { Broker } from './broker.ts'
import type { Command } from './commands.ts'
import type { Effect, Outcome } from './declaration.ts'
import { Mapper, type MapperSettings } from './mapper.ts'
import { Work } from './work.ts'

export interface MqttOptions extends MapperSettings {
  broker: Pick<Broker, 'open' | 'isUp' | 'subscribe' | 'unsubscribe' | 'publish' | 'close'>
  owner: Owner
  env: Env
  /** Milliseconds in which the engine wants answers. */
  answerTimeout: number
  onChange?(status: DeviceStatus): void
}

/** What runs, and what `scan` and the directory ask it. */
export interface MqttDevice extends Device {
  readonly mapper: Mapper
}

/** Milliseconds that an echo may take, and of the answer timeout the part that is ours. */
const ECHO = 5000
const DEADLINE = 0.8
/** How often what only time changes is looked at. */
const TICK = 1000
/** After the last subscription: retained discovery has come by then. */
const SETTLED = 15_000

/** @throws {Error} when the settings can't be, saying which */
export function startMqtt(options: MqttOptions): MqttDevice {
  const { name, broker, owner, env, answerTimeout } = options
  const { clock, log } = env
  const mapper = new Mapper(options, clock)
  const commands = new Commands(clock)
  const waiting = new Map<number, (outcome: Outcome) => void>()
  const cancels: Record<'tick' | 'settled', Cancel> = { tick() {}, settled() {} }
  let state: DeviceStatus['state'] = 'connecting'
  let cause = 'not connected yet'
  let since = clock.wall()
  let lastSeen: number | null = null

  const work = new Work(broker, (text) => log.warn(`${name}: ${text}`, { device: name }))

  const status = (): DeviceStatus => ({
    name,
    profile: 'mqtt-discovery',
    medium: 'mqtt',
    state,
    cause,
    since,
    lastSeen,
    age: mapper.age,
    counters: { ...prefixed('refused', mapper.refused().counts), ...work.counters() },
  })

  const become = (next: DeviceStatus['state'], why: string) => {
    const isNew = next !== state
    cause = why
    if (!isNew) return
    state = next
    since = clock.wall()
    log.info(`${name}: ${next}: ${why}`, { device: name, state: next })
    options.onChange?.(status())
  }

  const run = (effects: Effect[]) => {
    for (const effect of effects) {
      switch (effect.do) {
        case 'report':
          owner.report([effect.device, effect.property], effect.value, { event: effect.event })
          break
        case 'online':
          owner.report([effect.device, 'online'], effect.online)
          break
        case 'settled':
          waiting.get(effect.command)?.(effect.outcome)
          break
        case 'appeared':
          log.debug(`${name}: the device ${effect.device} has appeared`, { device: name })
          break
        case 'gone':
          log.debug(`${name}: the device ${effect.device} is gone`, { device: name })
          owner.report([effect.device, 'online'], false)
          break
        default:
          work.add(effect)
      }
    }
  }

  const tick = () => {
    run(mapper.tick())
    cancels.tick = clock.after(TICK, tick)
  }

  /** Publishes a command and waits for what proves that it was done. `reached`: whether it may have had an effect. */
  const execute = async (command: Command, reached: (is: boolean) => void): Promise<Json> => {
    const ms = Math.min(ECHO, answerTimeout * DEADLINE)
    let cancel: Cancel = () => {}
    let isReached = false
    let isPublished = false
    let isLate = false
    const outcome = new Promise<Outcome | 'late'>((resolve) => {
      waiting.set(command.id, resolve)
      cancel = clock.after(ms, () => {
        isLate = true
        resolve('late')
      })
    })
    const publish = async () => {
      await work.ready()
      if (isLate) return outcome
      reached(true)
      isReached = true
      await broker.publish(command, () => {
        isPublished = true
        run(mapper.published(command.id))
      })
      return outcome
    }
    try {
      const end = await Promise.race([publish(), outcome])
      if (!isReached)
        throw new JstpError(STATUS.FAILED, 'not executed: it could not be sent in time', {
          code: 'not-executed',
        })
      return answerOf(end, isPublished, ms)
    } catch (error) {
      if (!(error instanceof LinkError)) throw error
      if (!error.uncertain) reached(false)
      throw asStatus(error)
    } finally {
      cancel()
      waiting.delete(command.id)
      mapper.forget(command.id)
    }
  }

  owner.handle('GET', [], () => ({
    online: broker.isUp,
    age: mapper.age,
    state,
    devices: mapper.devices(),
    refused: mapper.refused().counts,
  }))
  owner.handle('GET', ['refused'], () => mapper.refused().list)
  owner.handle('GET', [':device'], ({ params }) => mapper.device(text(params.device)))
  owner.handle('GET', [':device', 'about'], ({ params }) => {
    const device = text(params.device)
    return { ...mapper.about(device), properties: mapper.describe(device) }
  })
  owner.handle('GET', [':device', ':property'], ({ params }) =>
    mapper.get(text(params.device), text(params.property)),
  )
  owner.handle('PUT', [':device', ':property'], (request: Request) => {
    const [device, property] = [text(request.params.device), text(request.params.property)]
    let isReached = false
    const act = async () => {
      const command = mapper.put(device, property, request.dispatch.body)
      return execute(command, (is) => {
        isReached = is
      })
    }
    return commands.run(request, `${device}/${property}`, act, () => isReached)
  })

  broker.open({
    up(version) {
      become('up', `connected, MQTT ${version === 5 ? '5' : '3.1.1'}`)
      work.start()
      run(mapper.connected())
      cancels.settled = clock.after(SETTLED, () => {
        run(mapper.settled())
        const { list } = mapper.refused()
        const count = Object.keys(mapper.devices()).length
        log.info(`${name}: ${count} devices, ${list.length} things refused (see ${name}/refused)`, {
          device: name,
        })
      })
    },
    message(message) {
      lastSeen = clock.wall()
      run(mapper.message(message))
    },
    down(why) {
      cancels.settled()
      work.stop()
      run(mapper.disconnected())
      become('down', why)
    },
  })
  tick()

  return {
    mapper,
    status,
    async close() {
      cancels.tick()
      cancels.settled()
      work.stop()
      become('closed', 'ended by this engine')
      owner.close()
      await broker.close()
    },
  }
}

function answerOf(outcome: Outcome | 'late', isPublished: boolean, ms: number): Json {
  if (outcome === 'late') {
    throw new JstpError(
      STATUS.TIMEOUT,
      isPublished
        ? `the broker has taken it, but within ${ms} ms nothing has shown that it was done; read the state before repeating it`
        : 'sent, but whether the broker has it is not known; read the state before repeating it',
      { code: isPublished ? 'unconfirmed' : 'uncertain' },
    )
  }
  if (outcome.is === 'refused') {
    throw new JstpError(STATUS.BAD_DISPATCH, `the device refused it: ${outcome.message}`, { code: 'device' })
  }
  return outcome.is === 'confirmed' ? { confirmed: true, value: outcome.value } : { confirmed: false }
}

/** Design §9.6. */
function asStatus({ code, message }: LinkError): JstpError {
  return code === 'offline'
    ? new JstpError(STATUS.FAILED, message, { code: 'offline' })
    : new JstpError(STATUS.TIMEOUT, `${message}; read the state before repeating it`, { code: 'uncertain' })
}

function prefixed(prefix: string, counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([key, count]) => [`${prefix}.${key}`, count]))
}

function text(element: Element | undefined): string {
  return String(element)
}
