// Why a Bluetooth thing may not be found: no adapter, a block, another program, missing rights.

import type { Check, Finding, Machine, Patient } from './machine.ts'
import { fault, ok, warning } from './machine.ts'

/** Bits of CapEff. */
const CAP_NET_ADMIN = 12n
const CAP_NET_RAW = 13n
const CONFIG = ['/boot/firmware/config.txt', '/boot/config.txt']
const DRIVERS = /^(btusb|hci_uart|btbcm|btsdio) /m

/** `isBluetooth`: whether a profile is of something with Bluetooth. */
export function bluetoothCheck(isBluetooth: (profile: string) => boolean): Check {
  return {
    name: 'bluetooth',
    async look({ machine, config }: Patient) {
      const wanted = Object.entries(config?.devices ?? {}).filter(
        ([, { profile, simulated }]) => !simulated && isBluetooth(profile),
      )
      const source = config?.bluetooth.source ?? ''
      if (wanted.length === 0 || !/^(kernel|hci\d+)$/.test(source)) return []
      const adapters = machine.folders('/sys/class/bluetooth', /^hci\d+$/)
      if (adapters.length === 0) return [missing(machine)]
      const named = adapters.find((path) => source === 'kernel' || path.endsWith(`/${source}`))
      const names = adapters.map((path) => path.split('/').at(-1)).join(', ')
      if (!named) {
        return [
          fault(
            `there is no ${source}, but ${names}`,
            'write "bluetooth": { "source": "kernel" } for the first one',
          ),
        ]
      }
      const findings = [...blocks(machine), ...owners(machine), ...rights(machine)]
      return findings.length > 0 ? findings : [ok(`${names}: not blocked, nobody else uses it`)]
    },
  }
}

function missing(machine: Machine): Finding {
  const found = 'there is no adapter in /sys/class/bluetooth'
  for (const file of CONFIG) {
    const line = /^\s*dtoverlay=(disable-bt|pi3-disable-bt|miniuart-bt).*$/m.exec(machine.read(file) ?? '')
    if (line) {
      return fault(`${found}: ${file} says "${line[0].trim()}"`, `take that line out of ${file} and reboot`)
    }
  }
  if (!DRIVERS.test(`${machine.read('/proc/modules') ?? ''}\n`)) {
    return fault(
      `${found}, and no driver for one is loaded`,
      'sudo modprobe btusb (a stick), or sudo systemctl restart hciuart (a Pi); dmesg | grep -i bluetooth says more',
    )
  }
  return fault(found, 'plug one in; on a Pi: dmesg | grep -i bluetooth says whether its firmware was loaded')
}

function blocks(machine: Machine): Finding[] {
  return machine.switches('bluetooth').flatMap(({ folder, name, hard, soft }) => {
    if (hard)
      return [fault(`${name} is blocked by a hardware switch (${folder}/hard is 1)`, 'turn the switch on')]
    return soft ? [fault(`${name} is blocked (${folder}/soft is 1)`, 'sudo rfkill unblock bluetooth')] : []
  })
}

function owners(machine: Machine): Finding[] {
  if (!machine.programs().has('bluetoothd')) return []
  return [
    warning(
      'bluetoothd runs: two programs on one adapter stop each other’s scans and connections',
      'sudo systemctl disable --now bluetooth (if nothing else here needs Bluetooth)',
    ),
  ]
}

/** Of the engine that runs, if its status may be read; else of this process. */
function rights(machine: Machine): Finding[] {
  const engine = machine.folders('/proc', /^\d+$/).find((folder) => {
    const words = machine.read(`${folder}/cmdline`)?.split('\0') ?? []
    return words.includes('run') && words.some((word) => /(^|\/)hormiga(\.js)?$/.test(word))
  })
  const [who, status] = engine
    ? [`the engine (process ${engine.slice(6)})`, machine.read(`${engine}/status`)]
    : ['this process', machine.read('/proc/self/status')]
  const hex = /^CapEff:\s*([0-9a-f]+)/m.exec(status ?? '')?.[1]
  if (!hex) return []
  const set = BigInt(`0x${hex}`)
  const lacks = [
    ...(set & (1n << CAP_NET_RAW) ? [] : ['CAP_NET_RAW']),
    ...(set & (1n << CAP_NET_ADMIN) ? [] : ['CAP_NET_ADMIN']),
  ]
  if (lacks.length === 0) return []
  return [
    fault(
      `${who} lacks ${lacks.join(' and ')} (CapEff ${hex})`,
      'as a service: AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN; by hand, again after every update of Node: ' +
        'sudo setcap cap_net_raw,cap_net_admin+eip "$(readlink -f "$(command -v node)")"',
    ),
  ]
}
