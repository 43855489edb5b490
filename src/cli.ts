#!/usr/bin/env node
// The command line (design §8, §9.19): finds the command, reads its arguments, and ends with its exit code. A command is
// loaded when it is called.

import { StartError } from './app/failure.ts'
import { VERSION } from './app/program.ts'
import { type Arguments, type Options, readArguments, readCount, UsageError } from './cli/args.ts'
import { suggest } from './core/suggest.ts'

interface Command {
  /** After `hormiga NAME`. */
  usage: string
  summary: string
  options: Options
  /** Resolves to the exit code; `undefined`: it goes on running. */
  run(given: Arguments): Promise<number | undefined>
}

const OWN_KEY: Options = {
  as: {
    value: 'FILE',
    description: 'signs with this key instead of the own one (hormiga id --new FILE makes one)',
  },
}

const ENGINE: Options = {
  engine: { description: 'of the engine of this machine' },
  config: { value: 'FILE', description: 'the same, with this configuration' },
  state: { value: 'DIR', description: 'the same, with this folder for state' },
}

const CALL: Options = {
  engine: {
    value: 'HOST:PORT',
    description: 'the engine of a bare name (default: as configured, or 127.0.0.1:33333)',
  },
  json: { description: 'one JSON object a line: status, body, from, resource' },
  key: {
    value: 'NAME',
    description:
      'seals it for that engine: a name of the trust file, or a did:key (default: the name in the URI)',
  },
  ...OWN_KEY,
}

const BIND: Command = {
  usage: 'URI',
  summary: "prints what happens, e.g. bind 'cafetera/...', until Ctrl+C",
  options: {
    ...CALL,
    count: { value: 'N', description: 'ends after N lines' },
    timeout: { value: 'TIME', description: 'ends after this time (exit code 1 if --count is not reached)' },
  },
  run: async (given) => (await import('./cli/bind.ts')).bind(given),
}

