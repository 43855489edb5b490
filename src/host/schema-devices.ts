// What the configuration can say of devices: by their medium, and by their profile.

import { brokerSchemas, MQTT_DEVICE } from './mqtt.ts'
import type { Schema } from './schema.ts'

type SettingType = 'boolean' | 'integer' | 'number' | 'string' | 'list' | 'object'

/** What a profile can be told; a `Field` of `#device` is one. */
export interface Setting {
  type: SettingType | SettingType[]
  description: string
  unit?: string
  range?: [min: number, max: number]
  values?: (string | number)[]
  aliases?: Record<string, unknown>
  pattern?: string
  fields?: Record<string, Setting>
  each?: Setting
  required?: true
  default?: unknown
}

/** The profiles that there are, how their devices are reached, and what each can be told. */
export type Profiles = Record<string, { medium: Medium; options: Record<string, Setting> }>

export type Medium = 'ble' | 'serial' | 'mqtt'

/** Roots of the engine itself (design §9.1). */
export const RESERVED = ['engine', 'sec', 'sealed', 'metrics', 'health']

const DEVICES = 1000

/** `path`: how paths are written everywhere. */
export function devicesSchema(profiles: Profiles, path: Schema): Schema {
  const media = mediaSchemas(path)
  return {
    description: 'The devices, by the name of their resources.',
    type: 'object',
    maxProperties: DEVICES,
    propertyNames: {
      title: `a name that starts with a letter, has only letters, digits, "-" and "_", and is none of ${RESERVED.join(', ')}`,
      pattern: '^\\p{L}[\\p{L}\\p{N}_-]{0,62}$',
      not: { enum: RESERVED },
    },
    additionalProperties: {
      type: 'object',
      required: ['profile'],
      discriminator: { propertyName: 'profile' },
      oneOf: Object.entries(profiles).map(([profile, { medium, options }]) =>
        deviceSchema(profile, options, media[medium]),
      ),
    },
  }
}

const simulated: Schema = {
  description: 'Without the thing: a simulator answers.',
  type: 'boolean',
  default: false,
}

/** What every device of a medium can be told. */
function mediaSchemas(path: Schema): Record<Medium, Record<string, Schema>> {
  return {
    ble: {
      address: {
        title: 'a Bluetooth address, such as "00:a0:50:12:34:56"',
        type: 'string',
        pattern: '^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$',
      },
      simulated,
    },
    serial: {
      port: {
        title: 'a serial port, such as "/dev/serial/by-id/usb-…", or its board as "usb:2341:0043"',
        description: 'Where it is plugged in.',
        type: 'string',
        pattern: '^(/.+|usb:[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}(:.+)?)$',
        maxLength: 4096,
      },
      speed: {
        description: 'Bits per second, where they are not the usual ones.',
        type: 'integer',
        minimum: 300,
        maximum: 4_000_000,
      },
      simulated,
    },
    mqtt: { ...brokerSchemas(path), ...MQTT_DEVICE },
  }
}

function deviceSchema(
  profile: string,
  options: Record<string, Setting>,
  medium: Record<string, Schema>,
): Schema {
  return {
    properties: {
      ...properties(options),
      profile: { description: 'What it is.', const: profile },
      ...medium,
    },
    required: ['profile', ...required(options)],
    additionalProperties: false,
  }
}

function properties(settings: Record<string, Setting>): Record<string, Schema> {
  return Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, settingSchema(setting)]))
}

function required(settings: Record<string, Setting>): string[] {
  return Object.keys(settings).filter((name) => settings[name]?.required)
}

function settingSchema(setting: Setting): Schema {
  const { description, unit, range, values, aliases, pattern, fields, each } = setting
  const types = [setting.type].flat().map((type) => (type === 'list' ? 'array' : type))
  const schema: Schema = { description: unit ? `${description} (${unit})` : description, type: types }
  if (range) [schema.minimum, schema.maximum] = range
  if (values) schema.enum = values
  if (pattern) schema.pattern = `^(?:${pattern})$`
  if (setting.default !== undefined) schema.default = setting.default
  if (fields) {
    schema.properties = properties(fields)
    schema.required = required(fields)
    schema.additionalProperties = false
  }
  if (each) schema.additionalProperties = settingSchema(each)
  return aliases ? { description, anyOf: [schema, { enum: Object.keys(aliases) }] } : schema
}
