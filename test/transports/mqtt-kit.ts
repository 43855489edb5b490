// Engines at a real broker: each with a key, its own transport, and whom it knows by name.

import { randomUUID } from 'node:crypto'
import { nodeOf, presenceOf } from '../../src/app/presence.ts'
import type { Access } from '../../src/core/access.ts'
import type { ListenAt } from '../../src/core/transport.ts'
import { Guard } from '../../src/identity/guard.ts'
import { lastingPrekeys } from '../../src/identity/prekeys.ts'
import type { Signer } from '../../src/identity/provider.ts'
import { Trust } from '../../src/identity/trust.ts'
import { readTrust } from '../../src/identity/trust-file.ts'
import { type DoorOptions, Engine, type Env, type Hop, type Log, nodeEnv } from '../../src/index.ts'
import { type MqttOptions, type MqttTransport, mqtt } from '../../src/transports/mqtt.ts'
import { tcp } from '../../src/transports/tcp.ts'
import { node, range } from '../identity/kit.ts'
import { fileOf } from '../identity/parties.ts'

const LOCAL = '127.0.0.1'
const SEEDS: Record<string, number> = { a: 0x00, b: 0x20, c: 0x40, d: 0x60 }
const ALL = [
  { method: ['*'], resource: ['...'] },
  { method: ['BIND'], resource: ['...'], events: ['*'] },
]

export function signer(name: string): Signer {
  return node.signer(range(SEEDS[name] as number, 32)) as Signer
}

/** Tells what it has warned of. */
export class Lines implements Log {
  readonly lines: string[] = []
  debug(): void {}
  info(text: string): void {
    this.lines.push(text)
  }
  warn(text: string): void {
    this.lines.push(text)
  }
  error(text: string): void {
    this.lines.push(text)
  }
  has(pattern: RegExp): boolean {
    return this.lines.some((line) => pattern.test(line))
  }
}

export interface AtBroker {
  name: string
  boot: string
  engine: Engine
  env: Env
  log: Lines
  transport: MqttTransport
  tcpPort: number | undefined
  guard: Guard
  counted(meter: string): number
  close(): Promise<void>
}

export interface AtBrokerOptions extends Omit<DoorOptions, 'name'> {
  /** Names whose keys it trusts; default: all. */
  knows?: string[]
  label?: 'mqtt' | 'mqtts'
  more?: Partial<MqttOptions>
  port: number
  isListening?: boolean
  /** It speaks TCP as well, and listens by it. */
  tcpToo?: boolean
  boot?: string
}

/** Whoever reaches it may do everything: what it may be for strangers is a matter of the program. */
class Open extends Engine {
  protected override accessFor(): Access | undefined {
    return undefined
  }
}

/** An engine whose name says which key it has. */
export async function startAt(name: string, options: AtBrokerOptions): Promise<AtBroker> {
  const {
    knows = Object.keys(SEEDS),
    label = 'mqtt',
    more,
    port,
    isListening = true,
    boot = randomUUID(),
    tcpToo,
    ...door
  } = options
  const log = new Lines()
  const env = nodeEnv(log)
  const own = signer(name)
  const others = knows.filter((it) => it !== name)
  const trust = new Trust(node, own.kid, {
    file: readTrust(fileOf(others.map((it) => ({ key: signer(it).kid, name: it, allow: ALL }))), 'trust'),
    uptime: () => env.clock.now(),
  })
  const guard = new Guard({ provider: node, signer: own, trust, prekeys: lastingPrekeys(node) as never })
  const transport = mqtt(
    {
      env,
      node: nodeOf(own.kid),
      boot,
      presence: presenceOf(own, boot),
      answerTimeout: door.answerTimeout ?? 5000,
      resolve: (known) => (others.includes(known) ? { node: nodeOf(signer(known).kid) } : undefined),
      renewed: (peer) => {
        const known = others.find((it) => nodeOf(signer(it).kid) === peer)
        if (known) guard.renewed(guard.identity.idOf(known) as string)
      },
      ...more,
    },
    label,
  )
  const engine = new Open({ name, env, guard, answerTimeout: 5000, transports: [transport, tcp()], ...door })
  if (isListening) await engine.listen(label, { address: LOCAL, port } satisfies ListenAt)
  const tcpPort = tcpToo ? (await engine.listen('tcp', { address: LOCAL, port: 0 })).port : undefined
  return {
    tcpPort,
    name,
    boot,
    engine,
    env,
    log,
    transport,
    guard,
    counted: (meter) => env.meters.read()[meter] ?? 0,
    async close() {
      await engine.close(0)
      await transport.closed()
    },
  }
}

export function hopTo(port: number, name: string, label = 'mqtt'): Hop[] {
  return [[LOCAL, port, label], name]
}
