// What kind of card a boot partition belongs to, told by its files; or why nothing can be done with it, and what instead.

import { FlashError } from './errors.mjs'

/** Of every Raspberry Pi's system for 64 bits. */
const PI = ['config.txt', 'cmdline.txt', 'kernel8.img']
/** Of Raspberry Pi OS since November 2025: cloud-init reads them. */
const CLOUD = ['user-data', 'meta-data']
/** Of our own image: its packages are there already. */
export const APPLIANCE = 'hormiga-appliance'
/** In every vendor-data of ours. */
const MARK = '# hormiga: first boot.'

const TAKE =
  'Write Raspberry Pi OS Lite (64-bit) of November 2025 or later with Raspberry Pi Imager 2, and try again.'

/** @returns `{kind: 'raspberry-pi-os' | 'appliance', warnings}`. @throws {FlashError} */
export function recognise(target) {
  const names = target.names()
  const has = (name) => names.some((found) => found.toLowerCase() === name)
  if (has(APPLIANCE)) return { kind: 'appliance', warnings: [] }
  const missing = PI.filter((name) => !has(name))
  if (missing.length > 0) {
    throw new FlashError(
      `${target.where} is no boot partition of a Raspberry Pi for 64 bits: it has no ${missing.join(', no ')}. ` +
        'It is the small one, named bootfs, of the card (take the card out and put it in again if it does not show).',
    )
  }
  if (has('kernel7.img')) {
    throw new FlashError(`${target.where} is of the system for 32 bits, and the packages are for 64. ${TAKE}`)
  }
  if (CLOUD.some((name) => !has(name))) {
    const old = has('firstrun.sh') ? ' (its firstrun.sh is that of the older kind)' : ''
    throw new FlashError(
      `${target.where} has no cloud-init${old}: Bookworm and the first Trixie had none. ${TAKE}`,
    )
  }
  checkVendorData(target)
  return { kind: 'raspberry-pi-os', warnings: warningsOf(target, has) }
}

function checkVendorData(target) {
  const found = target.read('vendor-data')?.toString('utf8')
  if (found === undefined || found.trim() === '' || found.includes(MARK)) return
  throw new FlashError(
    `${target.where} has a vendor-data of somebody else, and there can be one only. ` +
      'Remove that file if it is not needed, or install the packages by hand once the device runs: sudo apt install ./hormiga_….deb',
  )
}

function warningsOf(target, has) {
  const warnings = []
  if (has('firstrun.sh')) {
    warnings.push(
      'there is a firstrun.sh: Raspberry Pi Imager 1 wrote it, and this system does not read it. If account or Wi-Fi were set there, write the card again with Imager 2.',
    )
  }
  if (/^\s*vendor_data:/m.test(target.read('user-data')?.toString('utf8') ?? '')) {
    warnings.push(
      'user-data says something about vendor_data: if it disables it, nothing of ours is started.',
    )
  }
  return warnings
}
