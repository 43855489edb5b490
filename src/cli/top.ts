// `top`: how full the engines of the mesh are: live on a screen of its own, as text every few seconds where there is no
// terminal, as JSON for programs, or once.

import { programName } from '../app/program.ts'
import { Engine, nodeEnv } from '../index.ts'
import { tcp, tcps } from '../transports/tcp.ts'
import { ws, wss } from '../transports/ws.ts'
import { advise } from './advice.ts'
import { type Arguments, UsageError } from './args.ts'
import { openOwn, readOwnTrust } from './own.ts'
import { guardOf } from './target.ts'
import { Gathering } from './top-gather.ts'
import { Links } from './top-links.ts'
import { showJson, showOnce, showScreen, showText } from './top-modes.ts'
import { findSources, type Source } from './top-source.ts'
import { PATIENCE } from './top-watch.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** @returns the exit code: with `--once` 1 if one of those that were asked for is not there */
export async function top({ options, rest }: Arguments): Promise<number> {
  const { engine, as } = options as Record<string, string | undefined>
  const isOnce = options.once === true
  const isJson = options.json === true
  const sources = await findSources(rest, engine, readOwnTrust)
  const identity = openIdentity(sources, as, isOnce)
  const links = new Links()
  const env = nodeEnv()
  const door = new Engine({
    name: 'hormiga-top',
    answerTimeout: PATIENCE,
    transports: [tcp(), ws(), tcps(), wss()].map((transport) => links.watch(transport)),
    env,
    guard: identity?.guard,
  })
  const keys = identity?.keys ?? []
  const gathering = new Gathering({ door, clock: env.clock, links, sources, keys, isOnce })
  const abort = new AbortController()
  const end = () => abort.abort()
  for (const signal of SIGNALS) process.once(signal, end)
  // Timers of the engine keep no process alive.
  const alive = setInterval(() => {}, 1 << 30)
  const isScreen = process.stdout.isTTY === true && process.env.TERM !== 'dumb'
  const show = isOnce ? showOnce : isJson ? showJson : isScreen ? showScreen : showText
  try {
    gathering.start()
    await show({ gathering, clock: env.clock, isJson, signal: abort.signal, end })
  } finally {
    gathering.stop()
    clearInterval(alive)
    await door.close(0)
    identity?.own.release()
  }
  const asked = gathering.shown.filter(({ source }) => source.kind === 'asked')
  for (const { refusal, source } of asked) {
    if (refusal) await advise({ ...refusal, target: identity?.targetOf(source) })
  }
  if (!isOnce) return 0
  const missing = asked.filter(({ view }) => !view.figures)
  const silent = missing.filter(({ refusal }) => !refusal).map(({ source }) => source.at)
  if (silent.length > 0) {
    const told = `not there: ${silent.join(', ')}. An engine is started with: ${programName()} run`
    process.stderr.write(`hormiga: ${told}\n`)
  }
  return missing.length > 0 ? 1 : 0
}

/** A key of our own, where an engine is asked by its name: only then the folder of keys is looked at. */
function openIdentity(sources: Source[], as: string | undefined, isOnce: boolean) {
  if (!sources.some(({ key }) => key)) {
    if (as === undefined) return undefined
    throw new UsageError('--as signs for engines whose keys are known: name one of the trust file')
  }
  const file = readOwnTrust()
  const own = openOwn(as, !isOnce)
  const guard = guardOf(own, file)
  const targetOf = ({ key, to }: Source) => key && { key: key.id, name: key.name, to, own, guard }
  return { own, guard, keys: file.keys, targetOf }
}
