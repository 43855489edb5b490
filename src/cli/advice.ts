// What helps when an engine refuses: which right or key is missing, and the command that gives it.

import { programName } from '../app/program.ts'
import type { Element, Json } from '../core/dispatch.ts'
import { STATUS } from '../core/status.ts'
import { makeRight } from '../identity/rights.ts'
import { showPath } from './allow.ts'
import type { Target } from './target.ts'

export interface Refused {
  status: number
  body: Json | undefined
  method: string
  resource: Element[]
  /** `undefined`: it was asked without a key. */
  target: Target | undefined
}

/** Says it on standard error, if there is something to say. */
export async function advise(refused: Refused): Promise<void> {
  const text = await adviceFor(refused)
  if (text !== undefined) process.stderr.write(`hormiga: ${text}\n`)
}

/** `undefined`: the answer says all. */
async function adviceFor({ status, body, method, resource, target }: Refused): Promise<string | undefined> {
  if (status !== STATUS.UNAUTHORIZED && status !== STATUS.FORBIDDEN) return undefined
  const program = programName()
  const sec = typeof body === 'object' && body !== null && !Array.isArray(body) ? body.sec : undefined
  if (!target) {
    if (sec !== 'required') return undefined
    return (
      'that needs a key. Get the key of the engine where it runs (hormiga id --engine); here: ' +
      `${program} trust add NAME did:key:… --at HOST:PORT, and then use NAME//… as its address`
    )
  }
  const { grantCommand } = await import('./trust.ts')
  const { data } = makeRight({ method: [method], resource })
  const command = grantCommand(target.own.id, data)
  const { name } = target
  if (status === STATUS.FORBIDDEN) {
    return `${name} knows this key, but does not let it ${method} ${showPath(resource)}. Where ${name} runs: ${command}`
  }
  if (sec === 'key') return `${name} does not know this key. Where ${name} runs: ${command}`
  if (sec === 'audience') {
    return (
      `${name} has another key than ${target.key}. If it was replaced on purpose: hormiga id --engine where it runs, ` +
      `here: ${program} trust remove ${name}, then add it again`
    )
  }
  return undefined
}
