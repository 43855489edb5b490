// Plain topics, mapped by the owner: what they say holds over all discovery (C9.1).

import type { Json } from '../../core/dispatch.ts'
import type { Type } from '../../device/profile.ts'
import type { Described, Property } from './declaration.ts'
import { toText, toValue, type Words, wordGate } from './reading.ts'
import type { Registry } from './registry.ts'
import { applyTemplate, readTemplate } from './template.ts'
import { isTopic, slug } from './topics.ts'

const SCALAR: Type[] = ['number', 'string', 'boolean']

/** A property of a device that only the owner knows. */
export interface PlainProperty {
  /** Where its values are heard. */
  topic?: string
  /** How to read them, e.g. `{{ value_json.temperature }}`. */
  template?: string
  /** Where it is set. */
  command?: string
  type?: Type
  unit?: string
  deviceClass?: string
  range?: [min: number, max: number]
  values?: string[]
  /** Words of a boolean. */
  on?: string
  off?: string
  /** Milliseconds after which its value counts as gone. */
  expireAfter?: number
  event?: true
}

export interface PlainDevice {
  name?: string
  /** A topic that says `online` or `offline`, or the words given. */
  availability?: { topic: string; on?: string; off?: string }
  properties: Record<string, PlainProperty>
}

/** Declares what the configuration says. @throws {Error} what can't be, and where */
export function declarePlain(registry: Registry, devices: Record<string, PlainDevice>): void {
  for (const [id, { name, availability, properties }] of Object.entries(devices)) {
    registry.declare({
      source: 'configuration',
      key: `configuration ${id}`,
      identities: [id],
      about: { name: name ?? id },
      availability: availability
        ? [
            {
              mode: 'all',
              gates: [
                wordGate(
                  checked(availability.topic, id),
                  { on: availability.on ?? 'online', off: availability.off ?? 'offline' },
                  false,
                ),
              ],
            },
          ]
        : [],
      properties: Object.entries(properties).map(([word, property]) =>
        propertyOf(`${id}/${word}`, word, property),
      ),
      retained: false,
    })
  }
}

function propertyOf(where: string, word: string, property: PlainProperty): Property {
  if (slug(word) !== word)
    throw new Error(`${where}: a property is called by lower-case letters, digits, "-" and "_"`)
  const { topic, template, command, type = SCALAR, on, off, expireAfter, event } = property
  const { unit, deviceClass, range, values } = property
  const described: Described = {
    type,
    description: word,
    ...(unit && { unit }),
    ...(deviceClass && { deviceClass }),
    ...(range && { range }),
    ...(values && { values }),
    ...(type === 'boolean' && { aliases: { on: true, off: false } }),
  }
  const words: Words = { on: on ?? 'ON', off: off ?? 'OFF' }
  const read = reader(where, template, described, words)
  return {
    id: word,
    described,
    readings: topic === undefined ? [] : [{ topic: checked(topic, where), read }],
    setter:
      command === undefined
        ? undefined
        : {
            topic: checked(command, where),
            qos: 1,
            confirm: topic === undefined || topic === command ? 'none' : 'echo',
            encode: (value) => toText(value, words),
          },
    ...(expireAfter && { expireAfter }),
    ...(event && { event }),
  }
}

function reader(
  where: string,
  source: string | undefined,
  described: Described,
  words: Words,
): Property['readings'][0]['read'] {
  const isOpen = Array.isArray(described.type) || described.type === 'object' || described.type === 'list'
  if (source === undefined) {
    return ({ text, json }) => toValue(isOpen ? (scalar(json, described) ?? text) : text, described, words)
  }
  try {
    const template = readTemplate(source)
    return (payload) => toValue(applyTemplate(template, payload), described, words)
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`)
  }
}

/** Where any scalar may come, JSON that is none stays text. */
function scalar(json: Json | undefined, { type }: Described): Json | undefined {
  return Array.isArray(type) && typeof json === 'object' ? undefined : json
}

function checked(topic: string, where: string): string {
  if (!isTopic(topic)) throw new Error(`${where}: "${topic.slice(0, 80)}" is no topic without wildcards`)
  return topic
}
