// A client of mqtt.js that reads every value and does nothing with it.

import mqtt from 'mqtt'

const client = await mqtt.connectAsync(process.argv[2])
let sum = 0
client.on('message', (_topic, payload) => {
  sum += Number(payload)
})
await client.subscribeAsync('tele/#')
process.on('SIGTERM', () => process.exit(sum >= 0 ? 0 : 1))
