// A mapper without a broker: what it is told, and what it wants done.

import type { Effect } from '../../../src/bridges/mqtt/index.ts'
import { Mapper, type MapperSettings, type Message } from '../../../src/bridges/mqtt/index.ts'
import { matches } from '../../../src/bridges/mqtt/topics.ts'
import { TestClock } from '../../../src/core/clock.ts'
import type { Json } from '../../../src/core/dispatch.ts'
import { JstpError } from '../../../src/core/status.ts'

export const HA_GARDEN = 'homeassistant/binary_sensor/garden/config'

export class Rig {
  readonly clock = new TestClock()
  readonly mapper: Mapper
  readonly effects: Effect[] = []
  readonly subscribed = new Set<string>()

  constructor(settings: Partial<MapperSettings> = {}) {
    this.mapper = new Mapper({ name: 'sensores', ...settings }, this.clock)
    this.take(this.mapper.connected())
  }

  take(effects: Effect[]): Effect[] {
    this.effects.push(...effects)
    for (const effect of effects) {
      if (effect.do === 'subscribe') for (const topic of effect.topics) this.subscribed.add(topic)
      if (effect.do === 'unsubscribe') for (const topic of effect.topics) this.subscribed.delete(topic)
    }
    return effects
  }

  /** A live message; an object is said as JSON. */
  say(topic: string, said: unknown, more: Partial<Message> = {}): Effect[] {
    const payload =
      said instanceof Uint8Array
        ? said
        : new TextEncoder().encode(typeof said === 'string' ? said : JSON.stringify(said))
    return this.take(this.mapper.message({ topic, payload, retained: false, qos: 1, ...more }))
  }

  /** A message from the broker's memory. */
  keep(topic: string, said: unknown): Effect[] {
    return this.say(topic, said, { retained: true })
  }

  /** Whether what is said of a topic would come. */
  hears(topic: string): boolean {
    return [...this.subscribed].some((filter) => matches(filter, topic))
  }

  value(device: string, property: string): Json {
    return unrefused(() => this.mapper.get(device, property)).value
  }

  /** The values that were reported for a property, in order. */
  reported(device: string, property: string): Json[] {
    return this.effects.flatMap((effect) =>
      effect.do === 'report' && effect.device === device && effect.property === property
        ? [effect.value]
        : [],
    )
  }

  /** What became of a command. */
  outcome(command: number): Json | undefined {
    const found = this.effects.find((effect) => effect.do === 'settled' && effect.command === command)
    return found?.do === 'settled' ? found.outcome : undefined
  }

  /** Sends a PUT and lets the broker take it. */
  put(
    device: string,
    property: string,
    body: Json,
  ): { id: number; topic: string; payload: string | Uint8Array } {
    const command = unrefused(() => this.mapper.put(device, property, body))
    this.take(this.mapper.published(command.id))
    return command
  }

  reasons(): string[] {
    return this.mapper.refused().list.map(({ reason }) => reason)
  }
}

/** uvu is silent about errors with `details`: a refusal that no test wants is told as a plain one. */
function unrefused<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new Error((error as Error).message)
  }
}

export function refusal(run: () => unknown): JstpError {
  try {
    run()
  } catch (error) {
    if (error instanceof JstpError) return error
    throw error
  }
  throw new Error('it was accepted')
}
