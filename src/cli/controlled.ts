// Speaks with the engine that runs on this machine, over its control socket: only its owner can.

import { CONTROL, controlPath } from '../app/control.ts'
import { StartError } from '../app/failure.ts'
import { programName } from '../app/program.ts'
import type { Dispatch, Element, Json } from '../core/dispatch.ts'
import { formatUri } from '../core/uri.ts'
import { Engine } from '../index.ts'
import { unix } from '../transports/tcp.ts'

const TIMEOUT = 5000

export interface Controlled {
  /** The body of the answer. @throws {StartError} when it is refused */
  ask(method: string, point: Element[], body?: Json): Promise<Json>
  /** Reports of a point from now on. */
  hear(point: Element[], run: (body: Json) => void): Promise<void>
  close(): Promise<void>
}

/** @throws {StartError} when no engine runs with that state folder, or it is not ours */
export async function controlled(state: string): Promise<Controlled> {
  const path = controlPath(state)
  let failure: Error | undefined
  const transport = unix()
  const engine = new Engine({
    name: 'hormiga-cli',
    answerTimeout: TIMEOUT,
    transports: [
      {
        ...transport,
        async dial(...call) {
          try {
            return await transport.dial(...call)
          } catch (error) {
            failure ??= error as Error
            throw error
          }
        },
      },
    ],
  })
  const at = (point: Element[]) => formatUri({ to: [[path, 1, 'unix']], resource: [CONTROL, ...point] })
  const ask = async (method: string, point: Element[], body?: Json) => {
    const { status, body: said } = await engine
      .ask(method, at(point), { body, deadline: 2 * TIMEOUT })
      .first()
    if (failure) throw new StartError(unreachable(path, failure))
    if (status >= 400) throw new StartError(messageOf(said))
    return said ?? null
  }
  try {
    await ask('GET', [])
  } catch (error) {
    await engine.close(0)
    throw error
  }
  return {
    ask,
    async hear(point, run) {
      await engine.bind(at(point), ({ dispatch }: { dispatch: Dispatch }) => run(dispatch.body ?? null), {
        observe: true,
      })
    },
    close: () => engine.close(0),
  }
}

function unreachable(path: string, { cause }: Error): string {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException
  if (code === 'EACCES')
    return `${path} belongs to another user: run it as the one who runs the engine (sudo …)`
  return (
    `no engine is running with ${path}. Start it: ${programName()} run; or say where its state is: --state DIR, ` +
    'or --config FILE'
  )
}

function messageOf(body: Json | undefined): string {
  if (typeof body === 'object' && body !== null && !Array.isArray(body) && typeof body.message === 'string') {
    return body.message
  }
  return `the engine says no: ${JSON.stringify(body)}`
}