const COMMANDS: Record<string, Command> = {
  run: {
    usage: '',
    summary: 'runs the engine',
    options: {
      config: { value: 'FILE', description: 'default: ./hormiga.json, else /etc/hormiga/hormiga.json' },
      state: { value: 'DIR', description: 'the folder for what must outlive a restart' },
      demo: { description: 'needs nothing: a simulated coffee machine and robot, and what to try with them' },
      port: { value: 'N', description: 'of the demo, for TCP (default: 33333; 0: any)' },
      'http-port': { value: 'N', description: 'of the demo, for HTTP (default: 8080; 0: any)' },
    },
    run: start,
  },
  get: call('GET', 'reads, e.g. get cafetera/state'),
  post: call('POST', `does something, e.g. post cafetera/brew '{"recipe":"espresso"}'`),
  put: call('PUT', 'sets, e.g. put cafetera/power on'),
  patch: call('PATCH', `changes a part, e.g. patch cafetera/settings '{"sounds":false}'`),
  delete: call('DELETE', 'removes'),
  bind: BIND,
  top: {
    usage: '[HOST:PORT | NAME …]',
    summary: 'shows how full engines are, live: that of this machine, others, and all that serve with them',
    options: {
      engine: {
        value: 'HOST:PORT',
        description: 'instead of the engine of this machine (default: as configured, or 127.0.0.1:33333)',
      },
      once: { description: 'one picture; exit code 1 if an engine that was asked for is not there' },
      json: { description: 'one JSON object a line for every change; with --once one for all' },
      ...OWN_KEY,
    },
    run: async (given) => (await import('./cli/top.ts')).top(given),
  },
  scan: {
    usage: 'mqtt [URL | DEVICE] | serial [PORT …]',
    summary:
      'shows what is there: scan mqtt, what a broker tells of; scan serial, the ports and who has them',
    options: {
      config: { value: 'FILE', description: 'whose broker it is, if none is named; default: as for run' },
      user: { value: 'NAME', description: 'mqtt: our name at the broker' },
      'password-file': { value: 'FILE', description: 'mqtt: a file with nothing but the password' },
      ca: { value: 'FILE', description: 'mqtt: certificates (PEM) instead of the usual ones, for mqtts:' },
      allow: {
        value: 'FILTER',
        many: true,
        description: "mqtt: more topics that may be named, as 'kitchen/#'",
      },
      ask: { description: 'serial: opens the ports and asks what is there (boards restart)' },
      time: { value: 'TIME', description: 'how long at most (default: 10s; a serial port: 6s)' },
      json: { description: 'one JSON object' },
    },
    run: async (given) => (await import('./cli/scan.ts')).scan(given),
  },
  doctor: {
    usage: '',
    summary: 'finds what keeps this computer from doing its work, and says what to do',
    options: {
      config: { value: 'FILE', description: 'default: as for run' },
      state: { value: 'DIR', description: 'the folder for state; default: as for run' },
      root: { value: 'DIR', description: "looks at another computer's card, mounted there" },
      json: { description: 'one JSON list of findings: check, state, found, fix' },
    },
    run: async (given) => (await import('./cli/doctor.ts')).doctor(given),
  },
  backup: {
    usage: 'FILE',
    summary: 'saves configuration, trust and state in one file that only a passphrase or a key opens',
    options: {
      to: { value: 'NAME', description: 'that engine can open it: a did:key, or a name of the trust file' },
      'passphrase-file': { value: 'FILE', description: 'default: a passphrase is asked for' },
      'with-identity': { description: 'the key of the engine too: for the board that takes its place' },
      config: { value: 'FILE', description: 'default: as for run' },
      state: { value: 'DIR', description: 'default: as for run' },
    },
    run: async (given) => (await import('./cli/backup.ts')).backup(given),
  },
  restore: {
    usage: 'FILE',
    summary: 'puts a backup back; the engine must not run',
    options: {
      'passphrase-file': { value: 'FILE', description: 'default: the passphrase is asked for' },
      force: { description: 'replaces what is there' },
      config: { value: 'FILE', description: 'where the configuration goes; default: as for run' },
      state: { value: 'DIR', description: 'where the state goes; default: as for run' },
    },
    run: async (given) => (await import('./cli/restore.ts')).restore(given),
  },
  update: {
    usage: 'FILE | --rollback | --status',
    summary: 'installs a signed version, and keeps it only if all goes at least as well as before',
    options: {
      rollback: { description: 'the version before is in force again' },
      status: { description: 'which versions there are, what became of the last update, whose are taken' },
      json: { description: 'with --status: one JSON object' },
      trial: { value: 'TIME', description: 'how long the new version is watched (default: 60s)' },
      force: { description: 'an older version, too' },
      settle: { description: "for the engine's unit: ends a trial that was cut off or fails" },
      inbox: { description: "for the update's unit: what was handed over" },
      root: { value: 'DIR', description: 'for tests: where the machine is' },
    },
    run: async (given) => (await import('./cli/update.ts')).update(given),
  },
  firstboot: {
    usage: '',
    summary: 'takes over the settings on the card (hormiga.toml), at every start of a device',
    options: {
      check: {
        value: 'FILE',
        description: 'only says whether that hormiga.toml or rpi-preseed.toml is right',
      },
      card: { value: 'DIR', description: 'where the boot partition is mounted (default: /boot/firmware)' },
      console: { description: 'writes the greeting on the console: address, fingerprint, QR code' },
      root: { value: 'DIR', description: 'of another system, mounted there' },
    },
    run: async (given) => (await import('./cli/firstboot.ts')).firstboot(given),
  },
  check: {
    usage: '',
    summary: 'checks the configuration',
    options: {
      config: { value: 'FILE', description: 'default: ./hormiga.json, else /etc/hormiga/hormiga.json' },
      schema: { description: 'prints the JSON schema of the configuration' },
    },
    run: async (given) => (await import('./cli/check.ts')).check(given),
  },
  id: {
    usage: '',
    summary: 'shows the key of this command line, or of the engine: hormiga id --engine',
    options: {
      ...ENGINE,
      ...OWN_KEY,
      new: { value: 'FILE', description: 'makes a key in a file of its own, for --as' },
      qr: { description: 'a QR code of it, where the output is no terminal too' },
      json: { description: 'one JSON object: id, fingerprint, file' },
    },
    run: async (given) => (await import('./cli/id.ts')).id(given),
  },
  trust: {
    usage: '[list | add NAME DID | remove NAME | revoke NAME | grant NAME DID | rotate | pair [CODE]]',
    summary: 'who may do what here (--allow), and which engines are known (--at)',
    options: {
      allow: {
        value: "'METHODS PATTERN'",
        many: true,
        description: `what that key may do, such as 'GET,BIND cafetera/...' or 'POST cafetera/brew'; several times for more`,
      },
      at: {
        value: 'HOST:PORT',
        many: true,
        description: 'where that engine is; relays before it: RELAY:PORT,HOST:PORT',
      },
      name: { value: 'NAME', description: 'pair: how that key, or that engine, is called here' },
      to: {
        value: 'NAME',
        many: true,
        description: 'grant, revoke, rotate: the engine that is told; several times for more',
      },
      issuer: { description: 'add: may grant and revoke for others' },
      epoch: { value: 'N', description: 'grant, revoke: raised, it voids all earlier grants' },
      ...ENGINE,
      cli: { description: 'of this command line' },
      file: { value: 'FILE', description: 'of this trust file' },
      ...OWN_KEY,
      qr: { description: 'pair: a QR code of it, where the output is no terminal too' },
      json: { description: 'list: one JSON object' },
    },
    run: async (given) => (await import('./cli/trust.ts')).trust(given),
  },
}

