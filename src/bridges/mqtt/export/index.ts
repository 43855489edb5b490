// Our own devices in Home Assistant: published as its MQTT discovery, with their states, and with topics for commands
// (issue 5). Of the engine it is a client like any other: it observes, and what it asks is checked like anybody's.

export { statusOf } from './device.ts'
export { type Home, type HomeOptions, startHome } from './home.ts'
