// Whether the brokers of the configuration are there.

import { connect } from 'node:net'
import type { ListenAt } from '../../core/transport.ts'
import { brokerAt, type MqttConfig, readCredentials } from '../../host/mqtt.ts'
import { place } from '../../transports/sockets.ts'
import type { Check, Finding } from './machine.ts'
import { fault, ok } from './machine.ts'

const DEADLINE = 3000

export const BROKER: Check = {
  name: 'broker',
  async look({ machine, config }) {
    if (!config || !machine.isHere) return []
    const all: MqttConfig[] = [
      config.mqtt,
      ...Object.values(config.devices).flatMap(({ broker }) => broker ?? []),
    ]
    const named = new Map(all.flatMap((at) => (at.broker ? [[at.broker, at] as const] : [])))
    const findings = [...named].map(async ([url, at]): Promise<Finding> => {
      try {
        readCredentials(at)
      } catch (error) {
        return fault((error as Error).message, 'write the right path, or let this user read it')
      }
      return reach(brokerAt(url))
    })
    return Promise.all(findings)
  },
}

function reach({ address, port }: ListenAt): Promise<Finding> {
  const at = place(address, port)
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: DEADLINE })
    const end = (finding: Finding) => {
      socket.destroy()
      resolve(finding)
    }
    const missing = (why: string) =>
      end(
        fault(
          `no broker answers at ${at}: ${why}`,
          'is its host right, and does it run? sudo systemctl status mosquitto. What it tells of: hormiga scan mqtt',
        ),
      )
    socket.once('connect', () => end(ok(`a broker listens at ${at} (what is behind it: hormiga scan mqtt)`)))
    socket.once('timeout', () => missing(`nothing within ${DEADLINE / 1000} s`))
    socket.once('error', (error) => missing(error.message))
  })
}
