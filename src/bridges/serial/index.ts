// The serial bridge: ports that keep themselves open, and microcontrollers with our link.

export { type Asked, askPort } from './ask.ts'
export type { Entry, Method } from './link/index.ts'
export { SerialLink, type SerialSettings, type SerialState } from './link.ts'
export type { SpeedLink } from './node.ts'
export { findPort, listPorts, type PortInfo } from './port-find.ts'
export { explain, type Holder, holdersOf, obstacle } from './port-why.ts'
export { type Described, isStop, type SerialNode, type SerialNodeOptions, startSerialNode } from './start.ts'
