// The engine of one command: dials where the URI or the trust file says, or the engine of this machine where they name no
// address.

import { knownProfiles } from '../app/profiles.ts'
import { programName, quote } from '../app/program.ts'
import type { Element, Hop } from '../core/dispatch.ts'
import { JstpError } from '../core/status.ts'
import type { Transport } from '../core/transport.ts'
import { formatUri, parseUri, type Uri } from '../core/uri.ts'
import { ConfigError, loadConfig } from '../host/config.ts'
import { Engine, type Log, nodeEnv } from '../index.ts'
import { fromHere } from '../transports/sockets.ts'
import { tcp, tcps } from '../transports/tcp.ts'
import { ws, wss } from '../transports/ws.ts'
import { UsageError } from './args.ts'
import type { Target } from './target.ts'

export interface Call {
  engine: Engine
  /** What to ask or bind, with the address to dial. */
  at: string
  resource: Element[]
  /** For whom it is protected; `undefined`: it goes in clear. */
  target: Target | undefined
  /** Why the first host could not be dialed, and what to do. */
  readonly failure: string | undefined
  close(): Promise<void>
}

export interface CallOptions {
  uri: string
  /** The command: a URI that names another method is a slip. */
  method: string
  /** `--engine` */
  engine?: string
  /** `--key` */
  key?: string
  /** `--as` */
  as?: string
  /** Milliseconds until the host has failed to answer. */
  patience: number
  /** Told what happens to the connection. */
  log?: Log
}

const DEFAULT: Exclude<Hop, string> = ['127.0.0.1', 33_333, 'tcp']

/** @throws {UsageError} */
export async function openCall(options: CallOptions): Promise<Call> {
  const { uri, method, engine: named, patience, log } = options
  const parts = read(uri)
  if (method !== 'BIND' && (parts.method ?? method) !== method) {
    throw new UsageError(
      `that is a URI for ${parts.method}: hormiga ${parts.method?.toLowerCase()} ${quote(uri)}`,
    )
  }
  const target = await targetOf(parts, options)
  const to = target?.to ?? parts.to
  const isLocal = !Array.isArray(to[0])
  const hop = isLocal ? await localEngine(named) : undefined
  let failure: string | undefined
  const failed = (error: Error) => {
    failure ??= hop && isRefused(error) ? notRunning(hop) : error.message
  }
  const transports = [tcp(), ws(), tcps(), wss()].map((transport) => watchDial(transport, failed))
  const engine = new Engine({
    name: 'hormiga-cli',
    answerTimeout: patience,
    transports,
    env: nodeEnv(log),
    guard: target?.guard,
  })
  // Timers of the engine keep no process alive; the command does, until it is done.
  const alive = setInterval(() => {}, 1 << 30)
  return {
    engine,
    at: formatUri({
      ...parts,
      ...(method === 'BIND' && protectedPattern(parts, target)),
      to: hop ? [hop, ...to] : to,
    }),
    resource: parts.resource,
    target,
    get failure() {
      return failure
    },
    close() {
      clearInterval(alive)
      target?.own.release()
      return engine.close(0)
    },
  }
}

/** The trust file is looked at only where a name or an option asks for it. */
async function targetOf({ to }: Uri, { method, key, as }: CallOptions): Promise<Target | undefined> {
  if (key === undefined && as === undefined && to.every((hop) => typeof hop !== 'string')) return undefined
  return (await import('./target.ts')).findTarget({ to, key, as, isOnly: method === 'BIND' })
}

/** A right to BIND is for reports unless it says more (R15), so that is what is asked for unless the URI says more. */
function protectedPattern({ method, pattern }: Uri, target: Target | undefined): Partial<Uri> {
  if (!target || pattern !== undefined || (method !== undefined && method !== 'BIND')) return {}
  return { method: 'BIND', pattern: 'PUT' }
}

function read(text: string): Uri {
  try {
    return parseUri(text)
  } catch (error) {
    if (error instanceof JstpError) throw new UsageError(error.message)
    throw error
  }
}

/** Where this machine's engine is: `--engine`, else as the configuration says, else the default. */
export async function localEngine(named: string | undefined): Promise<Exclude<Hop, string>> {
  if (named !== undefined) {
    const [hop = named] = read(`${named}//engine`).to
    return typeof hop === 'string' ? [hop, DEFAULT[1], DEFAULT[2]] : hop
  }
  try {
    const { listen } = loadConfig({ profiles: knownProfiles() })
    const at = listen.tcp ?? listen.http
    if (!at || at.port === 0) return DEFAULT
    return [fromHere(at.address), at.port, listen.tcp ? 'tcp' : 'ws']
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const told = `${error.file} has errors (see: ${programName()} check); asking ${DEFAULT[0]}:${DEFAULT[1]}`
    process.stderr.write(`hormiga: ${told}\n`)
    return DEFAULT
  }
}

function watchDial(transport: Transport, failed: (error: Error) => void): Transport {
  return {
    ...transport,
    async dial(...call) {
      try {
        return await transport.dial(...call)
      } catch (error) {
        failed(error as Error)
        throw error
      }
    },
  }
}

function isRefused({ cause }: Error): boolean {
  const [first = cause] = cause instanceof AggregateError ? cause.errors : []
  return (first as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
}

function notRunning([address, port]: Exclude<Hop, string>): string {
  const name = programName()
  return (
    `no engine is running at ${address}:${port}. Start it in another terminal: ${name} run (the demo: ${name} run ` +
    '--demo), or say where it is: --engine HOST:PORT'
  )
}
