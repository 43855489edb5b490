// `scan`: what is there, by medium, before anything of it is configured.

import { suggest } from '../core/suggest.ts'
import { type Arguments, UsageError } from './args.ts'

const MEDIA: Record<string, (given: Arguments) => Promise<number>> = {
  mqtt: async (given) => (await import('./scan-mqtt.ts')).scanMqtt(given),
  serial: async (given) => (await import('./scan-serial.ts')).scanSerial(given),
}

export async function scan({ rest: [medium, ...rest], ...given }: Arguments): Promise<number> {
  const known = Object.keys(MEDIA)
  if (medium === undefined) throw new UsageError(`say what to scan: ${known.join(', ')}`)
  const scanMedium = Object.hasOwn(MEDIA, medium) ? MEDIA[medium] : undefined
  if (scanMedium) return scanMedium({ ...given, rest })
  const meant = suggest(medium, known)
  throw new UsageError(
    `"${medium}" can't be scanned, only ${known.join(', ')}${meant ? `. Did you mean: hormiga scan ${meant}?` : ''}`,
  )
}
