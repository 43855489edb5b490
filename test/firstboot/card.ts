// Two computers with a card in them, before their first boot.

import { type BootOptions, firstBoot, type Outcome } from '../../src/firstboot/boot.ts'
import { PROFILES as profiles } from '../host/profiles.ts'
import { CutMachine, type Files } from './machine.ts'

export const CARD = '/boot/firmware'
export const CONFIG = '/etc/hormiga/hormiga.json'

export const PSK = 'abcdef0123456789'.repeat(4)
/** What `wpa_passphrase Casa 12345678` says. */
export const PSK_OF_CASA = '7d6d74c2239d4936dbdcf6f071dec628f8bcf612b7a98c6da40bd3da0216d7c2'

export const HOME_KEY = `ssh-ed25519 ${Buffer.concat([
  Buffer.from([0, 0, 0, 11]),
  Buffer.from('ssh-ed25519'),
  Buffer.from([0, 0, 0, 32]),
  Buffer.alloc(32, 9),
]).toString('base64')} ana@casa`

const COMMON: Files = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nhormiga:x:997:997::/var/lib/hormiga:/usr/sbin/nologin\n',
  '/etc/hosts': '127.0.0.1\tlocalhost\n',
  // As the package brings it.
  [CONFIG]: '// The keys: hormiga check --schema\n{\n  "devices": {\n    // none\n  }\n}\n',
}

export const APPLIANCE: Files = { ...COMMON, '/etc/hostname': 'hormiga\n', '/etc/hormiga-appliance': '1\n' }

export const PI_OS: Files = {
  ...COMMON,
  '/etc/hostname': 'raspberrypi\n',
  '/etc/passwd': `${COMMON['/etc/passwd']}pi:x:1000:1000::/home/pi:/bin/bash\n`,
  '/etc/NetworkManager/system-connections/.': '',
}

/** One start from these files. */
export async function boot(files: Files): Promise<{ machine: CutMachine; outcome: Outcome }> {
  const machine = new CutMachine(files)
  const options: BootOptions = { machine, card: CARD, profiles }
  return { machine, outcome: await firstBoot(options) }
}
