// `write`: an image onto a card, as Imager would, for who has no Imager. The card is only touched after every question is
// answered; what was written is read back from the card.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, createReadStream, existsSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { checkDevice, gigabytes } from './device.mjs'
import { FlashError } from './errors.mjs'

const CHUNK = 4 << 20
/** Bytes between two waits for the card: without them the progress would be that of the memory. */
const SYNC = 64 << 20

/**
 * @param ask resolves to what somebody has typed
 * @param say prints a line; `progress` shows how far it is, from 0 to 1
 * @param place for tests: a computer that is laid out in a folder, and the file that stands for the device
 */
export async function writeImage(image, device, { ask, say, progress }, place = {}) {
  if (process.platform !== 'linux' && !place.file) {
    throw new FlashError('write works on Linux. Elsewhere take Raspberry Pi Imager: Choose OS → Use custom.')
  }
  const bytes = sizeOf(image)
  const card = checkDevice(device, place)
  if (bytes > card.bytes) {
    throw new FlashError(
      `the image has ${gigabytes(bytes)}, and the card ${gigabytes(card.bytes)}: take a larger card.`,
    )
  }
  say(`${device}: ${card.model}, ${gigabytes(card.bytes)}. Everything on it will be lost.`)
  const typed = (await ask(`Type ${card.name} to write ${image} onto it: `)).trim()
  if (typed !== card.name) throw new FlashError('that is not its name: nothing was written.')
  // Somebody may have changed cards, or mounted it, while the question stood there.
  const now = checkDevice(device, place)
  if (now.bytes !== card.bytes) throw new FlashError('the card was changed meanwhile: nothing was written.')

  const path = place.file ?? device
  const source = openSource(image)
  const written = await copy(source.stream, path, (done) => progress('writing', done / bytes))
  await source.ended
  if (written.bytes !== bytes) {
    throw new FlashError(
      `${image} ended after ${written.bytes} of ${bytes} bytes: it is damaged, and so is the card now.`,
    )
  }
  const found = await digest(path, bytes, (done) => progress('reading back', done / bytes))
  if (found !== written.sha256) {
    throw new FlashError(
      'the card does not hold what was written: it is worn out, false, or badly seated. Take another one.',
    )
  }
  say(`${bytes} bytes written and read back, SHA-256 ${found}`)
}

/** Bytes, unpacked. */
function sizeOf(image) {
  if (!existsSync(image)) throw new FlashError(`${image}: there is no such file.`)
  if (/\.img$/.test(image)) return statSync(image).size
  if (!/\.img\.xz$/.test(image)) throw new FlashError(`${image} is neither .img nor .img.xz.`)
  const { status, stdout, stderr, error } = spawnSync('xz', ['--robot', '--list', image], {
    encoding: 'utf8',
  })
  if (error)
    throw new FlashError('xz is missing, which unpacks the image. Install it: sudo apt-get install xz-utils')
  const size = Number(/^totals\t(?:[^\t]*\t){3}(\d+)/m.exec(stdout)?.[1])
  if (status !== 0 || !Number.isSafeInteger(size))
    throw new FlashError(`${image} is damaged: ${stderr.trim()}`)
  return size
}

function openSource(image) {
  if (/\.img$/.test(image))
    return { stream: createReadStream(image, { highWaterMark: CHUNK }), ended: undefined }
  const child = spawn('xz', ['--decompress', '--stdout', image], { stdio: ['ignore', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text
  })
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new FlashError(`${image} is damaged: ${complaint.trim()}`)),
    )
  })
  // It is looked at once the stream has ended.
  ended.catch(() => {})
  return { stream: child.stdout, ended }
}

async function copy(stream, path, progress) {
  const hash = createHash('sha256')
  // Exclusive: the kernel refuses a device that somebody uses after all.
  const file = await open(path, constants.O_RDWR | constants.O_EXCL).catch((error) => {
    throw new FlashError(
      error.code === 'EACCES'
        ? `${path} is not yours to write: run it with sudo.`
        : `${path} can't be opened: ${error.message}`,
    )
  })
  let bytes = 0
  let unsynced = 0
  try {
    for await (const chunk of stream) {
      hash.update(chunk)
      for (let at = 0; at < chunk.length; ) {
        at += (await file.write(chunk, at, chunk.length - at, bytes + at)).bytesWritten
      }
      bytes += chunk.length
      unsynced += chunk.length
      if (unsynced >= SYNC) {
        await file.datasync()
        unsynced = 0
      }
      progress(bytes)
    }
    await file.sync()
  } catch (error) {
    if (error instanceof FlashError) throw error
    throw new FlashError(`the card could not be written at ${gigabytes(bytes)}: ${error.message}`)
  } finally {
    await file.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** Opened anew: with its last user gone the kernel has forgotten what it had in memory of a device. */
async function digest(path, bytes, progress) {
  const hash = createHash('sha256')
  let done = 0
  for await (const chunk of createReadStream(path, { end: bytes - 1, highWaterMark: CHUNK })) {
    hash.update(chunk)
    done += chunk.length
    progress(done)
  }
  return hash.digest('hex')
}
