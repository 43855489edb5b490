// `"mqtt": { "homeassistant": … }`: which of our devices Home Assistant gets to see (design §9.20).

import type { Schema } from './schema.ts'

export interface HomeAssistantConfig {
  /** First level of discovery topics; default: `homeassistant`. */
  prefix?: string
  /** Names of devices; default: all that are not behind a broker themselves. */
  devices?: string[]
}

export interface WrittenHomeAssistant {
  broker?: string
  homeassistant?: boolean | HomeAssistantConfig
}

export const homeAssistantSchema: Schema = {
  title: 'true, false, or an object such as { "devices": ["cafetera"] }',
  description:
    'Shows devices in Home Assistant, and takes its commands: who may publish at the broker may use them.',
  anyOf: [
    { type: 'boolean' },
    {
      type: 'object',
      properties: {
        prefix: {
          title: 'what discovery topics begin with, such as "homeassistant"',
          description: 'As Home Assistant has it in the settings of its MQTT integration.',
          type: 'string',
          pattern: '^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$',
          maxLength: 128,
          default: 'homeassistant',
        },
        devices: {
          title: 'a list of names of devices, such as ["cafetera"]',
          description: 'Only these. Without it: all that are not behind a broker themselves.',
          type: 'array',
          maxItems: 200,
          items: { title: 'the name of a device', type: 'string' },
        },
      },
      additionalProperties: false,
    },
  ],
  default: false,
}

/** Nothing when it is not wanted. */
export function toHomeAssistant({ homeassistant }: WrittenHomeAssistant): {
  homeassistant?: HomeAssistantConfig
} {
  if (!homeassistant) return {}
  return { homeassistant: homeassistant === true ? {} : homeassistant }
}

/** What no schema can say. `devices`: all names. */
export function findHomeAssistantProblems(
  { broker, homeassistant }: WrittenHomeAssistant,
  devices: string[],
): { path: string[]; message: string }[] {
  if (!homeassistant) return []
  const path = ['mqtt', 'homeassistant']
  if (!broker) return [{ path, message: 'it needs a broker: write "broker" beside it' }]
  const unknown = (homeassistant === true ? [] : (homeassistant.devices ?? [])).filter(
    (name) => !devices.includes(name),
  )
  return unknown.map((name) => ({
    path,
    message: `there is no device ${JSON.stringify(name)} in "devices"`,
  }))
}
