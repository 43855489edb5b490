// One open serial port, on the package `serialport`: loaded here and only when a port is opened, for it takes 100 ms.

import { findPort, type PortFile } from './port-find.ts'
import { explain, type Holder, holdersOf } from './port-why.ts'

/** A port that is open. What it promises may take for ever: the link sets the deadlines. */
export interface OpenPort {
  /** Resolves when the kernel has the bytes. */
  write(bytes: Uint8Array): Promise<void>
  speed(speed: number): Promise<void>
  /** `discard`: what is not out yet never will be, e.g. as nobody takes it. */
  close(discard: boolean): Promise<void>
}

export interface PortEvents {
  data(bytes: Uint8Array): void
  /** It can't be used any more: unplugged, mostly. */
  gone(cause: string): void
}

/** What a link needs of the machine. */
export interface PortHost {
  find(spec: string): Promise<PortFile>
  open(path: string, speed: number, events: PortEvents): Promise<OpenPort>
  explain(path: string, error: Error): Promise<string>
  holders(path: string): Promise<Holder[]>
}

export const machine: PortHost = { find: findPort, open: openPort, explain, holders: holdersOf }

/** Opens a port: 8 bits, no parity, no flow control. Pseudo terminals are ports too. */
async function openPort(path: string, speed: number, events: PortEvents): Promise<OpenPort> {
  const { default: serialport } = await import('serialport')
  const port = new serialport.SerialPort({
    path,
    baudRate: speed,
    autoOpen: false,
    // Else boards restart whenever this engine does (A1).
    hupcl: false,
  })
  // Closing with unsent bytes is an error event; without a listener it would end the process.
  port.on('error', (error: Error) => events.gone(error.message))
  port.on('close', (error: Error | null) => events.gone(error?.message ?? 'it was closed'))
  port.on('data', (bytes: Buffer) => events.data(bytes))
  const done = (work: (done: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => work((error) => (error ? reject(error) : resolve())))
  await done((callback) => port.open(callback))
  return {
    write: (bytes) => done((callback) => port.write(bytes, callback)),
    speed: (speed) => done((callback) => port.update({ baudRate: speed }, callback)),
    async close(discard) {
      if (!port.isOpen) return
      // Closing waits for bytes to get out, half a minute if need be.
      if (discard) await done((callback) => port.flush(callback)).catch(() => {})
      if (port.isOpen) await done((callback) => port.close(callback))
    },
  }
}
