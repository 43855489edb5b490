// The primitives of node:crypto, all immediate (spec B14).

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type { Aead, Exchange, Provider, Signer, Verifier } from './provider.ts'

const AEAD = 'chacha20-poly1305'
const TAG = 16
const TAG_OPTION = { authTagLength: TAG }

/** PKCS#8 up to the 32 secret bytes. */
const ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex')

const AS_JWK = { format: 'jwk' }

/** Its types do not know JWK. */
const generateAsJwk = generateKeyPairSync as unknown as (
  type: string,
  options: { [name: string]: typeof AS_JWK },
) => { privateKey: JsonWebKey }

export const nodeProvider: Provider = {
  name: 'node',
  random: (length) => randomBytes(length),
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  hmac: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
  signer: (seed) => signerOf(seed ? privateKeyOf(ED25519, seed) : freshKey('ed25519').privateKey),
  verifier: verifierOf,
  exchange: (secret) => {
    if (!secret) {
      const { privateKey, raw } = freshKey('x25519')
      return exchangeOf(privateKey, raw)
    }
    const key = privateKeyOf(X25519, secret)
    return exchangeOf(key, rawOf(createPublicKey(key)))
  },
  aead: aeadOf,
  toText,
  fromText,
}

/**
 * A key pair that no one had before, and its public half. It goes through JWK, so that it shares no lock with the job
 * that made it: in Node 20 that job takes the lock when it is collected, and `export` may collect it while it holds it,
 * which stops the process for good.
 */
export function freshKey(type: 'ed25519' | 'x25519'): { privateKey: KeyObject; raw: Uint8Array } {
  const { privateKey } = generateAsJwk(type, { publicKeyEncoding: AS_JWK, privateKeyEncoding: AS_JWK })
  return {
    privateKey: createPrivateKey({ key: privateKey, format: 'jwk' }),
    raw: Buffer.from(privateKey.x as string, 'base64url'),
  }
}

/** A key pair from a private key: one that was read from a file, or `freshKey`. */
export function signerOf(key: KeyObject): Signer {
  return { kid: rawOf(createPublicKey(key)), sign: (bytes) => sign(null, bytes, key) }
}

function privateKeyOf(prefix: Buffer, secret: Uint8Array): KeyObject {
  const der = Buffer.concat([prefix, secret])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

function rawOf(publicKey: KeyObject): Uint8Array {
  const { x } = publicKey.export({ format: 'jwk' })
  return Buffer.from(x as string, 'base64url')
}

/** By JWK: many times faster than by DER. */
function publicKeyOf(crv: 'Ed25519' | 'X25519', raw: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv, x: toText(raw) }, format: 'jwk' })
}

function verifierOf(kid: Uint8Array): Verifier {
  const key = publicKeyOf('Ed25519', kid)
  return { verify: (bytes, signature) => verify(null, bytes, key, signature) }
}

function exchangeOf(privateKey: KeyObject, publicKey: Uint8Array): Exchange {
  return {
    publicKey,
    derive(other) {
      try {
        const secret = diffieHellman({ privateKey, publicKey: publicKeyOf('X25519', other) })
        return secret.every((byte) => byte === 0) ? undefined : secret
      } catch {
        return undefined // OpenSSL refuses points of small order
      }
    },
  }
}

function aeadOf(key: Uint8Array): Aead {
  return {
    seal(nonce, aad, plain) {
      const cipher = createCipheriv(AEAD, key, nonce, TAG_OPTION)
      cipher.setAAD(aad, { plaintextLength: plain.length })
      const head = cipher.update(plain)
      cipher.final()
      const sealed = Buffer.allocUnsafe(plain.length + TAG)
      sealed.set(head)
      sealed.set(cipher.getAuthTag(), plain.length)
      return sealed
    },
    open(nonce, aad, sealed) {
      const end = sealed.length - TAG
      if (end < 0) return undefined
      const decipher = createDecipheriv(AEAD, key, nonce, TAG_OPTION)
      decipher.setAuthTag(sealed.subarray(end))
      decipher.setAAD(aad, { plaintextLength: end })
      const plain = decipher.update(sealed.subarray(0, end))
      try {
        decipher.final()
        return plain
      } catch {
        return undefined
      }
    },
  }
}

function toText(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return buffer.toString('base64url')
}

/** Node reads junk as well: only what it would write itself is taken. */
function fromText(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
