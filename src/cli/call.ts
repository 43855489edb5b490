// The engine of one command: dials where the URI says, or the engine of this machine where it names no address.

import { loadProfiles, settingsOf } from '../app/profiles.ts'
import { programName, quote } from '../app/program.ts'
import type { Element, Hop } from '../core/dispatch.ts'
import { JstpError } from '../core/status.ts'
import type { Transport } from '../core/transport.ts'
import { formatUri, parseUri, type Uri } from '../core/uri.ts'
import { ConfigError, loadConfig } from '../host/config.ts'
import { Engine, type Log, nodeEnv } from '../index.ts'
import { tcp, tcps } from '../transports/tcp.ts'
import { ws, wss } from '../transports/ws.ts'
import { UsageError } from './args.ts'

export interface Call {
  engine: Engine
  /** What to ask or bind, with the address to dial. */
  at: string
  resource: Element[]
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
  /** Milliseconds until the host has failed to answer. */
  patience: number
  /** Told what happens to the connection. */
  log?: Log
}

const DEFAULT: Exclude<Hop, string> = ['127.0.0.1', 33_333, 'tcp']

/** @throws {UsageError} */
export async function openCall({ uri, method, engine: named, patience, log }: CallOptions): Promise<Call> {
  const parts = read(uri)
  if (method !== 'BIND' && (parts.method ?? method) !== method) {
    throw new UsageError(
      `that is a URI for ${parts.method}: hormiga ${parts.method?.toLowerCase()} ${quote(uri)}`,
    )
  }
  const isLocal = !Array.isArray(parts.to[0])
  const hop = isLocal ? await localEngine(named) : undefined
  let failure: string | undefined
  const failed = (error: Error) => {
    failure ??= hop && isRefused(error) ? notRunning(hop) : error.message
  }
  const transports = [tcp(), ws(), tcps(), wss()].map((transport) => watchDial(transport, failed))
  const engine = new Engine({ name: 'hormiga-cli', answerTimeout: patience, transports, env: nodeEnv(log) })
  // Timers of the engine keep no process alive; the command does, until it is done.
  const alive = setInterval(() => {}, 1 << 30)
  return {
    engine,
    at: formatUri({ ...parts, to: hop ? [hop, ...parts.to] : parts.to }),
    resource: parts.resource,
    get failure() {
      return failure
    },
    close() {
      clearInterval(alive)
      return engine.close(0)
    },
  }
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
async function localEngine(named: string | undefined): Promise<Exclude<Hop, string>> {
  if (named !== undefined) {
    const [hop = named] = read(`${named}//engine`).to
    return typeof hop === 'string' ? [hop, DEFAULT[1], DEFAULT[2]] : hop
  }
  try {
    const { listen } = loadConfig({ profiles: settingsOf(await loadProfiles()) })
    const at = listen.tcp ?? listen.http
    if (!at || at.port === 0) return DEFAULT
    const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[at.address] ?? at.address
    return [address, at.port, listen.tcp ? 'tcp' : 'ws']
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
