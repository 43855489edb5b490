// What a device says of itself before anyone connects, and whether it is the one a link is looking for.

import { normaliseUuid } from './uuid.ts'

/** One advertisement, with what its scan response added. UUIDs are 36 characters, lower case. */
export interface Advert {
  /** `00:a0:50:12:34:56` */
  address: string
  addressType: 'public' | 'random'
  connectable: boolean
  /** dBm */
  rssi: number
  name?: string
  services: string[]
  serviceData: { uuid: string; data: Uint8Array }[]
  /** Company id (2 bytes, little-endian) and what follows. */
  manufacturer?: Uint8Array
}

/** How a device shows itself. All that is given must hold; nothing given matches nothing. */
export interface BleMatch {
  /** Counts wherever it is advertised, also as service data, there also by the characteristic. */
  service?: string
  /** A string is the whole name. */
  name?: RegExp | string
  /** `00:a0:50` */
  addressPrefix?: string
}

/** How to recognise the device (one `match` is enough; with an `address` they are not looked at) and speak to it. */
export interface BleTarget {
  address?: string
  match: BleMatch | readonly BleMatch[]
  service: string
  characteristic: string
  write: 'with-response' | 'without-response'
}

/** noble's own shape of an advertisement. */
export interface NobleAdvertisement {
  localName?: string
  manufacturerData?: Buffer
  serviceData?: { uuid: string; data: Buffer }[]
  serviceUuids?: string[]
}

/** The key noble files a device under: its address without colons. */
export function keyOf(address: string): string {
  return address.toLowerCase().replace(/[^0-9a-f]/g, '')
}

export function readAdvert(
  address: string,
  addressType: string,
  connectable: boolean,
  from: NobleAdvertisement,
  rssi: number,
): Advert {
  return {
    address,
    addressType: addressType === 'random' ? 'random' : 'public',
    connectable,
    rssi,
    name: from.localName,
    services: (from.serviceUuids ?? []).map(normaliseUuid),
    serviceData: (from.serviceData ?? [])
      .filter(({ uuid }) => uuid)
      .map(({ uuid, data }) => ({ uuid: normaliseUuid(uuid), data: Uint8Array.from(data) })),
    manufacturer: from.manufacturerData && Uint8Array.from(from.manufacturerData),
  }
}

/** Whether this advertisement comes from the device the target means. */
export function matches(target: BleTarget, advert: Advert): boolean {
  if (target.address) return keyOf(target.address) === keyOf(advert.address)
  return [target.match].flat().some((match) => holds(match, target.characteristic, advert))
}

function holds({ service, name, addressPrefix }: BleMatch, characteristic: string, advert: Advert): boolean {
  if (service === undefined && name === undefined && addressPrefix === undefined) return false
  if (service !== undefined) {
    const wanted = [normaliseUuid(service), normaliseUuid(characteristic)]
    const said = [...advert.services, ...advert.serviceData.map(({ uuid }) => uuid)]
    if (!said.some((uuid) => wanted.includes(uuid))) return false
  }
  if (typeof name === 'string' && advert.name !== name) return false
  if (name instanceof RegExp && !name.test(advert.name ?? '')) return false
  return addressPrefix === undefined || keyOf(advert.address).startsWith(keyOf(addressPrefix))
}
