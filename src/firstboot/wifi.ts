// A Wi-Fi network as the two programs want it that may be there. Names are written as bytes and passwords as the key made
// of them, so that no character of theirs can mean anything in these files.

import { pbkdf2Sync } from 'node:crypto'
import type { Wifi } from './settings.ts'

export interface Network {
  ssid: Uint8Array
  /** 64 hexadecimal digits; `undefined`: open. */
  key: string | undefined
  hidden: boolean
  country: string
}

/** Where each program looks, what is written there, and how the key of an earlier time is found again. */
export interface Writer {
  path: string
  write(network: Network): string
}

export const wpaSupplicant: Writer = {
  path: '/etc/wpa_supplicant/wpa_supplicant-wlan0.conf',
  write: ({ ssid, key, hidden, country }) => `# Made by hormiga of the settings on the boot partition.
ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev
country=${country}
network={
  ssid=${hexOf(ssid)}
  scan_ssid=${hidden ? 1 : 0}
  ${key === undefined ? 'key_mgmt=NONE' : `psk=${key}`}
}
`,
}

export const networkManager: Writer = {
  path: '/etc/NetworkManager/system-connections/hormiga.nmconnection',
  write: ({ ssid, key, hidden }) => `# Made by hormiga of the settings on the boot partition.
[connection]
id=hormiga
uuid=6f726d69-6761-4000-8000-00000000f1f1
type=wifi

[wifi]
mode=infrastructure
ssid=${[...ssid].join(';')};
hidden=${hidden}
${key === undefined ? '' : `\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=${key}\n`}
[ipv4]
method=auto

[ipv6]
method=auto
`,
}

/**
 * What is to be written; `undefined`: the file says that the device has the password, but it has none for this network.
 * @param before what stands there now
 */
export function networkOf(
  { ssid, secret, ...more }: Wifi,
  writer: Writer,
  before: string,
): Network | undefined {
  if (secret === 'open') return { ssid, key: undefined, ...more }
  if (secret !== 'kept')
    return { ssid, key: 'key' in secret ? secret.key : keyOf(secret.phrase, ssid), ...more }
  const isSame = before.split('\n').some((line) => line.trim() === ssidLine(writer, ssid))
  const key = isSame ? /^\s*psk=([0-9a-f]{64})$/m.exec(before)?.[1] : undefined
  return key === undefined ? undefined : { ssid, key, ...more }
}

/** IEEE 802.11i: what wpa_passphrase does. */
function keyOf(phrase: string, ssid: Uint8Array): string {
  return pbkdf2Sync(phrase, ssid, 4096, 32, 'sha1').toString('hex')
}

function ssidLine(writer: Writer, ssid: Uint8Array): string {
  return writer === wpaSupplicant ? `ssid=${hexOf(ssid)}` : `ssid=${[...ssid].join(';')};`
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
