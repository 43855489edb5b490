// Keeps Home Assistant up to date: which devices there are, what they say, whether they are there; told anew after every
// connection, and when Home Assistant has started. Commands are in commands.ts.

import type { Cancel } from '../../../core/clock.ts'
import type { Element, Json } from '../../../core/dispatch.ts'
import type { Door } from '../../../core/door.ts'
import type { Env } from '../../../core/env.ts'
import type { Broker } from '../broker.ts'
import { isData, type Message, Payload } from '../payload.ts'
import { HomeCommands } from './commands.ts'
import { type Described, entriesOf } from './described.ts'
import { baseOf, discoveryBase, HomeDevice, type Place, statusOf } from './device.ts'
import { Outbox, type Told } from './outbox.ts'

export interface HomeOptions {
  engine: Pick<Door, 'ask' | 'bind'>
  /** With the will `statusOf({ node }, false)`. */
  broker: Pick<Broker, 'open' | 'isUp' | 'subscribe' | 'publish' | 'close'>
  env: Env
  /** How brokers know this engine: `N` of design §9.23. */
  node: string
  version: string
  /** Of Home Assistant's discovery; default: `homeassistant`. */
  prefix?: string
  /** The devices to show; default: all that are not behind a broker themselves. */
  only?: string[]
}

export interface Home {
  /** The devices that are shown now. */
  devices(): string[]
  /** Says that we are gone, and ends. */
  close(): Promise<void>
}

const DEVICES = 200
/** Milliseconds that a device may be gone before it is taken out: a reload takes it away for a moment. */
const GRACE = 5000
/** Milliseconds after which Home Assistant's start is answered: the shortest, and up to so much more. */
const BIRTH = [300, 2000] as const
/** Milliseconds between two tries to read what could not be read. */
const AGAIN = 30_000
/** Milliseconds for the last words. */
const GOODBYE = 1000
const CONFIG = 65_536

interface Shown {
  device: HomeDevice
  /** What its discovery was made of, to tell a change. */
  made: string
  release(): void
  /** Reports so far by point: an answer that is older than a report doesn't count. */
  reports: Map<string, number>
  reading: number
  retry: Cancel
  leave: Cancel | undefined
}

