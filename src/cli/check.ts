// `check`: whether the configuration can be used, and what it means; or its schema, for editors.

import { loadProfiles, settingsOf } from '../app/profiles.ts'
import { type Config, ConfigError, loadConfig } from '../host/config.ts'
import { configSchema } from '../host/schema.ts'
import { place } from '../transports/sockets.ts'
import { type Arguments, UsageError } from './args.ts'

export async function check({ options, rest }: Arguments): Promise<number> {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much: the file is given with --config FILE`)
  const profiles = settingsOf(await loadProfiles())
  if (options.schema) {
    process.stdout.write(`${JSON.stringify(configSchema(profiles), null, 2)}\n`)
    return 0
  }
  try {
    const config = loadConfig({ argument: options.config as string | undefined, profiles })
    process.stdout.write(`ok: ${summary(config)}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

function summary({ file, name, listen, devices }: Config): string {
  const listeners = (['tcp', 'tcps', 'http'] as const).flatMap((label) => {
    const at = listen[label]
    return at ? [`${label} ${place(at.address, at.port)}`] : []
  })
  const list = Object.entries(devices).map(([device, { profile, simulated }]) => {
    return `${device} (${profile}${simulated ? ', simulated' : ''})`
  })
  return [
    file ?? 'there is no configuration file, so the defaults hold',
    `name ${name}`,
    `listens on ${listeners.join(', ') || 'nothing'}`,
    `devices: ${list.join(', ') || 'none'}`,
  ].join('; ')
}
