// What hormiga.json can say, as data (JSON Schema, draft 2020-12): errors, defaults and `check --schema` come from here
// (design §7, §9.20). `title` says what a value looks like, `description` what it is for.

import { LIMITS, type Limits } from '../core/limits.ts'
import { DEFAULTS } from '../core/options.ts'
import { historySchema } from './history.ts'
import { mqttSchema } from './mqtt.ts'
import { saturationSchema } from './saturation/index.ts'
import { devicesSchema, type Profiles } from './schema-devices.ts'
import { announceSchema, peersSchema, servicesSchema } from './services.ts'

/** The part of JSON Schema that the configuration needs. */
export interface Schema {
  $schema?: string
  title?: string
  description?: string
  default?: unknown
  type?: SchemaType | SchemaType[]
  const?: unknown
  enum?: unknown[]
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  items?: Schema | false
  prefixItems?: Schema[]
  minItems?: number
  maxItems?: number
  properties?: Record<string, Schema>
  additionalProperties?: Schema | false
  propertyNames?: Schema
  maxProperties?: number
  required?: string[]
  anyOf?: Schema[]
  /** With `discriminator` (as in OpenAPI): the one whose `const` equals that property. */
  oneOf?: Schema[]
  discriminator?: { propertyName: string }
  not?: Schema
}

export type SchemaType = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null'

/** What belongs to later versions: told apart from a slip of the pen. */
export const LATER = ['discovery', 'update']

/** The listeners that there are. */
export const LABELS = ['tcp', 'tcps', 'http', 'mqtt'] as const

/** Where the engine listens when the configuration doesn't say. */
export const LISTEN = { tcp: '127.0.0.1:33333', http: '127.0.0.1:8080' }

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
export const FORMATS = ['auto', 'pretty', 'json'] as const

const LABEL = '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$'
const PORT = '(?:[1-5]?\\d{1,4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])'
const HOST = '(?:\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)'
const TRANSPORTS = ['tcp', 'tcps', 'ws', 'wss']
/** They lead to a broker, behind which an engine is found by its name. */
const BROKERS = ['mqtt', 'mqtts']

/** Milliseconds of a `duration`'s units. */
const UNITS: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }

const label: Schema = {
  title: 'a name of up to 63 letters, digits and hyphens, such as "cocina"',
  type: 'string',
  pattern: LABEL,
}

const path: Schema = { title: 'a path', type: 'string', minLength: 1, maxLength: 4096 }

const listenAt: Schema = {
  title: 'an address and a port, such as "127.0.0.1:33333" or "[::]:33333", or false',
  anyOf: [{ type: 'string', pattern: `^${HOST}:${PORT}$` }, { const: false }],
}

const hop: Schema = {
  title: 'an address, a port and a transport, such as ["192.168.1.20", 33333, "tcp"]',
  type: 'array',
  prefixItems: [
    { title: 'an address', type: 'string', pattern: '^[A-Za-z0-9._:-]+$' },
    { title: 'a port from 1 to 65535', type: 'integer', minimum: 1, maximum: 65_535 },
    { type: 'string', enum: TRANSPORTS },
  ],
  minItems: 3,
  maxItems: 3,
  items: false,
}

/** Also one to a broker. */
const anyHop: Schema = {
  ...hop,
  prefixItems: [
    ...(hop.prefixItems as Schema[]).slice(0, 2),
    { type: 'string', enum: [...TRANSPORTS, ...BROKERS] },
  ],
}

const allowedHop: Schema = {
  title: `${hop.title} or ["*.lan", 33333, "tcp"], or a name such as "cocina"`,
  anyOf: [
    {
      ...anyHop,
      prefixItems: [
        { title: 'an address, or "*." and its end', type: 'string', pattern: '^(\\*\\.)?[A-Za-z0-9._:-]+$' },
        ...(anyHop.prefixItems as Schema[]).slice(1),
      ],
    },
    label,
  ],
}

const rule: Schema = {
  title: 'such as { "method": ["GET", "BIND"], "resource": ["cafetera", "..."] }',
  type: 'object',
  properties: {
    method: {
      title: 'a list of methods, such as ["GET", "BIND"], or ["*"]',
      type: 'array',
      minItems: 1,
      maxItems: 32,
      items: { title: 'a method, or "*"', type: 'string', pattern: '^(\\*|[A-Za-z]+)$' },
    },
    resource: {
      title: 'a pattern, such as ["cafetera", "..."]',
      type: 'array',
      minItems: 1,
      maxItems: LIMITS.resource,
      items: {
        title: 'a string, number, boolean or null',
        type: ['string', 'number', 'boolean', 'null'],
      },
    },
    listen: {
      title: 'a list of "tcp", "tcps", "http" and "mqtt"',
      description: 'The listeners for which it holds; default: all.',
      type: 'array',
      minItems: 1,
      maxItems: LABELS.length,
      items: { type: 'string', enum: [...LABELS] },
    },
  },
  required: ['method', 'resource'],
  additionalProperties: false,
}

const RANGES: Record<keyof Limits, [min: number, max: number, description: string]> = {
  frame: [1024, 1 << 26, 'Bytes of one frame.'],
  nesting: [8, 1024, 'Lists and objects inside each other.'],
  resource: [1, 1024, 'Elements of a resource or a pattern.'],
  subscriptions: [1, 1_000_000, 'Subscriptions of one channel.'],
  transactions: [1, 1_000_000, 'Transactions open for one channel.'],
  channels: [1, 65_535, 'Channels open at once.'],
  outbound: [1024, 1 << 28, 'Bytes waiting for one channel that does not read.'],
  garbage: [1, 1_000_000, 'Frames in a minute that are no dispatch, before the channel is closed.'],
  hops: [1, 255, 'How many engines a dispatch may pass.'],
}

