// What is behind a broker, found as the engine finds it, but nothing is made of it: for `hormiga scan mqtt`.

import type { Json } from '../../core/dispatch.ts'
import type { Env } from '../../core/env.ts'
import type { Broker } from './broker.ts'
import type { Effect } from './declaration.ts'
import { Mapper, type MapperSettings, type Reading } from './mapper.ts'
import type { Refusal } from './refusals.ts'
import { Work } from './work.ts'

export interface ScanOptions extends MapperSettings {
  broker: Pick<Broker, 'open' | 'subscribe' | 'unsubscribe' | 'publish' | 'close'>
  env: Env
  /** The longest that it takes, in ms. */
  most: number
}

export interface Scan {
  version: 4 | 5
  devices: { [id: string]: ScannedDevice }
  refused: Refusal[]
  /** By reason; of all, though only the first few hundred are listed. */
  counts: Record<string, number>
  /** False: it was still finding things when the time was up. */
  complete: boolean
}

export type ScannedDevice = {
  about: { [key: string]: Json }
  online: boolean
  /** `{methods, type, unit, …}` with what was heard of it, if anything was. */
  properties: {
    [property: string]: { [key: string]: Json } & Partial<Pick<Reading, 'value' | 'age' | 'retained'>>
  }
}

/** Milliseconds without anything new that are the end, and how often that is looked at. */
const QUIET = 2000
const LOOK = 100

/** @throws {Error} why the broker can't be used, for people */
export async function scanMqtt(options: ScanOptions): Promise<Scan> {
  const { broker, env, most } = options
  const { clock } = env
  const mapper = new Mapper(options, clock)
  const work = new Work(broker, (text) => env.log.warn(text))
  const begun = clock.now()
  let version: 4 | 5 | undefined
  let news = begun
  let refusals = 0
  let isOver = false
  const run = (effects: Effect[]) => {
    for (const effect of effects) {
      if (effect.do === 'subscribe' || effect.do === 'unsubscribe' || effect.do === 'publish')
        work.add(effect)
      if (effect.do === 'subscribe' || effect.do === 'appeared') news = clock.now()
    }
  }
  try {
    const complete = await new Promise<boolean>((resolve, reject) => {
      const look = async () => {
        await work.ready()
        if (isOver) return
        const { length } = mapper.refused().list
        if (length !== refusals) news = clock.now()
        refusals = length
        const isQuiet = version !== undefined && clock.now() - news >= QUIET
        if (!isQuiet && clock.now() - begun < most) clock.after(LOOK, look)
        else if (version === undefined) reject(new Error(`no answer within ${most / 1000} s`))
        else resolve(isQuiet)
      }
      broker.open({
        up(spoken) {
          version = spoken
          news = clock.now()
          work.start()
          run(mapper.connected())
        },
        message: (message) => run(mapper.message(message)),
        down: (cause) => reject(new Error(cause)),
      })
      void look()
    })
    const { list: refused, counts } = mapper.refused()
    return { version: version as 4 | 5, devices: found(mapper), refused, counts, complete }
  } finally {
    isOver = true
    work.stop()
    await broker.close()
  }
}

function found(mapper: Mapper): Scan['devices'] {
  const devices = Object.keys(mapper.devices()).sort()
  return Object.fromEntries(
    devices.map((id) => {
      const { online } = mapper.device(id)
      const properties = Object.entries(mapper.describe(id)).map(([property, described]) => [
        property,
        { ...(described as object), ...heard(mapper, id, property) },
      ])
      return [id, { about: mapper.about(id), online, properties: Object.fromEntries(properties) }]
    }),
  ) as Scan['devices']
}

/** What is known of a property, if anything is. */
function heard(mapper: Mapper, device: string, property: string): Partial<Reading> {
  try {
    const { value, age, retained } = mapper.get(device, property)
    return age === null ? {} : { value, age, retained }
  } catch {
    // It is offline, and nothing was ever said of it.
    return {}
  }
}
