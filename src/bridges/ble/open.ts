// From a source to a port.

import type { Env } from '../../core/env.ts'
import { openKernel } from './kernel.ts'
import { type HciPort, type PortEvents, PortFault } from './port.ts'
import type { HciSource } from './source.ts'
import { openStream } from './stream.ts'

/** Opens a source. Rejects with a `PortFault` that says what to do. */
export async function openPort(source: HciSource, events: PortEvents, env: Env): Promise<HciPort> {
  if (source.kind === 'kernel') return openKernel(source, events, env)
  if (source.kind === 'serial') {
    throw new PortFault(
      'reopen',
      `A Bluetooth controller on a serial port (${source.path}) needs the serial bridge, which this version does not ` +
        'have yet. Until then put it behind TCP (e.g. socat) and write "tcp:127.0.0.1:4000" as bluetooth.source',
    )
  }
  return openStream(source, events, env)
}
