// The Bluetooth Low Energy bridge: one adapter, links to devices, advertisements.

export { BleAdapter, type BleSettings, type BleStatus } from './adapter.ts'
export type { Advert, BleMatch, BleTarget } from './advert.ts'
export { formatSource, type HciSource, parseSource } from './source.ts'
export { normaliseUuid } from './uuid.ts'
