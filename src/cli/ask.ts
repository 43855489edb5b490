// `get`, `post`, `put`, `patch` and `delete`: one dispatch, a line for each answer (design §9.19).

import type { Json } from '../core/dispatch.ts'
import { LIMITS } from '../core/limits.ts'
import type { Answer } from '../core/stream.ts'
import { advise } from './advice.ts'
import { type Arguments, readDuration, UsageError } from './args.ts'
import { openCall } from './call.ts'
import { answerLine, styleOf } from './print.ts'

/** Later than the engine's own 504, which says more. */
const TIMEOUT = 12_000
/** Of that time: when our own engine gives up, which waits 1.15 times its answer timeout and says why (design §9.13). */
const PATIENCE = 0.85

/** @returns the exit code: 1 if there was no answer, or one of 400 and above */
export async function ask(method: string, { options, rest }: Arguments): Promise<number> {
  const [uri, bodyText, ...more] = rest
  if (uri === undefined) throw new UsageError('a resource is needed, such as cafetera/state')
  if (more.length > 0) throw new UsageError(`"${more[0]}" is too much: quote a body that has spaces`)
  const timeout = typeof options.timeout === 'string' ? readDuration(options.timeout) : TIMEOUT
  const body = bodyText === '-' ? readBody(await readInput()) : readBody(bodyText)
  const call = await openCall({
    uri,
    method,
    engine: options.engine as string | undefined,
    key: options.key as string | undefined,
    as: options.as as string | undefined,
    patience: timeout * PATIENCE,
  })
  const style = styleOf(options.json === true)
  let answers = 0
  let failed = false
  const { target } = call
  // One shot: several commands at once don't end each other's contexts.
  const protection = target && ({ key: target.key, mode: 'seal' } as const)
  let refused: Answer | undefined
  for await (const answer of call.engine.ask(method, call.at, { body, deadline: timeout, ...protection })) {
    if (call.failure) break
    if (answer.authentic === false) {
      process.stderr.write(
        `hormiga: somebody on the way says ${answer.status}; the engine itself has not said it\n`,
      )
      continue
    }
    answers++
    failed ||= answer.status >= 400
    refused ??= answer.status >= 400 ? answer : undefined
    process.stdout.write(`${answerLine(answer, call.resource, style, target?.key)}\n`)
  }
  await call.close()
  if (refused) await advise({ ...refused, method, resource: call.resource, target })
  if (answers > 0) return failed ? 1 : 0
  process.stderr.write(`hormiga: ${call.failure ?? `no answer within ${timeout / 1000} s`}\n`)
  return 1
}

/** JSON, and what is none is a string. */
function readBody(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

async function readInput(): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of process.stdin) {
    pieces.push(piece)
    length += piece.length
    if (length > LIMITS.frame) throw new UsageError(`the body is longer than ${LIMITS.frame} bytes`)
  }
  return Buffer.concat(pieces).toString().trimEnd()
}
