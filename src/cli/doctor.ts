// `doctor`: what keeps this computer from doing its work, each cause with its proof and what to do (design §8).

import { statSync } from 'node:fs'
import { StartError } from '../app/failure.ts'
import { knownProfiles } from '../app/profiles.ts'
import { type Config, ConfigError, loadConfig } from '../host/config.ts'
import { type Arguments, UsageError } from './args.ts'
import { bluetoothCheck } from './doctor/bluetooth.ts'
import { BROKER } from './doctor/broker.ts'
import { CARD, clockCheck, MEMORY, NETWORK, POWER } from './doctor/computer.ts'
import { ENGINE } from './doctor/engine.ts'
import { type Check, type Finding, fault, Machine, ok, type State } from './doctor/machine.ts'
import { NODE, stateCheck } from './doctor/program.ts'
import { SERIAL } from './doctor/serial.ts'

type Named = Finding & { check: string }

const MARKS: Record<State, string> = {
  ok: 'ok     ',
  warning: 'warning',
  fault: 'FAULT  ',
  unknown: 'unknown',
}

/** Exit code 1 if there is a fault. */
export async function doctor({ options, rest }: Arguments): Promise<number> {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much: doctor looks at everything`)
  const { config: argument, state, root } = options as Record<string, string | undefined>
  const machine = new Machine(root)
  const [config, first] = readConfig(() => loadConfig({ argument, profiles: knownProfiles() }))
  const checks: Check[] = [
    NODE,
    stateCheck(state),
    ENGINE,
    bluetoothCheck((profile) => knownProfiles()[profile]?.medium === 'ble'),
    SERIAL,
    BROKER,
    POWER,
    clockCheck(Date.now(), dateOf(process.argv[1])),
    CARD,
    MEMORY,
    NETWORK,
  ]
  const all = await Promise.all(checks.map((check) => findingsOf(check, machine, config)))
  const findings = [{ check: 'configuration', ...first }, ...all.flat()]
  process.stdout.write(options.json ? `${JSON.stringify(findings)}\n` : show(findings))
  return findings.some(({ state }) => state === 'fault') ? 1 : 0
}

/** One that fails itself leaves the others alone. */
async function findingsOf(check: Check, machine: Machine, config: Config | undefined): Promise<Named[]> {
  const findings = await check
    .look({ machine, config })
    .catch((error): Finding[] => [{ state: 'unknown', found: `it could not be looked at: ${error.message}` }])
  return findings.map((finding) => ({ check: check.name, ...finding }))
}

function readConfig(load: () => Config): [Config | undefined, Finding] {
  try {
    const config = load()
    return [config, ok(config.file ?? 'there is no configuration file, so the defaults hold')]
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof StartError)) throw error
    return [undefined, fault(error.message, 'mend it, and look again: hormiga check')]
  }
}

/** Milliseconds since the epoch; 0: nobody knows. */
function dateOf(file: string | undefined): number {
  return file === undefined ? 0 : (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
}

function show(findings: Named[]): string {
  const lines = findings.flatMap(({ check, state, found, fix }) => {
    const head = `${MARKS[state]} ${check}: `
    return [
      `${head}${found.replaceAll('\n', `\n${' '.repeat(8)}`)}`,
      ...(fix ? [`${' '.repeat(8)}→ ${fix}`] : []),
    ]
  })
  const count = (state: State) => findings.filter((finding) => finding.state === state).length
  return `${lines.join('\n')}\n\n${count('fault')} faults, ${count('warning')} warnings\n`
}
