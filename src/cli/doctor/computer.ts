// The computer itself: its power, clock, card, memory and network.

import { MARK } from '../../host/clock-state.ts'
import { Heat } from '../../host/saturation/index.ts'
import { type Check, type Finding, fault, type Machine, ok, unknown, warning } from './machine.ts'

const HOT = 80
/** Parts of a disk or of the memory. */
const FULL = 0.05
const LITTLE = 0.1
const DAY = 86_400_000

export const POWER: Check = {
  name: 'power',
  async look({ machine }) {
    const heat = new Heat(machine.sources)
    heat.survey()
    const { temperature, throttled, undervoltage, wasUndervoltage } = heat.read()
    const supply = 'use the supply made for this board (5.1 V; Pi 4: 3 A, Pi 5: 5 A) and a short, thick cable'
    const findings: Finding[] = []
    if (undervoltage) findings.push(fault('the supply is too weak now', supply))
    else if (wasUndervoltage)
      findings.push(warning('the supply was too weak at times since the start', supply))
    if (throttled)
      findings.push(warning('the processor is held back by the firmware', 'cool it, or see the supply'))
    if (temperature !== undefined && temperature >= HOT) {
      findings.push(
        warning(`the processor is at ${Math.round(temperature)} °C`, 'give it air or a heat sink'),
      )
    }
    if (findings.length > 0) return findings
    if (undervoltage === undefined && temperature === undefined)
      return [unknown('this computer tells neither voltage nor temperature')]
    return [ok(temperature === undefined ? 'the supply is strong enough' : `${Math.round(temperature)} °C`)]
  },
}

/** @param now milliseconds since the epoch, and the date of this program: no clock that is right is before it. */
export function clockCheck(now = Date.now(), built = 0): Check {
  return {
    name: 'clock',
    async look({ machine }) {
      if (!machine.isHere && machine.read('/proc/uptime') === undefined) return []
      const fix =
        'sudo timedatectl set-ntp true, and look whether the network is up: timedatectl timesync-status'
      if (now < built - DAY) {
        const date = new Date(now).toISOString().slice(0, 10)
        return [
          fault(`the clock says ${date}, which is before this program was made: TLS and stamps fail`, fix),
        ]
      }
      if (machine.read(MARK) !== undefined) return [ok(`${MARK} is there: it follows a time server`)]
      return [warning(`${MARK} is not there: nothing vouches for the clock`, fix)]
    },
  }
}

export const CARD: Check = {
  name: 'card',
  async look({ machine }) {
    const findings = [...mounted(machine), ...worn(machine), ...room(machine)]
    return findings.length > 0
      ? findings
      : [ok('the root file system can be written, has room, and has no errors')]
  },
}

function mounted(machine: Machine): Finding[] {
  const lines = (machine.read('/proc/mounts') ?? '').split('\n').map((line) => line.split(' '))
  const [device, , type, options] = lines.findLast(([, at]) => at === '/') ?? []
  if (!options?.split(',').includes('ro')) return []
  return [
    fault(
      `/ (${device}, ${type}) is mounted read-only`,
      'if nobody wanted that, the kernel did it after an error: dmesg | grep -i error; save what you need, and replace the card',
    ),
  ]
}

function worn(machine: Machine): Finding[] {
  const errors = machine.folders('/sys/fs/ext4').flatMap((folder) => {
    const count = Number(machine.read(`${folder}/errors_count`) ?? 0)
    const disk = folder.split('/').at(-1)
    return count > 0
      ? [
          fault(
            `the file system of ${disk} has had ${count} errors (${folder}/errors_count)`,
            'hormiga backup FILE, then check it (sudo fsck, from another system) or replace the card',
          ),
        ]
      : []
  })
  const lives = machine.folders('/sys/block', /^mmcblk\d+$/).flatMap((folder) => {
    const [most = 0] = (machine.read(`${folder}/device/life_time`) ?? '')
      .split(/\s+/)
      .map(Number)
      .sort((a, b) => b - a)
    const isEnding = Number(machine.read(`${folder}/device/pre_eol_info`) ?? 0) > 1
    if (most < 9 && !isEnding) return []
    return [
      warning(
        `the card ${folder.split('/').at(-1)} says that it is nearly worn out (life_time ${most} of 11)`,
        'hormiga backup FILE, and replace it',
      ),
    ]
  })
  return [...errors, ...lives]
}

function room(machine: Machine): Finding[] {
  const space = machine.isHere ? machine.sources.space('/') : undefined
  if (!space || space.blocks === 0) return []
  const free = space.bavail / space.blocks
  if (free < FULL) {
    return [
      warning(
        `/ has only ${(100 * free).toFixed(1)} % room left`,
        'what takes it: sudo du -xh / | sort -h | tail',
      ),
    ]
  }
  if (space.files > 0 && space.ffree / space.files < FULL) {
    return [
      warning('/ has nearly no inodes left', 'many small files: sudo du -x --inodes / | sort -n | tail'),
    ]
  }
  return []
}

export const MEMORY: Check = {
  name: 'memory',
  async look({ machine }) {
    const info = machine.read('/proc/meminfo') ?? ''
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(info)?.[1] ?? Number.NaN)
    const part = of('MemAvailable') / of('MemTotal')
    if (!Number.isFinite(part)) return []
    const killed = Number(/^oom_kill (\d+)/m.exec(machine.read('/proc/vmstat') ?? '')?.[1] ?? 0)
    const findings: Finding[] = []
    const who = 'what takes it: ps -eo rss,comm --sort=-rss | head'
    if (killed > 0)
      findings.push(
        warning(`the kernel has ended ${killed} programs since the start for want of memory`, who),
      )
    if (part < LITTLE) findings.push(warning(`only ${Math.round(100 * part)} % of the memory is free`, who))
    return findings.length > 0 ? findings : [ok(`${Math.round(100 * part)} % of the memory is free`)]
  },
}

export const NETWORK: Check = {
  name: 'network',
  async look({ machine }) {
    const blocked = machine
      .switches('wlan')
      .filter(({ soft }) => soft)
      .map(({ folder }) =>
        warning(
          `Wi-Fi is blocked (${folder}/soft is 1): a Pi does that until its country is set`,
          'sudo raspi-config nonint do_wifi_country ES (your country), or sudo rfkill unblock wifi',
        ),
      )
    const routes = machine.read('/proc/net/route')
    if (routes === undefined) return blocked
    const has4 = /^\S+\s+00000000\s/m.test(routes.split('\n').slice(1).join('\n'))
    const has6 = /^0{32} 00 .* (?!lo)\S+$/m.test(machine.read('/proc/net/ipv6_route') ?? '')
    if (has4 || has6) return blocked.length > 0 ? blocked : [ok('there is a way out of this network')]
    return [
      ...blocked,
      warning(
        'there is no default route: nothing beyond this network is reached',
        'is the cable in, or the Wi-Fi joined? ip route',
      ),
    ]
  },
}
