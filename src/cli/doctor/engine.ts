// Whether the engine runs, and what it says of its devices itself.

import type { Json } from '../../core/dispatch.ts'
import { JstpError, STATUS } from '../../core/status.ts'
import { Engine } from '../../index.ts'
import { fromHere, place } from '../../transports/sockets.ts'
import { type Check, type Finding, fault, ok, unknown, warning } from './machine.ts'

const DEADLINE = 3000

export const ENGINE: Check = {
  name: 'engine',
  async look({ machine, config }) {
    if (!config || !machine.isHere) return []
    const { tcp } = config.listen
    if (!tcp) return [unknown('the configuration has no "listen.tcp", so it is not asked')]
    const address = fromHere(tcp.address)
    const engine = new Engine({ name: 'doctor' })
    try {
      const ask = (point: string) =>
        engine
          .get(
            `jstp:GET#${address.includes(':') ? `[${address}]` : address}:${tcp.port}:tcp//engine/${point}`,
            { deadline: DEADLINE },
          )
          .first()
      return judge(await ask('devices'), place(address, tcp.port))
    } catch (error) {
      if (!(error instanceof JstpError)) throw error
      return [absent(place(address, tcp.port), error.message)]
    } finally {
      await engine.close()
    }
  },
}

function judge({ status, body }: { status: number; body: Json | undefined }, at: string): Finding[] {
  if (status === STATUS.UNAUTHORIZED || status === STATUS.FORBIDDEN) {
    return [
      unknown(`the engine at ${at} answers, but tells of its devices only with a key (hormiga get … --key)`),
    ]
  }
  if (status >= 400) return [absent(at, messageOf(body) ?? `it answers ${status}`)]
  const devices = Object.entries((body ?? {}) as Record<string, { state: string; cause: string }>)
  const ill = devices.filter(([, { state }]) => state !== 'up')
  return [
    ok(`it answers at ${at}; ${devices.length - ill.length} of ${devices.length} devices are up`),
    ...ill.map(([name, { state, cause }]) =>
      state === 'connecting'
        ? warning(`${name} is still connecting: ${cause}`, 'is it switched on and near?')
        : fault(`${name} is ${state}: ${cause}`, 'see the findings below, and: hormiga get engine/log'),
    ),
  ]
}

function messageOf(body: Json | undefined): string | undefined {
  if (typeof body === 'string') return body
  const message = typeof body === 'object' && body !== null && !Array.isArray(body) ? body.message : undefined
  return typeof message === 'string' ? message : undefined
}

function absent(at: string, why: string): Finding {
  return fault(
    `no engine answers at ${at}: ${why}`,
    'start it: sudo systemctl start hormiga (or: hormiga run). Why it ended: journalctl -u hormiga -n 50',
  )
}
