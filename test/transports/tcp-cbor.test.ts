// The first CBOR channel of a process: what arrives while cbor-x is being loaded (so nothing here may load it before).

import { connect } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { tcp } from '../../src/transports/tcp.ts'
import { Acceptor } from './stand-in.ts'

test('§9.7 chunks that arrive while the codec is loaded are kept, in their order', async () => {
  const acceptor = new Acceptor()
  const listening = await tcp().listen?.({ address: '127.0.0.1', port: 0 }, acceptor.accept)
  const socket = connect({ port: listening?.port as number, host: '127.0.0.1', noDelay: true })
  for (const byte of Buffer.from('a16461626364f5a0', 'hex')) {
    socket.write(Uint8Array.of(byte))
    // A turn or two, so that it arrives by itself.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
  }
  const channel = await acceptor.at(0)
  await channel.hears(2)
  assert.equal(channel.garbageReasons, [])
  assert.equal(
    channel.frames.map((frame) => channel.codec.decode(frame).headers),
    [{ abcd: true }, {}],
  )
  socket.destroy()
  await channel.ended()
  await listening?.close()
})

test.run()
