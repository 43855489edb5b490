// `firstboot`: takes over the settings on the card, at every start of the device (scripts/flash/README.md); checks a file of
// them; or writes the greeting on the console.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { StartError } from '../app/failure.ts'
import { knownProfiles } from '../app/profiles.ts'
import { firstBoot, PRESEED, STATE } from '../firstboot/boot.ts'
import { CONFIG, configOf } from '../firstboot/engine.ts'
import { realMachine, replaceFile } from '../firstboot/machine.ts'
import { type Greeting, greetingText } from '../firstboot/report.ts'
import { readPreseed, readSettings } from '../firstboot/settings.ts'
import { hostNameOf } from '../firstboot/system.ts'
import { readToml } from '../firstboot/toml.ts'
import { type Config, loadConfig } from '../host/config.ts'
import { type Arguments, UsageError } from './args.ts'
import { engineId, filesOf } from './engine-files.ts'
import { printOf } from './own.ts'

const CARD = '/boot/firmware'
const ISSUE = '/etc/issue.d/hormiga.issue'

export async function firstboot({ options, rest }: Arguments): Promise<number> {
  const { card = CARD, root = '', check } = options as Record<string, string | undefined>
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much`)
  if (check !== undefined) return checkFile(check)
  if (options.console) return greet(root)
  const { isNew, done, problems } = await firstBoot({
    machine: realMachine(root),
    card,
    profiles: knownProfiles(),
  })
  if (!isNew) return 0
  for (const what of done) process.stdout.write(`${what}\n`)
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  return problems.length === 0 ? 0 : 1
}

/** On another computer, before the card is taken out of it. */
async function checkFile(path: string): Promise<number> {
  const read = readToml(readOr(path))
  if ('problem' in read) {
    process.stderr.write(`${path}: ${read.problem}\n`)
    return 1
  }
  const isImagers = basename(path) === PRESEED
  const settings = isImagers ? readPreseed(read.table, path) : readSettings(read.table, path)
  const engine = settings.engine && configOf(settings.engine, 'hormiga', knownProfiles())
  const problems = [...settings.problems, ...(engine && 'problems' in engine ? engine.problems : [])]
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  if (problems.length === 0) process.stdout.write(`ok: ${path}\n`)
  return problems.length === 0 ? 0 : 1
}

function readOr(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new StartError(`${path} can't be read: ${(error as Error).message}`)
  }
}

/** Once the engine runs it has a key. */
async function greet(root: string): Promise<number> {
  const machine = realMachine(root)
  const name = await hostNameOf(machine)
  const problems = problemsOf(await machine.read(STATE, 1 << 16))
  const greeting: Greeting = { name, url: undefined, fingerprint: undefined, qr: '', problems }
  try {
    const config = loadConfig({ argument: root + CONFIG, profiles: knownProfiles() })
    const id = engineId(filesOf(() => config, `${root}${config.state ?? '/var/lib/hormiga'}`))
    greeting.fingerprint = id === undefined ? undefined : printOf(id)
    greeting.url = urlOf(config, name)
  } catch (error) {
    // A configuration that its owner has broken, or a key that can't be read.
    greeting.problems.push(...(error as Error).message.split('\n').slice(0, 5))
  }
  const { qrText } = await import('./qr.ts')
  if (greeting.url !== undefined) greeting.qr = qrText(greeting.url)
  await replaceFile(machine, ISSUE, greetingText(greeting))
  await machine.run(['agetty', '--reload'])
  return 0
}

function urlOf({ listen: { http } }: Config, name: string): string | undefined {
  const isLocal = !http || /^(127\.|::1$|localhost$)/.test(http.address)
  return isLocal ? undefined : `http://${name}.local:${http.port}/`
}

function problemsOf(state: Uint8Array | undefined): string[] {
  try {
    return (JSON.parse(Buffer.from(state ?? '{}').toString('utf8')) as { problems?: string[] }).problems ?? []
  } catch {
    return []
  }
}
