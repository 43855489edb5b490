// The sections `services`, `announce` and `peers` of the configuration: names that stand for several engines, and the names
// that this one serves for others (design §5, §6).

import type { Hop } from '../core/dispatch.ts'
import type { Schema } from './schema.ts'

export type Address = Exclude<Hop, string>

/** A name that stands for several engines. Times are milliseconds. */
export interface ServiceConfig {
  replicas: Address[]
  announced: boolean | string[]
  retry: string[]
  scale: ScaleConfig | undefined
}

export interface ScaleConfig {
  command: string[]
  stop: string[] | undefined
  coolDown: number
  drainAfter: number
}

/** As it is written, after the schema has been checked. */
export interface WrittenService {
  replicas?: Address[]
  announced?: boolean | string[]
  retry?: string[]
  scale?: { command: string[]; stop?: string[]; coolDown?: string | number; drainAfter?: string | number }
}

const RETRY = ['GET']
const COOL_DOWN = '60s'
const DRAIN_AFTER = '5min'

/** `hop` and `label`: how addresses and names are written everywhere. */
export function servicesSchema(hop: Schema, label: Schema): Schema {
  const replicas: Schema = { title: 'a list of hops', type: 'array', maxItems: 100, items: hop }
  return {
    description: 'Names that stand for several engines.',
    type: 'object',
    propertyNames: label,
    maxProperties: 1000,
    additionalProperties: {
      title: 'such as { "replicas": [["10.0.0.7", 33333, "tcp"]] }',
      type: 'object',
      properties: {
        replicas: { ...replicas, description: 'Where they are.' },
        announced: {
          title: 'true, false, or a list of keys such as "did:key:z6Mk…"',
          description:
            'Who may announce that it serves the name: all that may POST ["engine","announce"], or these.',
          anyOf: [
            { type: 'boolean' },
            {
              type: 'array',
              maxItems: 1000,
              items: {
                title: 'a key, such as "did:key:z6Mk…"',
                type: 'string',
                pattern: '^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$',
              },
            },
          ],
          default: false,
        },
        retry: {
          title: 'a list of methods, such as ["GET", "PUT"]',
          description: 'What may be asked twice: it is asked elsewhere when an engine is lost.',
          type: 'array',
          maxItems: 32,
          items: { title: 'a method', type: 'string', pattern: '^[A-Za-z]+$' },
          default: RETRY,
        },
        scale: {
          description: 'Starts one engine more when all are critical.',
          type: 'object',
          properties: {
            command: { ...commandSchema('["systemctl", "start", "hormiga@2"]'), description: 'Starts it.' },
            stop: {
              ...commandSchema('["systemctl", "stop", "hormiga@2"]'),
              description: 'Ends it when it is drained.',
            },
            coolDown: { ...durationSchema(COOL_DOWN), description: 'Between two starts.' },
            drainAfter: { ...durationSchema(DRAIN_AFTER), description: 'Calm before it is drained.' },
          },
          required: ['command'],
          additionalProperties: false,
        },
      },
      additionalProperties: false,
    },
  }
}

export function announceSchema(label: Schema): Schema {
  return {
    title: 'a list of names',
    description: 'Names that this engine serves; its "peers" are told.',
    type: 'array',
    maxItems: 100,
    items: label,
  }
}

export function peersSchema(hop: Schema): Schema {
  return {
    title: 'a list of hops',
    description: 'Engines to which the connection is kept, to announce names there.',
    type: 'array',
    maxItems: 100,
    items: hop,
  }
}

/** `milliseconds` reads a time. */
export function toServices(
  written: Record<string, WrittenService>,
  milliseconds: (time: string | number) => number,
): Record<string, ServiceConfig> {
  const toScale = ({
    command,
    stop,
    coolDown = COOL_DOWN,
    drainAfter = DRAIN_AFTER,
  }: NonNullable<WrittenService['scale']>) => ({
    command,
    stop,
    coolDown: milliseconds(coolDown),
    drainAfter: milliseconds(drainAfter),
  })
  const toService = ({
    replicas = [],
    announced = false,
    retry = RETRY,
    scale,
  }: WrittenService): ServiceConfig => ({
    replicas,
    announced,
    retry,
    scale: scale && toScale(scale),
  })
  return Object.fromEntries(Object.entries(written).map(([name, service]) => [name, toService(service)]))
}

/** What no schema can say: where in `services`, and what is wrong there. */
export function findServiceProblems(
  services: Record<string, WrittenService>,
  { hosts, name }: { hosts: string[]; name: string | undefined },
): { path: string[]; message: string }[] {
  return Object.entries(services).flatMap(([service, { replicas = [], announced = false }]) => {
    const message = problemOf(service, { hosts, name, isServed: replicas.length > 0 || announced !== false })
    return message ? [{ path: [service], message }] : []
  })
}

function problemOf(
  service: string,
  { hosts, name, isServed }: { hosts: string[]; name: string | undefined; isServed: boolean },
): string | undefined {
  if (service === name) return 'it is the name of this engine: take another one'
  if (hosts.includes(service)) return 'it is in "hosts" too: keep one of them'
  return isServed ? undefined : 'nobody can serve it: write "replicas", or "announced": true'
}

function commandSchema(example: string): Schema {
  return {
    title: `a program and its arguments, such as ${example}`,
    type: 'array',
    minItems: 1,
    maxItems: 100,
    items: { title: 'a word', type: 'string', maxLength: 4096 },
  }
}

function durationSchema(usual: string): Schema {
  return {
    title: 'a time, such as "60s" or "5min", or a number of ms',
    anyOf: [
      { type: 'string', pattern: '^[0-9]{1,9}(\\.[0-9]{1,3})?(ms|s|min|h)$' },
      { type: 'number', minimum: 0, maximum: 86_400_000 },
    ],
    default: usual,
  }
}
