// `bind`: a line for each dispatch that matches, as an observer (design §9.2), until it is ended; then it is released.

import type { Log } from '../core/env.ts'
import type { Request } from '../core/owner.ts'
import { JstpError } from '../core/status.ts'
import { advise } from './advice.ts'
import { type Arguments, readCount, readDuration, UsageError } from './args.ts'
import { openCall } from './call.ts'
import { reportLine, styleOf } from './print.ts'

/** For the BIND to be confirmed. */
const CONFIRM = 12_000

/** @returns the exit code: 1 if it was refused, or `--count` was not reached in time */
export async function bind({ options, rest }: Arguments): Promise<number> {
  const [uri, ...more] = rest
  if (uri === undefined) throw new UsageError('a pattern is needed, such as cafetera/...')
  if (more.length > 0) throw new UsageError(`"${more[0]}" is too much: a bind has no body`)
  const count =
    typeof options.count === 'string' ? readCount(options.count, '--count', 1, 1_000_000_000) : Infinity
  const time = typeof options.timeout === 'string' ? readDuration(options.timeout) : undefined
  const tell = (text: string) => void process.stderr.write(`hormiga: ${text}\n`)
  const log: Log = { debug() {}, info: tell, warn: tell, error: tell }
  let bound = false
  const call = await openCall({
    uri,
    method: 'BIND',
    engine: options.engine as string | undefined,
    key: options.key as string | undefined,
    as: options.as as string | undefined,
    patience: CONFIRM,
    // Until it is bound its failure says it all.
    log: { ...log, info: (text) => bound && tell(text) },
  })
  const style = styleOf(options.json === true)
  let seen = 0
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, finish)
  const timer = time === undefined ? undefined : setTimeout(finish, time)
  try {
    const handler = ({ dispatch, author, missed = 0 }: Request) => {
      if (seen >= count) return
      if (missed > 0) tell(`${missed} before this one were lost on the way`)
      process.stdout.write(`${reportLine(dispatch, style, author)}\n`)
      if (++seen >= count) finish()
    }
    const { target } = call
    const onState = (state: 'bound' | 'stale') => {
      if (state === 'stale') tell(`nothing is heard of ${target?.name}; trying again`)
      else if (bound) tell('bound again')
    }
    const protection = target && { key: target.key, onState }
    const binding = await call.engine.bind(call.at, handler, { observe: true, ...protection })
    bound = true
    if (process.stderr.isTTY) tell('bound; Ctrl+C ends it')
    await finished
    binding.release()
  } catch (error) {
    if (!(error instanceof JstpError)) throw error
    tell(call.failure ?? `${error.status} ${error.message}`)
    const { status, details: body } = error
    if (!call.failure)
      await advise({ status, body, method: 'BIND', resource: call.resource, target: call.target })
    return 1
  } finally {
    clearTimeout(timer)
    await call.close()
  }
  const isShort = time !== undefined && count !== Infinity && seen < count
  if (isShort) tell(`${seen} of ${count} came within ${time / 1000} s`)
  return isShort ? 1 : 0
}
