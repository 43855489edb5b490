// Why a serial port may be silent: not there, not ours to use, in use, or a name that changes with every boot.

import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Check, Finding, Machine } from './machine.ts'
import { fault, ok, warning } from './machine.ts'

type Bridge = typeof import('../../bridges/serial/index.ts')

export const SERIAL: Check = {
  name: 'serial',
  async look({ machine, config }) {
    const wanted = Object.entries(config?.devices ?? {}).flatMap(([name, { port, simulated }]) =>
      port && !simulated ? [[name, port] as const] : [],
    )
    if (wanted.length === 0) return []
    const bridge = await import('../../bridges/serial/index.ts')
    const all = await Promise.all(wanted.map(([name, port]) => lookAt(machine, bridge, name, port)))
    return [...all.flat(), ...thieves(machine)]
  },
}

async function lookAt(machine: Machine, bridge: Bridge, name: string, port: string): Promise<Finding[]> {
  let path: string
  try {
    path = (await bridge.findPort(machine.isHere ? port : inside(machine, port), machine.root)).path
  } catch (error) {
    return [fault(`${name}: ${(error as Error).message}`, 'plug it in; what there is: hormiga scan serial')]
  }
  const findings = [...console(machine, name, path), ...(await fleeting(machine, bridge, name, port))]
  if (machine.isHere) findings.push(...(await usable(bridge, name, path)))
  return findings.length > 0 ? findings : [ok(`${name}: ${port} is there, and may be used`)]
}

/** It is never opened here: many boards restart when their port is. */
async function usable(bridge: Bridge, name: string, path: string): Promise<Finding[]> {
  try {
    await access(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    const [found = '', fix] = (await bridge.explain(path, error as Error)).split('; ')
    return [fault(`${name}: ${found}`, fix ?? 'check the rights of the port: ls -l')]
  }
  const others = (await bridge.holdersOf(path)).filter((holder) => !/^(node|hormiga)$/.test(holder.name))
  if (others.length === 0) return []
  const who = others.map((holder) => `${holder.name} (process ${holder.pid})`).join(' and ')
  return [
    fault(`${name}: ${who} has ${path} open`, 'end it: two programs on one port take bytes from each other'),
  ]
}

/** A port of the board itself that the kernel writes its messages to. */
function console(machine: Machine, name: string, path: string): Finding[] {
  const tty = path.split('/').at(-1) as string
  const lines = machine.read('/proc/cmdline') ?? ''
  const isConsole = new RegExp(`\\bconsole=(${tty}|${/^tty(AMA|S)/.test(tty) ? 'serial0' : tty})\\b`).test(
    lines,
  )
  if (!isConsole) return []
  return [
    fault(
      `${name}: ${path} is the console of the kernel (/proc/cmdline)`,
      'sudo raspi-config nonint do_serial_cons 1, or take "console=…" out of cmdline.txt; then reboot',
    ),
  ]
}

async function fleeting(machine: Machine, bridge: Bridge, name: string, port: string): Promise<Finding[]> {
  if (!/^\/dev\/tty(USB|ACM)\d+$/.test(port)) return []
  const known = (await bridge.listPorts(machine.root)).find(({ path }) => path === port)
  const better = known && known.id !== port ? known.id : 'a name of /dev/serial/by-id'
  return [warning(`${name}: ${port} may be another board after the next boot`, `write "port": "${better}"`)]
}

/** Programs that take boards away from everybody else. */
function thieves(machine: Machine): Finding[] {
  const programs = machine.programs()
  return [
    ...(programs.has('ModemManager')
      ? [
          warning(
            'ModemManager runs: it talks to every new port for half a minute, as if it were a modem',
            'sudo systemctl mask --now ModemManager',
          ),
        ]
      : []),
    ...(programs.has('brltty')
      ? [warning('brltty runs: it takes boards with a CH340 for a braille display', 'sudo apt remove brltty')]
      : []),
  ]
}

function inside(machine: Machine, port: string): string {
  return port.startsWith('/') ? machine.at(port) : port
}