const limits = Object.fromEntries(
  Object.entries(RANGES).map(([key, [minimum, maximum, description]]) => [
    key,
    { description, type: 'integer', minimum, maximum, default: LIMITS[key as keyof Limits] } as Schema,
  ]),
)

const sections: Record<string, Schema> = {
  $schema: { description: 'For editors: where this schema is.', type: 'string' },
  name: { ...label, description: 'How other engines call this one.', default: DEFAULTS.name },
  listen: {
    description: 'Where to listen. Beyond loopback strangers may do only what "access" grants.',
    default: LISTEN,
    type: 'object',
    properties: {
      tcp: { ...listenAt, description: 'JSTP over TCP.' },
      tcps: { ...listenAt, description: 'JSTP over TLS; needs "tls".' },
      http: { ...listenAt, description: 'The page, the REST face, and WebSocket on "/".' },
      mqtt: {
        description: 'At the broker of "mqtt", for engines that are there too.',
        type: 'boolean',
        default: false,
      },
      tls: {
        description: 'PEM files for TLS; paths start at the folder of this file.',
        type: 'object',
        properties: {
          key: { ...path, description: 'The private key.' },
          cert: { ...path, description: 'The certificate, with its chain.' },
        },
        required: ['key', 'cert'],
        additionalProperties: false,
      },
    },
    additionalProperties: false,
  },
  mode: {
    description: 'Whether slips of other programs are repaired or refused.',
    type: 'string',
    enum: ['quirks', 'strict'],
    default: DEFAULTS.mode,
  },
  answerTimeout: {
    title: 'a time from 1 ms to 1 h, such as "10s" or "500ms", or a number of ms',
    description: 'How long a subscriber has for its answer.',
    anyOf: [
      { type: 'string', pattern: '^[0-9]{1,9}(\\.[0-9]{1,3})?(ms|s|min|h)$' },
      { type: 'number', minimum: 1, maximum: 3_600_000 },
    ],
    default: '10s',
  },
  bluetooth: {
    description: 'The Bluetooth adapter.',
    type: 'object',
    properties: {
      source: {
        title: 'one of "kernel", "hci1", "unix:/path", "tcp:host:port", "serial:/dev/ttyUSB0@115200"',
        description: 'Where its controller is.',
        type: 'string',
        pattern: `^(kernel|hci\\d{1,2}|unix:/.+|tcp:${HOST}:(?!0+$)${PORT}|serial:/[^@]+(@\\d{4,7})?)$`,
        default: 'kernel',
      },
    },
    additionalProperties: false,
  },
  forward: {
    description: 'Where strangers may be forwarded to; by default nowhere.',
    type: 'object',
    properties: { allow: { title: 'a list of hops', type: 'array', maxItems: 1000, items: allowedHop } },
    additionalProperties: false,
  },
  hosts: {
    description: 'Names of virtual hosts, and where they are.',
    type: 'object',
    propertyNames: label,
    maxProperties: 1000,
    additionalProperties: { title: 'a list of hops', type: 'array', minItems: 1, maxItems: 100, items: hop },
  },
  access: {
    title: 'a list of rules',
    description: 'What may be done without a key. Without it: everything over loopback, else nothing.',
    type: 'array',
    maxItems: 1000,
    items: rule,
  },
  http: {
    description: 'Whom the HTTP server trusts besides its own pages and names.',
    type: 'object',
    properties: {
      origins: {
        description: 'Pages of other servers that may use this one.',
        type: 'array',
        maxItems: 100,
        items: {
          title: 'an origin, such as "https://casa.example"',
          type: 'string',
          pattern: '^https?://[^/\\s]+$',
        },
      },
      hosts: {
        description: 'Names under which this server is reached.',
        type: 'array',
        maxItems: 100,
        items: {
          title: 'a host name without port, such as "casa.example"',
          type: 'string',
          pattern: '^[A-Za-z0-9._-]+$',
        },
      },
    },
    additionalProperties: false,
  },
  saturation: saturationSchema,
  services: servicesSchema(anyHop, label),
  announce: announceSchema(label),
  peers: peersSchema(hop),
  mqtt: mqttSchema(path),
  history: historySchema,
  limits: {
    description: 'Bounds of the engine.',
    type: 'object',
    properties: limits,
    additionalProperties: false,
  },
  log: {
    description: 'What is logged to standard error.',
    type: 'object',
    properties: {
      level: { type: 'string', enum: [...LEVELS], default: 'info' },
      format: {
        description: '"auto" is "pretty" on a terminal, else "json".',
        type: 'string',
        enum: [...FORMATS],
        default: 'auto',
      },
    },
    additionalProperties: false,
  },
  state: { ...path, description: 'The folder for what must outlive a restart.' },
  trust: {
    ...path,
    description: 'The file that says which keys may do what; default: trust.json beside this one.',
  },
}

/** The schema of a configuration in which these profiles can be used. */
export function configSchema(profiles: Profiles): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'an object, such as { "name": "cocina" }',
    description: 'hormiga.json',
    type: 'object',
    properties: { ...sections, devices: devicesSchema(profiles, path) },
    additionalProperties: false,
  }
}

/** Of `"10s"`, `"500ms"`, or milliseconds already. */
export function milliseconds(duration: string | number): number {
  if (typeof duration === 'number') return duration
  const [, amount, unit = 'ms'] = /^([\d.]+)([a-z]+)$/.exec(duration) ?? []
  return Number(amount) * (UNITS[unit] as number)
}
