// The key of an engine as a key of age (age-encryption.org), so that a backup can be sealed to it: Ed25519 keys have a
// well-known counterpart of X25519 (RFC 7748 §4.1), which age uses for ssh-ed25519 too.

import { ed25519 } from '@noble/curves/ed25519.js'
import { bech32 } from '@scure/base'

/** `age1…`. @throws {Error} when it is no point */
export function ageRecipient(kid: Uint8Array): string {
  return encode('age', ed25519.utils.toMontgomery(kid))
}

/** `AGE-SECRET-KEY-1…`, from the 32 secret bytes. */
export function ageIdentity(seed: Uint8Array): string {
  return encode('AGE-SECRET-KEY-', ed25519.utils.toMontgomerySecret(seed)).toUpperCase()
}

function encode(prefix: string, bytes: Uint8Array): string {
  return bech32.encode(prefix.toLowerCase(), bech32.toWords(bytes), false)
}