export function startHome(options: HomeOptions): Home {
  const { engine, broker, env, only } = options
  const { clock, log, meters, random } = env
  const place: Place = {
    node: options.node,
    prefix: options.prefix ?? 'homeassistant',
    version: options.version,
  }
  // Its birth stays where it is when its discovery is moved, unless that is moved too.
  const births = [...new Set([`${place.prefix}/status`, 'homeassistant/status'])]
  const shown = new Map<string, Shown>()
  const full = new Set<string>()
  const say = (what: string) => log.info(`Home Assistant: ${what}`)
  let birth: Cancel | undefined
  let isLooking = false
  let hasLooked = false
  let isDirty = false
  let isClosed = false

  const send = async (told: Told): Promise<void> => {
    try {
      await broker.publish({ ...told, qos: 1 })
    } catch (error) {
      meters.count('homeassistant.unsent')
      log.debug(`Home Assistant: ${told.topic}: ${(error as Error).message}`)
    }
  }
  const outbox = new Outbox(send, () => meters.count('homeassistant.dropped'))
  const commands = new HomeCommands({ engine, env, tell: (told) => outbox.put(...told) })

  const get = async (at: Element[]): Promise<Json | undefined> => {
    const { status, body } = await engine.ask('GET', at).first()
    if (status !== 200) throw new Error(`GET ${at.join('/')} was answered ${status}`)
    return body
  }

  const tellAll = () => {
    const devices = [...shown.values()].map(({ device }) => device)
    outbox.put(...devices.flatMap((device) => device.discovery()), statusOf(place, true))
    outbox.put(...devices.flatMap((device) => device.states()))
  }

  // Which devices there are

  const look = async () => {
    isDirty = true
    if (isLooking) return
    isLooking = true
    while (isDirty && !isClosed) {
      isDirty = false
      try {
        await compare(await get(['engine', 'devices']))
        hasLooked = true
      } catch (error) {
        log.warn(`Home Assistant: ${(error as Error).message}; its devices stay as they were`)
      }
    }
    isLooking = false
  }

  const compare = async (devices: Json | undefined) => {
    const wanted = Object.entries(isData(devices) ? devices : {}).filter(([name, status]) =>
      only ? only.includes(name) : isData(status) && status.medium !== 'mqtt',
    )
    const names = new Set(wanted.map(([name]) => name))
    for (const [name, one] of shown) {
      if (names.has(name)) continue
      outbox.put(...one.device.become(false))
      one.leave ??= clock.after(GRACE, () => remove(name))
    }
    let directory: Json | undefined
    for (const [name, status] of wanted) {
      const { state } = isData(status) ? status : {}
      const one = shown.get(name)
      const isUp = state === 'up'
      // What it has may have changed while it was away.
      if (!one || one.leave || (isUp && !one.device.online)) {
        directory ??= await get(['engine', 'directory'])
        await show(name, directory)
      }
      become(name, isUp)
    }
  }

  const show = async (name: string, directory: Json | undefined) => {
    const before = shown.get(name)
    before?.leave?.()
    if (before) before.leave = undefined
    const entries = entriesOf(directory, name)
    const made = JSON.stringify(entries)
    if (before && (before.made === made || entries.length === 0)) return
    if (!before && shown.size >= DEVICES) {
      if (!full.has(name)) log.warn(`Home Assistant: ${name} is not shown: more than ${DEVICES} devices`)
      if (full.size < DEVICES) full.add(name)
      return
    }
    const device = new HomeDevice(place, { name, title: titleOf(directory, name) }, entries)
    if (before) device.inherit(before.device)
    else {
      const none = () => {}
      shown.set(name, {
        device,
        made,
        release: none,
        reports: new Map(),
        reading: 0,
        retry: none,
        leave: undefined,
      })
    }
    const one = Object.assign(shown.get(name) as Shown, { device, made })
    for (const { id, why } of device.omitted) log.debug(`Home Assistant: ${name}/${id} is not shown: ${why}`)
    commands.adopt(device)
    outbox.put(...device.discovery(), ...device.states())
    if (before) return
    say(`shows ${name}`)
    const binding = await engine.bind([name, '...'], ({ dispatch }) => heard(name, dispatch), {
      observe: true,
    })
    one.release = () => binding.release()
    if (isClosed || shown.get(name) !== one) binding.release()
  }

  const remove = (name: string) => {
    const one = shown.get(name)
    if (!one) return
    shown.delete(name)
    one.release()
    one.retry()
    one.reading++
    commands.release(one.device)
    outbox.put(...one.device.withdrawal())
    say(`${name} is gone`)
  }

  // What they say

  const become = (name: string, isUp: boolean) => {
    const one = shown.get(name)
    if (!one || one.device.online === isUp) return
    outbox.put(...one.device.become(isUp))
    one.retry()
    one.reading++
    if (isUp) void readAll(one)
  }

  const heard = (
    name: string,
    { method, resource, body }: { method: string; resource?: Element[]; body?: Json },
  ) => {
    const one = shown.get(name)
    if (method !== 'PUT' || !one || !resource) return
    const path = resource.slice(1)
    count(one, path)
    outbox.put(...one.device.heard(path, body ?? null))
  }

  /** One after the other: a device has other things to do. */
  const readAll = async (one: Shown) => {
    const reading = one.reading
    let failed = false
    for (const path of one.device.paths) {
      const before = one.reports.get(JSON.stringify(path))
      const body = await get([one.device.name, ...path]).catch(() => undefined)
      if (one.reading !== reading) return
      const isOld = one.reports.get(JSON.stringify(path)) !== before
      const value = isData(body) && 'value' in body && 'age' in body ? body.value : body
      if (!isOld && value !== undefined && value !== null) outbox.put(...one.device.heard(path, value))
      else if (!one.device.knows(path)) failed = true
    }
    if (failed) one.retry = clock.after(AGAIN, () => void readAll(one))
  }

  // What the broker says

  const message = (message: Message) => {
    const { topic, retained } = message
    if (births.includes(topic)) {
      if (!retained && new Payload(message.payload).text === 'online') born()
    } else if (topic.startsWith(`${discoveryBase(place)}/`)) former(message)
    else commands.take(message)
  }

  /** Home Assistant has started. Not all answer at once, and many births are one. */
  const born = () => {
    birth ??= clock.after(BIRTH[0] + BIRTH[1] * random.fraction(), () => {
      birth = undefined
      tellAll()
    })
  }

  /** What the broker keeps of an earlier life of ours: devices and components that are no more are taken out. */
  const former = ({ topic, payload, retained }: Message) => {
    if (!retained || payload.length === 0) return
    const one = [...shown.values()].find(({ device }) => device.discoveryTopic === topic)
    if (!one) return hasLooked ? outbox.put({ topic, payload: '', retain: true }) : undefined
    const config = payload.length <= CONFIG ? new Payload(payload).object : undefined
    if (isData(config?.components) && one.device.replace(config.components))
      outbox.put(...one.device.discovery())
  }

  const up = async () => {
    const filters = [`${baseOf(place)}/+/+/set`, ...births, `${discoveryBase(place)}/+/config`]
    await look()
    try {
      const refused = await broker.subscribe(filters, 1)
      if (refused > 0)
        log.warn(`Home Assistant: the broker refuses ${refused} of our subscriptions: ${filters.join(' ')}`)
    } catch (error) {
      log.debug(`Home Assistant: ${(error as Error).message}`)
      return
    }
    outbox.start()
    tellAll()
    say(`connected; ${shown.size} devices are shown`)
  }

  broker.open({
    up: () => void up(),
    message,
    down(cause) {
      birth?.()
      birth = undefined
      outbox.stop()
      log.warn(`Home Assistant: ${cause}`)
    },
  })
  const watching = engine.bind(['engine', 'devices'], () => void look(), { observe: true })
  watching.catch((error: Error) => log.error(`Home Assistant: no devices are seen: ${error.message}`))

  return {
    devices: () => [...shown.keys()],
    async close() {
      if (isClosed) return
      isClosed = true
      commands.close()
      birth?.()
      await watching.then((binding) => binding.release()).catch(() => {})
      for (const one of shown.values()) {
        one.release()
        one.retry()
        one.reading++
        one.leave?.()
      }
      if (broker.isUp) {
        outbox.put(statusOf(place, false))
        await Promise.race([outbox.empty(), new Promise<void>((resolve) => clock.after(GOODBYE, resolve))])
      }
      outbox.stop()
      await broker.close()
    },
  }
}

function count({ reports }: Shown, path: Element[]): void {
  const key = JSON.stringify(path)
  // What is not described is not read either.
  if (reports.has(key) || reports.size < 1000) reports.set(key, (reports.get(key) ?? 0) + 1)
}

/** What the directory calls a device, before it goes on to say what its root is for. */
function titleOf(directory: Json | undefined, name: string): string {
  const list = (Array.isArray(directory) ? directory : []) as unknown as Described[]
  const root = list.find(({ resource }) => resource?.length === 1 && resource[0] === name)
  return root?.description.split(':')[0] ?? name
}
