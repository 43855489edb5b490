// What a device folder may import: everything behind `#device`. Nothing else of the engine reaches into a device.

export type { Cancel, Clock } from '../core/clock.ts'
export type { Json } from '../core/dispatch.ts'
export type { Log } from '../core/env.ts'
export { JstpError, STATUS } from '../core/status.ts'
export { suggest } from '../core/suggest.ts'
export * from './exchange.ts'
export * from './gcode.ts'
export * from './link.ts'
export * from './profile.ts'
export * from './simulate.ts'
export * from './start.ts'
export { canonical, check, checkFields, outOfRange } from './values.ts'
