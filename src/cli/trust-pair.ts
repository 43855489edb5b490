// `trust pair`: a key and an engine get to know each other by a code (spec R17). Without a code it is the engine's side,
// with one the other; both show both fingerprints, and somebody on each says yes. Nothing is trusted before.

import { hostname } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { StartError } from '../app/failure.ts'
import { programName } from '../app/program.ts'
import type { Json } from '../core/dispatch.ts'
import { JstpError, STATUS } from '../core/status.ts'
import { formatUri, parseUri } from '../core/uri.ts'
import { readPairCode } from '../identity/pairing.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import { readAllow, readWay, showAllow, showWay } from './allow.ts'
import { type Arguments, UsageError } from './args.ts'
import { openCall } from './call.ts'
import { controlled } from './controlled.ts'
import { engineFiles } from './engine-files.ts'
import { openOwn, ownTrustPath, printOf, readOwnTrust } from './own.ts'
import { editTrust } from './trust-edit.ts'

/** What a key may do that was paired without a word about it: look, not act. */
const LOOK = 'GET,BIND ...'
const PATIENCE = 10_000
/** Milliseconds between two looks whether the other side has said yes. */
const TURN = 1000

interface Candidate {
  id: string
  fingerprint: string
}

export async function pair({ options, lists, rest }: Arguments): Promise<number> {
  const [code, ...more] = rest
  if (more.length > 0) throw new UsageError('one code is enough: quote it')
  return code === undefined ? open({ options, lists, rest }) : knock(code, { options, lists, rest })
}

/** The engine's side: opens the window in the running engine and waits for a key. */
async function open({ options, lists }: Arguments): Promise<number> {
  const { name = `paired-${Date.now().toString(36)}` } = options as Record<string, string | undefined>
  const allow = (lists.allow ?? [LOOK]).map(readAllow)
  const control = await controlled((await engineFiles(options)).state)
  let isDone = false
  try {
    let found = (_: Json) => {}
    const knocked = new Promise<Json>((resolve) => {
      found = resolve
    })
    await control.hear(['pair'], found)
    const opened = await control.ask('POST', ['pair'], { name, allow: allow as unknown as Json })
    const { code, fingerprint, ms } = opened as { code: string; fingerprint: string; ms: number }
    print(code)
    if (options.qr || process.stdout.isTTY) print((await import('./qr.ts')).qrText(code))
    print(`On the other machine, within ${ms / 1000} s:`)
    print(`  hormiga trust pair '${code}' --at ${hostname()}:33333 --name NAME`)
    print(`It may then: ${allow.map(showAllow).join('; ')}`)
    const abort = new AbortController()
    const stop = () => abort.abort()
    process.once('SIGINT', stop)
    const late = pause(ms, undefined, { signal: abort.signal }).catch(() => undefined)
    const candidate = (await Promise.race([knocked, late])) as Candidate | undefined
    if (!candidate) throw new StartError('nobody has come: nothing is changed')
    print(`this engine  ${fingerprint}`)
    print(`the new key  ${candidate.fingerprint}`)
    const isSame = await confirm('Does the other screen show the same two?', abort.signal)
    abort.abort()
    process.off('SIGINT', stop)
    if (!isSame) throw new StartError('not paired: nothing is changed')
    await control.ask('PUT', ['pair'], candidate.id)
    isDone = true
    print(`${name} is trusted: ${candidate.id}`)
    return 0
  } finally {
    if (!isDone) await control.ask('DELETE', ['pair']).catch(() => {})
    await control.close()
  }
}

/** The other side: shows that the code was read, and learns the engine's key from it. */
async function knock(code: string, { options, lists }: Arguments): Promise<number> {
  const { name, as } = options as Record<string, string | undefined>
  const id = readPairCode(nodeProvider, code)?.id
  if (!id) throw new UsageError('that is no pairing code: it begins with jstp-pair: (quote it, for its "#")')
  if (name === undefined) throw new UsageError('say how to call that engine: --name cocina')
  const way = lists.at ? readWay(lists.at) : readOwnTrust().keys.find((key) => key.id === id)?.at
  if (!way) throw new UsageError('say where that engine is: --at HOST:PORT')
  const uri = formatUri({ to: way, resource: ['sec', 'id'] })
  const call = await openCall({ uri, method: 'GET', key: id, as, patience: PATIENCE })
  try {
    const target = call.target as NonNullable<typeof call.target>
    const told = await target.guard.pair(code, parseUri(call.at).to).catch((error) => {
      if (error instanceof JstpError) throw new StartError(call.failure ?? `${error.status} ${error.message}`)
      throw error
    })
    print(`that engine   ${told.fingerprint}`)
    print(`this key      ${printOf(target.own.id)}`)
    const isSame = await confirm('Does the other screen show the same two?')
    if (!isSame) throw new StartError('not paired: nothing is changed')
    const place = { path: ownTrustPath(), mode: 0o600, own: openOwn(undefined, false).id }
    editTrust(place, (text) => {
      if (text.keys.some((key) => key.name === name && key.id !== id)) {
        throw new StartError(`"${name}" is another engine already: take another --name`)
      }
      const before = text.keys.find((key) => key.id === id)
      text.keys = [...text.keys.filter((key) => key !== before), { ...before, id, name, at: way }]
    })
    print(`${name} is ${id}, at ${showWay(way as Json)}`)
    for (const end = Date.now() + 120_000; Date.now() < end; await pause(TURN)) {
      const { status } = await call.engine
        .get(call.at, { key: id, mode: 'seal', deadline: PATIENCE })
        .first()
        .catch(() => ({ status: STATUS.TIMEOUT as number }))
      if (status === STATUS.UNAUTHORIZED || status === STATUS.TIMEOUT) continue
      print(`paired. Try: ${programName()} get ${name}//engine`)
      return 0
    }
    throw new StartError(`nobody has said yes at ${name}`)
  } finally {
    await call.close()
  }
}

/** No answer is a no. */
async function confirm(question: string, signal?: AbortSignal): Promise<boolean> {
  const line = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const closed = new Promise<string>((resolve) => line.once('close', () => resolve('')))
    const answer = await Promise.race([
      line.question(`${question} [y/N] `, { signal }).catch(() => ''),
      closed,
    ])
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    line.close()
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
