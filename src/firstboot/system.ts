// Puts settings into the system. Everything here may be done again: after a power cut it is.

import { Buffer } from 'node:buffer'
import { type Machine, replaceFile } from './machine.ts'
import type { Settings, Wifi } from './settings.ts'
import { networkManager, networkOf, wpaSupplicant } from './wifi.ts'

/** Which system it is. On `foreign` ones others look after accounts, SSH and the clock: Raspberry Pi OS. */
export type Kind = 'appliance' | 'foreign'

/** Made by scripts/flash/image. */
export const APPLIANCE = '/etc/hormiga-appliance'

const PASSWD = 1 << 20
const HOSTS = 65_536
const FIRST_USER = 1000

/** What was done and what could not be. */
export interface Told {
  done: string[]
  problems: string[]
}

export type Part = 'name' | 'wifi' | 'user' | 'ssh'

interface Account {
  name: string
  uid: number
  gid: number
  home: string
}

export async function kindOf(machine: Machine): Promise<Kind> {
  return (await machine.read(APPLIANCE, 4096)) ? 'appliance' : 'foreign'
}

export async function hostNameOf(machine: Machine): Promise<string> {
  return (await text(machine, '/etc/hostname', 256)).trim() || 'hormiga'
}

/** Each part by itself: what one can't do does not keep the others from it. */
export async function applySettings(
  machine: Machine,
  kind: Kind,
  { name, wifi, user, ssh }: Settings,
): Promise<Told & { parts: Part[] }> {
  const told = { done: [] as string[], problems: [] as string[], parts: [] as Part[] }
  const apply = async (part: Part, work: () => Promise<string>) => {
    try {
      told.done.push(await work())
      told.parts.push(part)
    } catch (error) {
      told.problems.push(`${part}: ${(error as Error).message}`)
    }
  }
  if (name !== undefined) await apply('name', () => setName(machine, name))
  if (wifi) await apply('wifi', () => setWifi(machine, wifi))
  if (user) await apply('user', () => setUser(machine, user))
  if (ssh) await apply('ssh', () => setSsh(machine, kind, ssh, user?.name))
  return told
}

async function setName(machine: Machine, name: string): Promise<string> {
  const before = (await text(machine, '/etc/hostname', 256)).trim()
  const lines = (await text(machine, '/etc/hosts', HOSTS)).split('\n')
  const rest = lines.filter((line) => line !== '' && !/^127\.0\.1\.1\s/.test(line))
  await replaceFile(machine, '/etc/hosts', `${[...rest, `127.0.1.1\t${name}`].join('\n')}\n`)
  await replaceFile(machine, '/etc/hostname', `${name}\n`)
  await must(machine, ['hostname', name])
  // Who answers for NAME.local has read the old one.
  if (before !== name) await machine.run(['systemctl', '--no-block', 'try-restart', 'avahi-daemon.service'])
  return `the host name is ${name}`
}

async function setWifi(machine: Machine, wifi: Wifi): Promise<string> {
  const hasManager = (await machine.run(['test', '-d', '/etc/NetworkManager/system-connections'])).code === 0
  const writer = hasManager ? networkManager : wpaSupplicant
  const network = networkOf(wifi, writer, await text(machine, writer.path, HOSTS))
  if (!network) throw new Error('its password was taken over for another network: write it down again')
  await replaceFile(machine, writer.path, writer.write(network), { mode: 0o600 })
  if (hasManager) {
    // Of Raspberry Pi OS: the country is in the kernel's line there, and Wi-Fi is blocked until it is set.
    await machine.run(['raspi-config', 'nonint', 'do_wifi_country', network.country])
    await machine.run(['nmcli', 'connection', 'reload'])
  } else {
    await must(machine, ['systemctl', 'enable', 'wpa_supplicant@wlan0.service'])
    await machine.run(['systemctl', '--no-block', 'restart', 'wpa_supplicant@wlan0.service'])
  }
  await machine.run(['rfkill', 'unblock', 'wifi'])
  return `the Wi-Fi ${JSON.stringify(Buffer.from(network.ssid).toString())} is set, country ${network.country}`
}

async function setUser(machine: Machine, { name, password }: NonNullable<Settings['user']>): Promise<string> {
  const known = (await accounts(machine)).find((account) => account.name === name)
  if (known && known.uid < FIRST_USER) throw new Error(`${name} belongs to the system: choose another name`)
  if (!known)
    await must(machine, ['useradd', '--create-home', '--shell', '/bin/bash', '--groups', 'sudo', name])
  if (password) await must(machine, ['chpasswd', '--encrypted'], `${name}:${password}\n`)
  return `the account ${name} is there`
}

async function setSsh(
  machine: Machine,
  kind: Kind,
  { keys, passwords }: NonNullable<Settings['ssh']>,
  user: string | undefined,
): Promise<string> {
  const all = await accounts(machine)
  const account =
    all.find(({ name }) => name === user) ??
    all.find(({ uid }) => uid === FIRST_USER) ??
    all.find(({ uid }) => uid === 0)
  if (!account) throw new Error('there is no account to log in with')
  const { uid, gid, home } = account
  const folder = `${home}/.ssh`
  const path = `${folder}/authorized_keys`
  const before = (await text(machine, path, HOSTS)).split('\n').filter((line) => line.trim() !== '')
  const lines = [...before, ...keys.filter((key) => !before.includes(key))]
  const owner = { uid, gid }
  if (lines.length > 0) {
    await machine.makeFolder(folder, { mode: 0o700, owner })
    await replaceFile(machine, path, `${lines.join('\n')}\n`, { mode: 0o600, owner })
  }
  if (kind === 'appliance') {
    const may = passwords ? 'yes' : 'no'
    await replaceFile(machine, '/etc/ssh/sshd_config.d/hormiga.conf', `PasswordAuthentication ${may}\n`)
    // The image has none: they are this device's.
    await must(machine, ['ssh-keygen', '-A'])
    await must(machine, ['systemctl', 'enable', 'ssh.service'])
    await machine.run(['systemctl', '--no-block', 'restart', 'ssh.service'])
  }
  return `${keys.length} SSH keys for ${account.name}`
}

async function accounts(machine: Machine): Promise<Account[]> {
  const lines = (await text(machine, '/etc/passwd', PASSWD)).split('\n')
  return lines.flatMap((line) => {
    const [name = '', , uid, gid, , home = ''] = line.split(':')
    return home.startsWith('/') ? [{ name, uid: Number(uid), gid: Number(gid), home }] : []
  })
}

async function text(machine: Machine, path: string, most: number): Promise<string> {
  const bytes = await machine.read(path, most)
  return bytes === undefined ? '' : Buffer.from(bytes).toString('utf8')
}

async function must(machine: Machine, command: string[], input?: string): Promise<void> {
  const { code, out } = await machine.run(command, { input })
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${out.trim().split('\n').at(-1)}`)
}
