// The demo (`run --demo`): a coffee machine and a robot that aren't there, and what to try with them.

import type { Clock } from '../core/clock.ts'
import type { ListenAt } from '../core/transport.ts'
import type { Simulator } from '../device/simulate.ts'
import { type Config, readConfig } from '../host/config.ts'
import { LISTEN } from '../host/schema.ts'
import type { Profiles } from '../host/schema-devices.ts'

export interface DemoPorts {
  /** Of tcp and http; 0: any free one. */
  port?: number
  httpPort?: number
}

/** How fast the machine works: an espresso takes 20 s. */
const SPEED = 0.32

/** A configuration without a file. */
export function demoConfig(profiles: Profiles, { port, httpPort }: DemoPorts): Config {
  const written = {
    listen: LISTEN,
    devices: {
      cafetera: { profile: 'delonghi-ecam', simulated: true },
      robot: { profile: 'jstp-serial', simulated: true },
    },
    // The screen belongs to what there is to try.
    log: { level: 'warn' },
  }
  const config = readConfig(JSON.stringify(written), 'the demo', profiles)
  const { tcp, http } = config.listen as { tcp: ListenAt; http: ListenAt }
  config.file = undefined
  config.listen = { tcp: { ...tcp, port: port ?? tcp.port }, http: { ...http, port: httpPort ?? http.port } }
  return config
}

/** The machine of the demo is on and hot when it starts. */
export async function demoSimulator(clock: Clock): Promise<Simulator> {
  const { simulator } = await import('../../devices/delonghi-ecam/simulator.ts')
  const machine = simulator(clock, { speed: SPEED })
  machine.warm()
  return machine
}

/** What to try next; every line that starts with a space can be pasted. `program`: how this one is called. */
export function demoText(program: string, tcp: ListenAt, http: ListenAt): string {
  const at = `${tcp.address}:${tcp.port}`
  const engine = at === LISTEN.tcp ? '' : ` --engine ${at}`
  const ask = { method: 'GET', resource: ['cafetera', 'state'], token: ['1'] }
  return `This is a coffee machine and a robot that aren't there. They speak JSTP by TCP on ${at}
and by WebSocket on http://${http.address}:${http.port}/ (open it in a browser: that is their page).
Or try in another terminal:

the state of the machine:
  ${program} get cafetera${engine}
what happens from now on (Ctrl+C ends it):
  ${program} bind 'cafetera/...'${engine}
an espresso, in 20 seconds (watch it with the command before):
  ${program} post cafetera/brew '{"recipe":"espresso"}'${engine}
the robot: its servo to 90 degrees, the left motor to half its power, what it sees, and the stop:
  ${program} put robot/servo 90${engine}
  ${program} put robot/motor/0 50${engine}
  ${program} get robot/distance${engine}
  ${program} post robot/stop${engine}
after a stop it moves again when it is told so:
  ${program} put robot/stop false${engine}
without hormiga, one JSON a line:
  echo '${JSON.stringify(ask)}' | nc -w 1 ${tcp.address} ${tcp.port}

Ctrl+C ends the demo.
`
}
