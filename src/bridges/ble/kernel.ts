// The kernel's own adapter, through the optional native socket. Every way it can be missing has its own message.

import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Env } from '../../core/env.ts'
import { type HciPort, type PortEvents, PortFault } from './port.ts'
import type { HciSource } from './source.ts'

const POLL_MS = 1_000
const NATIVE = '@abandonware/bluetooth-hci-socket'

// What noble asks the kernel for: commands, data and events; of the events disconnection, encryption, command complete,
// command status, completed packets, and the LE ones.
const FILTER = Buffer.from('16000000' + '20c10800' + '00000040' + '00000000', 'hex')

/** The part of the native socket that is used here. */
export interface NativeSocket {
  bindRaw(device: number): number
  setFilter(filter: Buffer): void
  isDevUp(): boolean
  start(): void
  stop(): void
  write(packet: Buffer): void
  on(event: 'data', run: (packet: Buffer) => void): unknown
  on(event: 'error', run: (error: NodeJS.ErrnoException) => void): unknown
  removeAllListeners(): unknown
}

/** The computer as this file sees it. Tests hand in their own. */
export interface Machine {
  native(): new () => NativeSocket
  sys: string
}

const MACHINE: Machine = {
  native: () => createRequire(import.meta.url)(NATIVE),
  sys: '/sys',
}

/** Opens `hci<device>`, or the first adapter there is. Throws a `PortFault` that says what to do. */
export function openKernel(
  source: Extract<HciSource, { kind: 'kernel' }>,
  events: PortEvents,
  env: Env,
  machine: Machine = MACHINE,
): HciPort {
  const Native = loadNative(machine)
  const device = findAdapter(source.device, machine)
  const name = `hci${device}`
  checkRfkill(name, machine)
  const socket = bind(Native, device, name)

  let open = true
  let cancel = () => {}
  const close = () => {
    open = false
    cancel()
    socket.removeAllListeners()
    socket.stop()
  }
  const fail = (fault: PortFault) => {
    if (!open) return
    close()
    events.fault(fault)
  }
  const watch = () => {
    cancel = env.clock.after(POLL_MS, () => {
      if (socket.isDevUp()) return watch()
      fail(down(name, machine))
    })
  }
  socket.on('data', (packet) => open && events.packet(packet))
  socket.on('error', (error) => fail(explain(error, name)))
  socket.start()
  watch()
  return { write: (packet) => open && socket.write(Buffer.from(packet)), close }
}

function loadNative(machine: Machine): new () => NativeSocket {
  try {
    return machine.native()
  } catch (cause) {
    throw fault(
      `The native Bluetooth socket (${NATIVE}) is not built on this machine: in a clone install build-essential and ` +
        `python3 and run "npm rebuild ${NATIVE}" (the Debian package has it built), or use a controller behind a socket (bluetooth.source "tcp:…")`,
      cause,
    )
  }
}

function bind(Native: new () => NativeSocket, device: number, name: string): NativeSocket {
  try {
    const socket = new Native()
    socket.bindRaw(device)
    socket.setFilter(FILTER)
    if (!socket.isDevUp()) {
      throw fault(`${name} is switched off: run "bluetoothctl power on" or "sudo hciconfig ${name} up"`)
    }
    return socket
  } catch (error) {
    throw error instanceof PortFault ? error : explain(error as NodeJS.ErrnoException, name)
  }
}

function findAdapter(wanted: number | undefined, machine: Machine): number {
  const there = list(`${machine.sys}/class/bluetooth`)
    .filter((name) => /^hci\d+$/.test(name))
    .map((name) => Number(name.slice(3)))
    .sort((a, b) => a - b)
  const device = wanted ?? there[0]
  if (device !== undefined && there.includes(device)) return device
  const have = there.length ? `there is ${there.map((number) => `hci${number}`).join(', ')}` : 'there is none'
  throw fault(
    `No Bluetooth adapter${wanted === undefined ? '' : ` hci${wanted}`} (${have}): plug one in, or on a Pi look for ` +
      '"dtoverlay=disable-bt" in config.txt and "systemctl status hciuart"',
  )
}

function checkRfkill(name: string, machine: Machine): void {
  for (const entry of list(`${machine.sys}/class/rfkill`)) {
    const read = (file: string) => text(`${machine.sys}/class/rfkill/${entry}/${file}`)
    if (read('type') !== 'bluetooth') continue
    if (read('hard') === '1') throw fault(`${name} is blocked by a hardware switch: turn it on`)
    if (read('soft') === '1') throw fault(`${name} is blocked: run "sudo rfkill unblock bluetooth"`)
  }
}

function down(name: string, machine: Machine): PortFault {
  if (!list(`${machine.sys}/class/bluetooth`).includes(name))
    return fault(`${name} is gone: plug it in again`)
  try {
    checkRfkill(name, machine)
  } catch (error) {
    return error as PortFault
  }
  return fault(`${name} was switched off: run "bluetoothctl power on"`)
}

function explain(error: NodeJS.ErrnoException, name: string): PortFault {
  if (error.code === 'EPERM' || error.code === 'EACCES') {
    return fault(
      `${name} may not be used by this process: it needs CAP_NET_RAW and CAP_NET_ADMIN. As a service: ` +
        '"AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN"; by hand: sudo setcap cap_net_raw,cap_net_admin+eip "$(readlink -f "$(command -v node)")"',
      error,
    )
  }
  if (error.code === 'EAFNOSUPPORT') {
    return fault('This kernel has no Bluetooth: run "sudo modprobe bluetooth" or use another kernel', error)
  }
  if (error.code === 'ENODEV') return fault(`${name} is gone: plug it in again`, error)
  if (error.code === 'ENETDOWN') return fault(`${name} was switched off: run "bluetoothctl power on"`, error)
  return fault(`${name}: ${error.message}`, error)
}

function fault(message: string, cause?: unknown): PortFault {
  return new PortFault('reopen', message, { cause })
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}