const SEE = '\nsee: hormiga --help'

const URIS = `A URI is a resource of the engine here (cafetera/state), or names where it is:
  pi:33333//cafetera/state   pi:8080:ws//cafetera   jstp:GET#pi:33333:tcp//cafetera
  cocina//cafetera/state (sealed, after: hormiga trust add cocina did:key:… --at pi:33333)
A body is JSON, and what is none is a string; "-" reads it from standard input.`

function call(method: string, summary: string): Command {
  return {
    usage: 'URI [BODY]',
    summary,
    options: {
      ...CALL,
      timeout: { value: 'TIME', description: 'how long to wait for answers, as 10s or 500ms (default: 12s)' },
    },
    run: async (given) => (await import('./cli/ask.ts')).ask(method, given),
  }
}

async function start({ options, rest }: Arguments): Promise<undefined> {
  const { config, state, demo, port, 'http-port': httpPort } = options as Record<string, string | undefined>
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much: a file is given with --config FILE`)
  if (demo && config !== undefined) throw new UsageError('--demo has no configuration: leave out --config')
  if (!demo && (port ?? httpPort) !== undefined) {
    throw new UsageError('--port and --http-port are of the demo: set "listen" in the configuration')
  }
  const number = (name: string, text: string | undefined) =>
    text === undefined ? undefined : readCount(text, name, 0, 65_535)
  const ports = { port: number('--port', port), httpPort: number('--http-port', httpPort) }
  const { run } = await import('./main.ts')
  await run({ configFile: config, state, demo: demo ? ports : undefined })
}

function help(): string {
  const width = 8
  const list = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)} ${summary}`)
  return `hormiga COMMAND …

${list.join('\n')}

hormiga COMMAND --help tells its options; hormiga --version.
${URIS}
Exit code: 0, 1 if it failed or a status was 400 or more, 2 if the command is not understood.
`
}

function helpOf(name: string, { usage, summary, options }: Command): string {
  const rows = Object.entries(options).map(([option, { value, description }]) => {
    return [`--${option}${value ? ` ${value}` : ''}`, description] as const
  })
  const width = Math.max(...rows.map(([head]) => head.length))
  const list = rows.map(([head, description]) => `  ${head.padEnd(width)}  ${description}`)
  const uris = usage.startsWith('URI') ? `\n${URIS}\n` : ''
  return `hormiga ${[name, usage].filter(Boolean).join(' ')} [options]: ${summary}\n\n${list.join('\n')}\n${uris}`
}

async function main(words: string[]): Promise<number | undefined> {
  const [name, ...rest] = words
  if (name === undefined) throw new UsageError(`a command is needed${SEE}`)
  if (name === '--help' || name === '-h' || name === 'help') return print(help())
  if (name === '--version') return print(`${VERSION}\n`)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command) {
    const meant = suggest(name, Object.keys(COMMANDS))
    throw new UsageError(
      `there is no command "${name}"${meant ? `. Did you mean: hormiga ${meant}?` : ''}${SEE}`,
    )
  }
  try {
    const given = readArguments(rest, {
      ...command.options,
      help: { description: '' },
      h: { description: '' },
    })
    return given.options.help || given.options.h ? print(helpOf(name, command)) : await command.run(given)
  } catch (error) {
    if (error instanceof UsageError) error.message += `\nsee: hormiga ${name} --help`
    throw error
  }
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

/** Of a pipe that nobody reads any more, as in `| head -1`. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

try {
  const code = await main(process.argv.slice(2))
  if (code !== undefined) process.exitCode = code
} catch (error) {
  const isUsage = error instanceof UsageError
  const isTold = isUsage || error instanceof StartError
  process.stderr.write(`hormiga: ${isTold ? error.message : (error as Error).stack}\n`)
  process.exit(isUsage ? 2 : 1)
}
