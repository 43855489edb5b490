// Which serial ports there are, under names that stay: `ttyUSB0` is another board after the next boot, `/dev/serial/by-id`
// and vendor:product:serial are not (A1).

import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A port of this machine. */
export interface PortInfo {
  /** The name that stays, if udev gives one; else `path`. */
  id: string
  /** `/dev/ttyUSB0` */
  path: string
  /** Of a USB port: four digits each. */
  vendor?: string
  product?: string
  serial?: string
  /** What it says of itself, for people. */
  title?: string
}

/** What tells whether a name still means the same thing: of its device file. */
export interface PortFile {
  path: string
  /** Device and inode: new when it was unplugged and plugged in again. */
  mark: string
}

const USB = /^usb:([0-9a-f]{4}):([0-9a-f]{4})(?::(.+))?$/i
/** Directories above a tty in which its USB device may be. */
const STEPS = 6

/** All ports that look like something plugged in or soldered on. `root` is `/` but for tests. */
export async function listPorts(root = '/'): Promise<PortInfo[]> {
  const names = await readdir(join(root, 'sys/class/tty')).catch(() => [])
  const ids = await stableNames(root)
  const ports: PortInfo[] = []
  for (const name of names.filter((name) => /^(ttyUSB|ttyACM|ttyAMA|ttyS)\d+$/.test(name)).sort()) {
    const device = await realpath(join(root, 'sys/class/tty', name, 'device')).catch(() => undefined)
    if (device === undefined) continue
    const usb = await readUsb(device)
    // Sixteen ports that no machine has are listed by the kernel all the same.
    if (!usb && name.startsWith('ttyS')) continue
    const path = `/dev/${name}`
    ports.push({ id: ids.get(name) ?? path, path, ...usb })
  }
  return ports
}

/**
 * The device file for what the configuration says: a path, or `usb:vendor:product[:serial]`.
 * @throws {Error} when there is none, or several; the message says what there is
 */
export async function findPort(spec: string, root = '/'): Promise<PortFile> {
  const usb = USB.exec(spec)
  const path = usb ? await findUsb(spec, usb, root) : spec
  try {
    const { dev, ino, rdev, mode } = await stat(path)
    if ((mode & 0o170000) !== 0o020000) throw new Error(`${spec} is not a serial port but a file or a folder`)
    return { path, mark: [dev, ino, rdev].join() }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new Error(await missing(spec, root), { cause: error })
  }
}

async function findUsb(
  spec: string,
  [, vendor, product, serial]: RegExpExecArray,
  root: string,
): Promise<string> {
  const same = (a?: string, b?: string) => a?.toLowerCase() === b?.toLowerCase()
  const found = (await listPorts(root)).filter(
    (port) =>
      same(port.vendor, vendor) && same(port.product, product) && (!serial || same(port.serial, serial)),
  )
  const [first, second] = found
  if (!first) throw new Error(await missing(spec, root))
  if (!second) return first.path
  const all = found.map(({ id, serial }) => `${id} (serial ${serial ?? 'none'})`).join(', ')
  throw new Error(`${found.length} boards fit ${spec}: ${all}; write the serial too, or the path of one`)
}

async function missing(spec: string, root: string): Promise<string> {
  const ports = await listPorts(root)
  const all = ports.map(({ id, title }) => (title ? `${id} (${title})` : id)).join(', ')
  return `${spec} is not there: is it plugged in? ${all ? `There is: ${all}` : 'No serial port is there at all'}`
}

async function stableNames(root: string): Promise<Map<string, string>> {
  const folder = join(root, 'dev/serial/by-id')
  const links = await readdir(folder).catch(() => [])
  const names = new Map<string, string>()
  for (const link of links.sort()) {
    const target = await realpath(join(folder, link)).catch(() => undefined)
    if (target) names.set(basename(target), `/dev/serial/by-id/${link}`)
  }
  return names
}

async function readUsb(device: string): Promise<Omit<PortInfo, 'id' | 'path'> | undefined> {
  let folder = device
  for (let step = 0; step < STEPS; step++) {
    const vendor = await read(join(folder, 'idVendor'))
    if (vendor) {
      const [product, serial, maker, title] = await Promise.all(
        ['idProduct', 'serial', 'manufacturer', 'product'].map((file) => read(join(folder, file))),
      )
      return { vendor, product, serial, title: [maker, title].filter(Boolean).join(' ') || undefined }
    }
    folder = dirname(folder)
  }
  return undefined
}

async function read(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text?.trim() || undefined
}
