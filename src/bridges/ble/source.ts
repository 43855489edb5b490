// Where the HCI bytes come from: the kernel's adapter, or a controller behind a unix socket, TCP or a serial port.

import { JstpError, STATUS } from '../../core/status.ts'

export type HciSource =
  | { kind: 'kernel'; device?: number }
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'serial'; path: string; baud: number }

const FORMS =
  'kernel, hci1, unix:/run/bt.sock, tcp:127.0.0.1:4000 or serial:/dev/serial/by-id/usb-dongle@115200'

/**
 * Reads a source as the configuration writes it (`bluetooth.source`).
 * Throws a `JstpError` 400 that names the forms there are.
 */
export function parseSource(text: string): HciSource {
  const [, kind = '', rest = ''] = /^([a-z]+)(?::(.*))?$/.exec(text) ?? []
  if (text === 'kernel') return { kind: 'kernel' }
  const adapter = /^hci(\d{1,2})$/.exec(text)
  if (adapter) return { kind: 'kernel', device: Number(adapter[1]) }
  if (kind === 'unix' && rest.startsWith('/')) return { kind, path: rest }
  if (kind === 'tcp') {
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(rest) ?? []
    const host = bracketed ?? plain
    if (host && Number(port) >= 1 && Number(port) <= 65_535) return { kind, host, port: Number(port) }
  }
  if (kind === 'serial') {
    const [, path, baud] = /^(\/[^@]*)(?:@(\d{4,7}))?$/.exec(rest) ?? []
    if (path) return { kind, path, baud: baud ? Number(baud) : 115_200 }
  }
  throw new JstpError(STATUS.BAD_DISPATCH, `"${text}" is no Bluetooth source: write ${FORMS}`)
}

/** The source as the configuration writes it. */
export function formatSource(source: HciSource): string {
  if (source.kind === 'kernel') return source.device === undefined ? 'kernel' : `hci${source.device}`
  if (source.kind === 'unix') return `unix:${source.path}`
  if (source.kind === 'serial') return `serial:${source.path}@${source.baud}`
  return `tcp:${source.host.includes(':') ? `[${source.host}]` : source.host}:${source.port}`
}
