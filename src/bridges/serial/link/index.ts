// Our own link to a microcontroller: LINK.md in firmware-bridge is its rules.

export { Catalogue, type Entry, type Method } from './catalogue.ts'
export { CborError, cborDecode, cborEncode } from './cbor.ts'
export { SPEEDS } from './connect.ts'
export type { Hello } from './frame.ts'
export { ANSWER, type Ask, type Reply, Requests } from './requests.ts'
export { Session, type SessionEvents } from './session.ts'
