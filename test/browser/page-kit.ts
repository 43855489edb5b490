// What test/identity/kit.ts is in Node, in a page: so that the files with the vectors run there as they are.

import type { Maybe } from '../../src/identity/maybe.ts'
import type { Provider } from '../../src/identity/provider.ts'
import { type WebCrypto, webProvider } from '../../src/identity/provider-web.ts'

export const web = webProvider(globalThis.crypto as unknown as WebCrypto)
/** For "what Node would take": a platform that takes every signature. */
export const node: Provider = { ...web, verifier: () => ({ verify: () => true }) }
export const providers: Provider[] = [web]

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (digits) => Number.parseInt(digits, 16))
}

export function toHex(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function range(start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => start + i)
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** In a page everything may be a promise. */
export function now<T>(value: Maybe<T>): T {
  return value as T
}

export async function sha256(bytes: Uint8Array): Promise<string | undefined> {
  return toHex(await web.sha256(bytes))
}
