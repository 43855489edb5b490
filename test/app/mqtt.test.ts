// What a broker may know of the program: the password goes to the broker of the configuration and to no other, and who comes from
// any of them may do no more than `access` says.

import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { HostEngine } from '../../src/app/engine.ts'
import type { HostIdentity } from '../../src/app/identity.ts'
import { openMqtt } from '../../src/app/mqtt.ts'
import { readConfig } from '../../src/host/config.ts'
import { formatUri, nodeEnv } from '../../src/index.ts'
import { signer } from '../transports/mqtt-kit.ts'

/** A broker that keeps what it is greeted with, and says nothing. */
async function listenOnly() {
  let heard = ''
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1')
      socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { port, heard: () => heard, close: () => server.close() }
}

test('the password is for the broker of the configuration only', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mqtt-app-'))
  writeFileSync(join(folder, 'password'), 'geheim\n')
  const [own, other] = [await listenOnly(), await listenOnly()]
  const mqtt = { broker: `mqtt://127.0.0.1:${own.port}`, user: 'cocina', passwordFile: 'password' }
  const config = readConfig(JSON.stringify({ mqtt }), join(folder, 'h.json'), {})
  const trust = { named: () => undefined, entries: () => [] }
  const identity = { guard: {}, trust, node: 'a'.repeat(32), signer: signer('a') } as unknown as HostIdentity
  const env = nodeEnv()
  const access = openMqtt(env, config, identity, 'boot')
  const engine = new HostEngine(config, env, undefined, undefined, access.transports)
  access.access = () => engine.brokerAccess
  assert.ok(engine.brokerAccess?.isClosed, 'a broker on this machine is not loopback')
  for (const { port } of [own, other]) {
    const to = [['127.0.0.1', port, 'mqtt'] as [string, number, string], 'x']
    assert.is((await engine.get(formatUri({ to, resource: ['a'] })).first()).status, 502)
  }
  assert.ok(own.heard().includes('geheim') && own.heard().includes(`h-${'a'.repeat(32)}-t`))
  assert.ok(other.heard().includes('MQTT'))
  assert.is(/geheim|cocina/.test(other.heard()), false)
  await engine.close(0)
  await access.closed()
  for (const server of [own, other]) server.close()
  rmSync(folder, { recursive: true })
})

test.run()
