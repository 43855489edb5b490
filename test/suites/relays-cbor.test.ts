// Over relays of ours that turn JSON into CBOR and back, with somebody between them who makes byte strings of all that may
// be one in `sec` (spec B5, B12: T17).

import { connect, createServer, type Socket } from 'node:net'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cborCodec } from '../../src/codec/cbor.ts'
import { splitItems } from '../../src/codec/items.ts'
import type { Dispatch, Hop, Json } from '../../src/core/dispatch.ts'
import type { Request } from '../../src/core/owner.ts'
import type { Codec } from '../../src/core/transport.ts'
import { tcp } from '../../src/transports/tcp.ts'
import { MODES } from '../identity/parties.ts'
import { eventually, signerOf, startKeyed, startPlain, uriOf } from './relays-kit.ts'

const [A, B] = [0x00, 0x20]
const LOCAL = '127.0.0.1'
const NO_BYTES = new Set(['v', 'm', 's', 'n'])

/** `sec` with byte strings wherever there was base64url. `made`: how many. */
function toBytes(sec: object): { sec: Json; made: number } {
  let made = 0
  const change = ([name, value]: [string, unknown]) => {
    if (NO_BYTES.has(name) || typeof value !== 'string') return [name, value]
    made++
    return [name, Uint8Array.from(Buffer.from(value, 'base64url'))]
  }
  return { sec: Object.fromEntries(Object.entries(sec).map(change)) as unknown as Json, made }
}

/** CBOR goes in, CBOR goes out, with byte strings in `sec`. */
class Binary {
  readonly hop: Hop
  /** Fields that were made byte strings, to the far side and back. */
  made = { out: 0, back: 0 }
  #codec: Codec
  #close: () => void

  private constructor(codec: Codec, port: number, close: () => void) {
    this.#codec = codec
    this.hop = [LOCAL, port, 'tcp']
    this.#close = close
  }

  static async to(hop: Hop): Promise<Binary> {
    const [address, port] = hop as unknown as [string, number]
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, LOCAL, resolve))
    const own = (server.address() as { port: number }).port
    const it = new Binary(await cborCodec(), own, () => server.close())
    server.on('connection', (near) => {
      const far = connect(port, address)
      it.#pass(near, far, 'out')
      it.#pass(far, near, 'back')
    })
    return it
  }

  close(): void {
    this.#close()
  }

  #pass(from: Socket, to: Socket, way: 'out' | 'back'): void {
    const take = splitItems(1 << 20, {
      item: (bytes) => {
        const { token, hops, expires, sec, ...rest } = this.#codec.decode(bytes)
          .headers as unknown as Dispatch
        const changed = sec ? toBytes(sec as object) : undefined
        this.made[way] += changed?.made ?? 0
        const stem = this.#codec.stem({ ...rest, ...(changed && { sec: changed.sec }) } as Dispatch, '0.6')
        to.write(this.#codec.close(stem, { token, hops, expires }, '0.6'))
      },
      malformed: (reason) => assert.unreachable(reason),
      oversize: () => assert.unreachable('oversize'),
    })
    from.on('data', take)
    from.on('error', () => {})
    from.on('close', () => to.destroy())
  }
}

const CORPUS: Json[] = [1.5, 'ñ€😀', { a: [null, { 'x:y': '\n' }] }, 'x'.repeat(30_000)]

test('T17 JSON → CBOR with byte strings → JSON, and back: every mode, answers and events', async () => {
  const b = await startKeyed(B, { name: 'b', knows: [{ key: signerOf(A).kid, name: 'a' }] })
  const second = await startPlain({ name: 'second', forward: { allow: [b.hop] } })
  const binary = await Binary.to(second.hop)
  const transports = [tcp({ encoding: 'cbor' })]
  const first = await startPlain({ name: 'first', transports, forward: { allow: [binary.hop] } })
  const a = await startKeyed(A, { name: 'a', knows: [{ key: signerOf(B).kid, name: 'b' }] })
  const way = [first.hop, binary.hop, b.hop]
  const owner = b.engine.own('echo')
  const taken: (string | undefined)[] = []
  owner.handle('POST', [], ({ dispatch, author }) => {
    taken.push(author)
    return dispatch.body
  })
  for (const mode of MODES) {
    for (const body of CORPUS) {
      const answer = await a.engine.post(uriOf(way, 'echo'), { key: 'b', mode, body }).first()
      assert.equal([answer.status, answer.body, answer.authentic], [200, body, undefined], mode)
      assert.is(taken.pop(), a.id)
    }
  }
  const seen: Request[] = []
  const binding = await a.engine.bind(uriOf(way, 'echo/...'), (it) => void seen.push(it), { key: 'b' })
  for (const body of CORPUS) owner.report(['said'], body)
  await eventually('the reports', () => seen.length === CORPUS.length)
  assert.equal(
    seen.map(({ dispatch }) => dispatch.body),
    CORPUS,
  )
  assert.is(seen[0]?.author, b.id)
  binding.release()
  await eventually('released', () => b.guard.identity.sizes.feeds === 0)
  assert.ok(binary.made.out > 50 && binary.made.back > 50, JSON.stringify(binary.made))
  for (const { engine } of [a, b, first, second]) await engine.close(0)
  binary.close()
})

test.run()
