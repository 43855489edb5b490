// The two modes that stand alone (spec B5): `sign`, readable and authored, and `seal`, one shot to a prekey.

import { concat, isZero, writeCount } from './bytes.ts'
import { hpkeOpen, hpkeSeal } from './hpke.ts'
import { type Signed, sealInfo, signInput } from './labels.ts'
import { chain, type Maybe } from './maybe.ts'
import { pad, unpad } from './padding.ts'
import type { Exchange, Provider, Signer } from './provider.ts'
import type { SealSec, SignSec } from './sec.ts'

const NONE = new Uint8Array(0)
const NO_CHALLENGE = new Uint8Array(16)
const HEAD = 128
const REF = 16

/** What goes into a signature, but for the label and who signs. */
export type Signing = Omit<Signed, 'label' | 'kid'>

/** A signed content, however it came. */
export interface Statement extends Signed {
  sig: Uint8Array
}

export interface Made<T> {
  sec: T
  /** SIG_IN; `refOf` makes the ref of it. */
  input: Uint8Array
}

export function makeSign(signer: Signer, signing: Signing): Maybe<Made<SignSec>> {
  const { kid } = signer
  const input = signInput({ ...signing, label: 'sign', kid })
  return chain(signer.sign(input), (sig) => ({
    sec: { m: 'sign', label: 'sign', kid, ...signing, sig },
    input,
  }))
}

/** @param to the prekey or one-time key, and its name. `undefined`: it is no key. */
export function makeSeal(
  provider: Provider,
  signer: Signer,
  signing: Signing & { aud: Uint8Array },
  to: { x: Uint8Array; k: Uint8Array },
  bucket?: number,
  ephemeral?: Exchange,
): Maybe<Made<SealSec> | undefined> {
  const { kid } = signer
  const { aud, b, n, ch = NO_CHALLENGE, p } = signing
  const input = signInput({ ...signing, label: 'seal', kid })
  const count = new Uint8Array(8)
  writeCount(count, 0, n)
  return chain(signer.sign(input), (sig) => {
    const plain = concat(kid, b, count, ch, sig, pad(p, bucket))
    return chain(hpkeSeal(provider, to.x, sealInfo(aud, to.k), NONE, plain, ephemeral), (sealed) =>
      sealed ? { sec: { m: 'seal', k: to.k, ...sealed }, input } : undefined,
    )
  })
}

/** What a `seal` holds; not verified yet. `undefined`: not sealed to this key for this recipient. */
export function openSeal(
  provider: Provider,
  own: Exchange,
  aud: Uint8Array,
  { k, enc, ct }: SealSec,
): Maybe<Statement | undefined> {
  return chain(hpkeOpen(provider, own, { enc, ct }, sealInfo(aud, k), NONE), (plain) => {
    if (!plain || plain.length <= HEAD) return undefined
    const p = unpad(plain.subarray(HEAD))
    const n = readCount(plain, 40)
    if (!p || n === undefined) return undefined
    const ch = plain.slice(48, 64)
    return {
      label: 'seal',
      kid: plain.slice(0, 32),
      aud,
      b: plain.slice(32, 40),
      n,
      ch: isZero(ch) ? undefined : ch,
      p,
      sig: plain.slice(64, HEAD),
    }
  })
}

/** The name of a signed dispatch in `re` and `sub`: 16 bytes. */
export function refOf(provider: Provider, input: Uint8Array): Maybe<Uint8Array> {
  return chain(provider.sha256(input), (hash) => hash.slice(0, REF))
}

/** `undefined`: beyond 2^53-1. */
function readCount(bytes: Uint8Array, at: number): number | undefined {
  let count = 0
  for (let i = 0; i < 8; i++) count = count * 256 + (bytes[at + i] as number)
  return Number.isSafeInteger(count) ? count : undefined
}
