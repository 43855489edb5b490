// HPKE (RFC 9180), base mode, single shot: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, ChaCha20Poly1305 0x0003.

import { ascii, concat } from './bytes.ts'
import { expand, extract } from './hkdf.ts'
import { chain, type Maybe } from './maybe.ts'
import type { Exchange, Provider } from './provider.ts'

const NONE = new Uint8Array(0)
const START = ascii('HPKE-v1')
const KEM = concat(ascii('KEM'), Uint8Array.of(0, 0x20))
const HPKE = concat(ascii('HPKE'), Uint8Array.of(0, 0x20, 0, 0x01, 0, 0x03))
const BASE = Uint8Array.of(0)

export interface Sealed {
  enc: Uint8Array
  ct: Uint8Array
}

export interface Schedule {
  secret: Uint8Array
  key: Uint8Array
  nonce: Uint8Array
}

/** Seals to a public key. `ephemeral`: given only by tests with fixed vectors. `undefined`: the key is no key. */
export function hpkeSeal(
  provider: Provider,
  to: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
  ephemeral: Maybe<Exchange> = provider.exchange(),
): Maybe<Sealed | undefined> {
  return chain(ephemeral, (own) =>
    chain(own.derive(to), (dh) => {
      if (!dh) return undefined
      const enc = own.publicKey
      return chain(schedule(provider, dh, enc, to, info), ({ key, nonce }) => ({
        enc,
        ct: provider.aead(key).seal(nonce, aad, plain),
      }))
    }),
  )
}

/** `undefined`: not sealed to this key with these. */
export function hpkeOpen(
  provider: Provider,
  own: Exchange,
  { enc, ct }: Sealed,
  info: Uint8Array,
  aad: Uint8Array,
): Maybe<Uint8Array | undefined> {
  return chain(own.derive(enc), (dh) => {
    if (!dh) return undefined
    return chain(schedule(provider, dh, enc, own.publicKey, info), ({ key, nonce }) =>
      provider.aead(key).open(nonce, aad, ct),
    )
  })
}

/** Key and nonce from a DH result. */
export function schedule(
  provider: Provider,
  dh: Uint8Array,
  enc: Uint8Array,
  to: Uint8Array,
  info: Uint8Array,
): Maybe<Schedule> {
  const pick = (suite: Uint8Array, salt: Uint8Array, name: string, ikm: Uint8Array) =>
    extract(provider, salt, concat(START, suite, ascii(name), ikm))
  const grow = (suite: Uint8Array, prk: Uint8Array, name: string, context: Uint8Array, length: number) =>
    expand(
      provider,
      prk,
      concat(Uint8Array.of(length >> 8, length), START, suite, ascii(name), context),
      length,
    )
  return chain(pick(KEM, NONE, 'eae_prk', dh), (eae) =>
    chain(grow(KEM, eae, 'shared_secret', concat(enc, to), 32), (secret) =>
      chain(pick(HPKE, NONE, 'psk_id_hash', NONE), (pskId) =>
        chain(pick(HPKE, NONE, 'info_hash', info), (infoHash) => {
          const context = concat(BASE, pskId, infoHash)
          return chain(pick(HPKE, secret, 'secret', NONE), (prk) =>
            chain(grow(HPKE, prk, 'key', context, 32), (key) =>
              chain(grow(HPKE, prk, 'base_nonce', context, 12), (nonce) => ({ secret, key, nonce })),
            ),
          )
        }),
      ),
    ),
  )
}
