// The MQTT bridge: what is behind a broker becomes resources.

export { Broker, type BrokerEvents, type BrokerSettings } from './broker.ts'
export type { Effect } from './declaration.ts'
export { Mapper, type MapperSettings } from './mapper.ts'
export type { Message } from './payload.ts'
export type { PlainDevice, PlainProperty } from './plain.ts'
export { type Scan, type ScannedDevice, scanMqtt } from './scan.ts'
export { type MqttDevice, type MqttOptions, startMqtt } from './start.ts'
