// `check`: whether the configuration can be used, and what it means; or its schema, for editors.

import { StartError } from '../app/failure.ts'
import { knownProfiles } from '../app/profiles.ts'
import { trustOwners } from '../app/trust-watch.ts'
import { type Config, ConfigError, loadConfig } from '../host/config.ts'
import { configSchema } from '../host/schema.ts'
import { readTrustFile } from '../identity/trust-disk.ts'
import { place } from '../transports/sockets.ts'
import { type Arguments, UsageError } from './args.ts'
import { told } from './own.ts'

export async function check({ options, rest }: Arguments): Promise<number> {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much: the file is given with --config FILE`)
  if (options.schema) {
    process.stdout.write(`${JSON.stringify(configSchema(knownProfiles()), null, 2)}\n`)
    return 0
  }
  try {
    const config = loadConfig({ argument: options.config as string | undefined, profiles: knownProfiles() })
    process.stdout.write(`ok: ${summary(config, trustSummary(config))}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof StartError)) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

/** Of the trust file, where it stands in a fixed place. @throws {StartError} when it can't be used */
function trustSummary({ trust }: Config): string[] {
  if (trust === undefined) return []
  const { keys, revoked } = told(() => readTrustFile(trust, trustOwners()))
  return keys.length + revoked.length === 0
    ? []
    : [`${trust}: ${keys.length} keys, ${revoked.length} revoked`]
}

function summary({ file, name, listen, devices }: Config, trust: string[]): string {
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
    ...trust,
    `devices: ${list.join(', ') || 'none'}`,
  ].join('; ')
}
