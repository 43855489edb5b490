// `"mqtt": { "broker": "embedded" }`: the broker of this engine itself (design §9.24), as the configuration tells of it. For
// everything else here it is a broker like any other, at an address of its own.

import { isLoopback } from '../core/access.ts'
import type { ListenAt } from '../core/transport.ts'
import type { Schema } from './schema.ts'

/** What stands for it in `broker`. */
export const EMBEDDED = 'embedded'

const LISTEN = '127.0.0.1:1883'

export interface WrittenMqtt {
  broker?: string
  listen?: string
  user?: string
  passwordFile?: string
  tls?: { ca: string }
}

/** The settings of the section that are different with it. `broker`: how an address is told. */
export function embeddedSchema(broker: Schema): Record<'broker' | 'listen', Schema> {
  return {
    broker: {
      ...broker,
      title: `${broker.title}, or "${EMBEDDED}"`,
      pattern: `${broker.pattern}|^${EMBEDDED}$`,
      description: `${broker.description} "${EMBEDDED}": a small one, in this engine.`,
    },
    listen: {
      title: 'an address and a port, such as "0.0.0.0:1883"',
      description: `Where the one in this engine listens. Beyond loopback it needs "user" and "passwordFile".`,
      type: 'string',
      pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}$',
      default: LISTEN,
    },
  }
}

/** Where it listens, and its address for us; nothing when another broker is used. */
export function toEmbedded({
  broker,
  listen = LISTEN,
}: WrittenMqtt): { broker: string; embedded: ListenAt } | undefined {
  if (broker !== EMBEDDED) return undefined
  const embedded = readAddress(listen)
  const { address, port } = embedded
  const own = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[address] ?? listen.slice(0, listen.lastIndexOf(':'))
  return { broker: `mqtt://${own}:${port}`, embedded }
}

/** What no schema can say: at which setting, and what is wrong there. `services`: their replicas. */
export function findEmbeddedProblems(
  mqtt: WrittenMqtt,
  services: Record<string, { replicas?: unknown[][] }>,
): { path: string[]; message: string }[] {
  const found = toEmbedded(mqtt)
  if (!found) {
    if (mqtt.listen === undefined) return []
    return [
      { path: ['mqtt', 'listen'], message: `it is for the broker in this engine: "broker": "${EMBEDDED}"` },
    ]
  }
  const { address, port } = found.embedded
  const problems: { path: string[]; message: string }[] = []
  const say = (path: string[], message: string) => void problems.push({ path, message })
  if (port > 65_535) say(['mqtt', 'listen'], `there is no port ${port}: they end at 65535`)
  if (mqtt.tls) say(['mqtt', 'tls'], 'the broker in this engine speaks no TLS: take "tls" away')
  const isOpen = mqtt.user === undefined || mqtt.passwordFile === undefined
  if (isOpen && !isLoopback(address))
    say(
      ['mqtt', 'listen'],
      'beyond loopback it needs "user" and "passwordFile": write both, or leave "listen" out',
    )
  for (const [name, { replicas = [] }] of Object.entries(services)) {
    const isOver = replicas.some(([host, at, label]) => {
      return label === 'mqtt' && at === port && (host === address || isLoopback(String(host)))
    })
    if (isOver)
      say(
        ['services', name],
        'replicas need a broker that outlives this engine: use a real one, as "mqtt://localhost:1883"',
      )
  }
  return problems
}

function readAddress(text: string): ListenAt {
  const colon = text.lastIndexOf(':')
  return { address: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) }
}
