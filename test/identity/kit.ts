// What the tests of identity/ share: bytes, both providers, keys of the fixed vectors.

import * as assert from 'uvu/assert'
import type { Maybe } from '../../src/identity/maybe.ts'
import type { Provider } from '../../src/identity/provider.ts'
import { nodeProvider } from '../../src/identity/provider-node.ts'
import { type WebCrypto, webProvider } from '../../src/identity/provider-web.ts'

export const node = nodeProvider
export const web = webProvider(globalThis.crypto as unknown as WebCrypto)
export const providers: Provider[] = [node, web]

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
}

export function toHex(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString('hex')
}

/** `length` bytes that count up from `start`. */
export function range(start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => start + i)
}

export function utf8(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text))
}

/** What must be there at once: in Node nothing is a promise. */
export function now<T>(value: Maybe<T>): T {
  assert.not.instance(value, Promise, 'no promise in Node')
  return value as T
}

export async function sha256(bytes: Uint8Array): Promise<string | undefined> {
  return toHex(await node.sha256(bytes))
}
