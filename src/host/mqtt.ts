// What the configuration says of MQTT brokers: the section `mqtt`, and devices that are behind one (design §9.20).

import { readFileSync } from 'node:fs'
import type { ListenAt } from '../core/transport.ts'
import { embeddedSchema, toEmbedded, type WrittenMqtt } from './embedded.ts'
import {
  type HomeAssistantConfig,
  homeAssistantSchema,
  toHomeAssistant,
  type WrittenHomeAssistant,
} from './homeassistant.ts'
import type { Schema } from './schema.ts'

/** A broker, and what it wants to know of us. Paths are absolute. */
export interface BrokerConfig {
  /** `mqtt://host:1883` or `mqtts://host:8883`. */
  broker: string
  user?: string
  passwordFile?: string
  tls?: { ca: string }
}

/** The section `mqtt`; without `broker` only devices that name one themselves use any. */
export interface MqttConfig extends Partial<BrokerConfig> {
  /** Engines of other realms at the same broker are not met. */
  realm?: string
  /** Where the broker in this engine listens, if `broker` is that one. */
  embedded?: ListenAt
  /** Shows devices in Home Assistant. */
  homeassistant?: HomeAssistantConfig
}

/** How a broker is told, in the section and at a device. */
export function brokerSchemas(path: Schema): Record<keyof BrokerConfig, Schema> {
  return {
    broker: {
      title: 'the address of a broker, such as "mqtt://192.168.1.5:1883" or "mqtts://broker.example"',
      type: 'string',
      pattern: '^mqtts?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?$',
      description: 'Where it is. User and password have settings of their own.',
    },
    user: { title: 'a name', type: 'string', minLength: 1, maxLength: 1024, description: 'Our name there.' },
    passwordFile: { ...path, description: 'A file with nothing but the password.' },
    tls: {
      description: 'Whom to trust with "mqtts:".',
      type: 'object',
      properties: { ca: { ...path, description: 'Certificates (PEM) instead of the usual ones.' } },
      required: ['ca'],
      additionalProperties: false,
    },
  }
}

export function mqttSchema(path: Schema): Schema {
  const schemas = brokerSchemas(path)
  return {
    description: 'The MQTT broker for everything here that needs one.',
    type: 'object',
    properties: {
      ...schemas,
      ...embeddedSchema(schemas.broker),
      homeassistant: homeAssistantSchema,
      realm: {
        title: 'a word of letters, digits, "-" and "_"',
        description: 'Engines of other realms at the same broker are not met.',
        type: 'string',
        pattern: '^[A-Za-z0-9_-]{1,64}$',
        default: 'home',
      },
    },
    additionalProperties: false,
  }
}

const filter: Schema = {
  title: 'a topic filter, such as "kitchen/#"',
  type: 'string',
  minLength: 1,
  maxLength: 512,
}
const topic: Schema = {
  title: 'a topic, such as "kitchen/temperature"',
  type: 'string',
  pattern: '^[^#+]{1,512}$',
}
const word: Schema = { title: 'a word', type: 'string', maxLength: 128 }
const type: Schema = { type: 'string', enum: ['boolean', 'integer', 'number', 'string', 'list', 'object'] }

const property: Schema = {
  title: 'such as { "topic": "kitchen/temperature", "unit": "°C" }',
  type: 'object',
  properties: {
    topic: { ...topic, description: 'Where its values are heard.' },
    template: { ...word, maxLength: 512, description: 'How to read them: {{ value_json.temperature }}.' },
    command: { ...topic, description: 'Where it is set.' },
    type: {
      title: 'a type, or a list of types',
      anyOf: [type, { type: 'array', minItems: 1, maxItems: 6, items: type }],
    },
    unit: word,
    deviceClass: word,
    range: {
      title: 'the smallest and the largest number',
      type: 'array',
      minItems: 2,
      maxItems: 2,
      items: { type: 'number' },
    },
    values: { title: 'a list of words', type: 'array', maxItems: 256, items: word },
    on: { ...word, description: 'What stands for true; default: ON.' },
    off: { ...word, description: 'What stands for false; default: OFF.' },
    expireAfter: {
      type: 'integer',
      minimum: 1000,
      maximum: 86_400_000,
      description: 'Milliseconds after which its value counts as gone.',
    },
    event: { const: true, title: 'true', description: 'It happens instead of having a value.' },
  },
  additionalProperties: false,
}

/** What only devices behind a broker can be told, besides the broker itself. */
export const MQTT_DEVICE: Record<string, Schema> = {
  allow: {
    title: 'a list of topic filters, such as ["kitchen/#"]; ["#"]: any',
    description: 'More topics that discovery may name; without it only those below the bases.',
    type: 'array',
    maxItems: 1000,
    items: filter,
  },
  bases: {
    description: 'First levels of topics, where they are not the usual ones.',
    type: 'object',
    properties: { homeassistant: topic, zigbee2mqtt: topic, homie: topic },
    additionalProperties: false,
  },
  devices: {
    description: 'Devices that no discovery tells of, by the name of their resources.',
    type: 'object',
    maxProperties: 1000,
    propertyNames: { title: 'lower-case letters, digits, "-" and "_"', pattern: '^[a-z0-9_-]{1,64}$' },
    additionalProperties: {
      title: 'such as { "properties": { "temperature": { "topic": "kitchen/temperature" } } }',
      type: 'object',
      properties: {
        name: { ...word, description: 'What people call it.' },
        availability: {
          title: 'such as { "topic": "kitchen/status" }',
          type: 'object',
          properties: { topic, on: word, off: word },
          required: ['topic'],
          additionalProperties: false,
        },
        properties: {
          title: 'properties by their names',
          type: 'object',
          maxProperties: 256,
          propertyNames: { title: 'lower-case letters, digits, "-" and "_"', pattern: '^[a-z0-9_-]{1,64}$' },
          additionalProperties: property,
        },
      },
      required: ['properties'],
      additionalProperties: false,
    },
  },
}

/** The section as the program works with it. */
export function toMqtt(
  written: WrittenMqtt & WrittenHomeAssistant & { realm?: string },
  absolute: (path: string) => string,
): MqttConfig {
  const { realm } = written
  return {
    ...toBroker(written, absolute),
    ...toEmbedded(written),
    ...toHomeAssistant(written),
    ...(realm && { realm }),
  }
}

/** The broker of a URL. */
export function brokerAt(url: string): ListenAt {
  const { protocol, hostname, port } = new URL(url)
  return {
    address: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || (protocol === 'mqtts:' ? 8883 : 1883)),
  }
}

/** Paths as they are from anywhere. */
export function toBroker<Written extends Partial<BrokerConfig>>(
  { broker, user, passwordFile, tls }: Written,
  absolute: (path: string) => string,
): Pick<Written, keyof BrokerConfig & keyof Written> {
  const read = {
    ...(broker && { broker }),
    ...(user && { user }),
    ...(passwordFile && { passwordFile: absolute(passwordFile) }),
    ...(tls && { tls: { ca: absolute(tls.ca) } }),
  }
  return read as Pick<Written, keyof BrokerConfig & keyof Written>
}

/**
 * Reads what the files have. An end of line after the password is none of it.
 * @throws {Error} which file can't be read, and why
 */
export function readCredentials({ user, passwordFile, tls }: MqttConfig): {
  user?: string
  password?: string
  ca?: string
} {
  return {
    user,
    password: passwordFile && read(passwordFile, 'passwordFile').replace(/\r?\n$/, ''),
    ca: tls && read(tls.ca, 'tls.ca'),
  }
}

function read(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${setting}: ${file} can't be read: ${(error as Error).message}`)
  }
}
