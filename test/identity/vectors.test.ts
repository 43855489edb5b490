// The fixed vectors of the specification (B13), byte for byte, on every provider.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deriveKeys, makeContext } from '../../src/identity/context.ts'
import { didOf, fingerprint, kidOf } from '../../src/identity/did.ts'
import { strictVerifier } from '../../src/identity/keys.ts'
import { signInput } from '../../src/identity/labels.ts'
import { pad } from '../../src/identity/padding.ts'
import type { Peer } from '../../src/identity/peers.ts'
import { makePrekey } from '../../src/identity/prekeys.ts'
import { makeSeal, makeSign, openSeal } from '../../src/identity/sign-seal.ts'
import { providers, range, sha256, toHex, utf8 } from './kit.ts'

const TX = '52c49ce2-4b19-4c18-adcf-881effc91dd8'
const P = utf8(
  `{"method":"PUT","resource":["cafetera","estado"],"timestamp":1764037200123,"token":["${TX}"],"body":{"on":true}}`,
)
const SIGNING = { b: range(0xb0, 8), n: 7, ch: range(0xc0, 16), p: P }

for (const provider of providers) {
  const signers = async () => ({
    a: await provider.signer(range(0, 32)),
    b: await provider.signer(range(0x20, 32)),
  })

  test(`B13 identities (${provider.name})`, async () => {
    const { a, b } = await signers()
    assert.is(toHex(a.kid), '03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8')
    assert.is(didOf(a.kid), 'did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd')
    assert.equal(kidOf(didOf(a.kid)), Uint8Array.from(a.kid))
    assert.is(toHex(b.kid), '29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7')
    assert.match(await fingerprint(provider, a.kid), /^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/)
  })

  test(`B13 sign A→B (${provider.name})`, async () => {
    const { a, b } = await signers()
    assert.is(P.length, 143)
    const { sec, input } = await makeSign(a, { ...SIGNING, aud: b.kid })
    assert.is(input.length, 261)
    assert.is(await sha256(input), '7f1566ac2506caca010fee93a1d2fc37c41444ba90285e72d1039834b8d96eb5')
    assert.is(
      toHex(sec.sig),
      'f05ef102ffdbaf0e718b0b262b6104fe98131ec46be5ad45f292972618647affc6ac5dfbabe955c211dd9a5c215ec060c96e1114ba343b6ac31175d25ef3bf04',
    )
    assert.is(await strictVerifier(provider, a.kid).verify(input, sec.sig), true)
  })

  test(`B13 seal A→B (${provider.name})`, async () => {
    const { a, b } = await signers()
    const prekey = await makePrekey(provider, range(0x80, 32))
    assert.is(toHex(prekey.k), '51600d1bad28ef93')
    const ephemeral = await provider.exchange(range(0x60, 32))
    const to = { x: prekey.exchange.publicKey, k: prekey.k }
    const made = await makeSeal(provider, a, { ...SIGNING, aud: b.kid }, to, undefined, ephemeral)
    const sec = made?.sec as NonNullable<typeof made>['sec']
    assert.is(toHex(sec.enc), '675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f')
    assert.is(sec.ct.length, 336)
    assert.is(await sha256(sec.ct), '1da8efdd2a5de70ccfa93046ff74c54220bed2db47a03d696ab0141515b3264c')
    const opened = await openSeal(provider, prekey.exchange, b.kid, sec)
    assert.is(toHex(opened?.p), toHex(P))
    assert.is(opened?.n, 7)
    const input = signInput(opened as NonNullable<typeof opened>)
    assert.is(await strictVerifier(provider, a.kid).verify(input, opened?.sig as Uint8Array), true)
  })

  test(`B13 context and ctx A→B (${provider.name})`, async () => {
    const { a, b } = await signers()
    const eA = await provider.exchange(range(0x40, 32))
    const eB = await provider.exchange(range(0xa0, 32))
    const iA = range(0x10, 8)
    const iB = range(0x20, 8)
    const t = (bytes: Uint8Array) => provider.toText(bytes)
    const pA = `{"method":"POST","resource":["sec","context"],"timestamp":1764037200123,"token":["${TX}"],"body":{"e":"${t(eA.publicKey)}","i":"${t(iA)}","s":[1]}}`
    const inputA = signInput({ ...SIGNING, label: 'sign', kid: a.kid, aud: b.kid, n: 8, p: utf8(pA) })
    const re = t((await provider.sha256(inputA)).subarray(0, 16))
    const pB = `{"method":"ANSWER","resource":[200,"${TX}"],"re":"${re}","timestamp":1764037200124,"body":{"e":"${t(eB.publicKey)}","i":"${t(iB)}","s":1}}`
    const inputB = signInput({
      label: 'sign',
      kid: b.kid,
      aud: a.kid,
      b: range(0xd0, 8),
      n: 1,
      ch: undefined,
      p: utf8(pB),
    })
    const keys = await deriveKeys(provider, inputA, inputB, eA, eB.publicKey)
    const other = await deriveKeys(provider, inputA, inputB, eB, eA.publicKey)
    assert.equal(keys, other)
    assert.is(toHex(keys?.th), 'a2d1b0996958846dd9a8412ee97cc2ad3855d44a38e32864c315949637d0ebac')
    assert.is(toHex(keys?.kAB), '5370a365032651bf43eba519ea4f78a0912f29b01fe1cb1995c1f3c02aefd5fc')
    assert.is(toHex(keys?.ivAB), '471b22cab9690a130c0133a7')
    assert.is(toHex(keys?.kBA), 'c11996c046314de08ff974437eeef1440f360bc9be787b4e067d35b75fc89bae')
    assert.is(toHex(keys?.ivBA), '711ca1db4252d1202aa080d4')
    const options = { now: 0, window: 64 }
    const atA = makeContext(provider, {} as Peer, true, keys as NonNullable<typeof keys>, iA, iB, options)
    const atB = makeContext(provider, {} as Peer, false, keys as NonNullable<typeof keys>, iA, iB, options)
    atA.send.skipTo(5)
    const { n, ct } = atA.send.seal(pad(P))
    assert.is(n, 5)
    assert.is(ct.length, 208)
    assert.is(await sha256(ct), '9f52b5c26682661e6857dedf5a48431447ea79cddf972a54be3e7fe26159f062')
    assert.is(toHex(atB.receive.open(5, ct)), toHex(pad(P)))
    assert.is(atB.receive.open(6, ct), undefined)
  })
}

test.run()
