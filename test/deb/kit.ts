// For the tests of the Debian packages: commands, packages made once for a file, and a small Debian to install them in.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** When the packages under test are "made": in the future, so that no file keeps its own time. */
export const EPOCH = '2000000000'

export interface Done {
  code: number | null
  out: string
  err: string
}

export interface How {
  env?: NodeJS.ProcessEnv
  input?: string
  limit?: number
}

export function run(
  command: string,
  words: string[],
  { env = process.env, input, limit = 60_000 }: How = {},
): Done {
  const { status, stdout, stderr, error } = spawnSync(command, words, {
    env,
    input,
    timeout: limit,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (error) throw new Error(`${command}: ${error.message}`)
  return { code: status, out: stdout, err: stderr }
}

/** What it printed. @throws {Error} when it fails */
export function must(command: string, words: string[], how?: How): string {
  const { code, out, err } = run(command, words, how)
  if (code !== 0) throw new Error(`${[command, ...words].join(' ')} ended with ${code}:\n${out}${err}`)
  return out
}

/** For one file's tests. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'hormiga-deb-test-'))
}

/** `node scripts/deb …` */
export function deb(words: string[], env: NodeJS.ProcessEnv = { SOURCE_DATE_EPOCH: EPOCH }): Done {
  const quick = words.includes('--compression') ? [] : ['--compression', 'gzip']
  return run(process.execPath, ['scripts/deb/index.js', ...quick, ...words], {
    env: { ...process.env, ...env },
  })
}

/** The paths of what it made, in its order. */
export function makeDebs(words: string[], env?: NodeJS.ProcessEnv): string[] {
  const { code, out, err } = deb(words, env)
  if (code !== 0) throw new Error(err)
  return out
    .trim()
    .split('\n')
    .map((line) => line.split('  ')[0] as string)
}

/** A tarball as nodejs.org's, around a node that is here already. @returns the options for it */
export function packNode(
  node: string,
  system: string,
  folder: string,
  version = process.versions.node,
): string[] {
  const name = `node-v${version}-${system}`
  const place = join(folder, name)
  mkdirSync(join(place, 'bin'), { recursive: true })
  cpSync(realpathSync(node), join(place, 'bin/node'))
  writeFileSync(join(place, 'LICENSE'), 'Copyright (c) 2015 Node.js contributors. All rights reserved.\n')
  const tarball = join(folder, `${name}.tar.gz`)
  // Not compressed: tar looks at the content.
  must('tar', ['-cf', tarball, '-C', folder, name])
  rmSync(place, { recursive: true })
  return ['--node', tarball, '--sha256', createHash('sha256').update(readFileSync(tarball)).digest('hex')]
}

/** The same package under another version. */
export function reversion(file: string, version: string): string {
  const folder = makeFolder()
  try {
    must('dpkg-deb', ['-R', file, folder])
    const control = join(folder, 'DEBIAN/control')
    const text = readFileSync(control, 'utf8')
    const name = /^Package: (.*)$/m.exec(text)?.[1]
    writeFileSync(control, text.replace(/^Version: .*$/m, `Version: ${version}`))
    writeFileSync(join(folder, 'usr/lib/hormiga/engine/VERSION'), `${version}\n`)
    const to = join(dirname(file), `${name}_${version}_test.deb`)
    must('dpkg-deb', ['--root-owner-group', '-Znone', '-b', folder, to])
    return to
  } finally {
    rmSync(folder, { recursive: true })
  }
}

interface Stanza {
  name: string
  text: string
  needs: string[]
}

/** The packages that this machine has, by name. */
function readStatus(): Map<string, Stanza> {
  const stanzas = readFileSync('/var/lib/dpkg/status', 'utf8').split('\n\n')
  const packages = stanzas.flatMap((text): Stanza[] => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
    if (field('Status') !== 'install ok installed') return []
    const needs = [field('Depends'), field('Pre-Depends')].join(',').split(/[,|]/)
    return [{ name: field('Package'), text, needs: needs.map((need) => need.trim().replace(/[ :(].*/, '')) }]
  })
  return new Map(packages.map((it) => [it.name, it]))
}

const BASE = ['dpkg', 'systemd', 'init-system-helpers', 'coreutils', 'dash', 'sed', 'grep', 'tar', 'gzip']
const MORE = [
  'base-files',
  'base-passwd',
  'libc-bin',
  'perl-base',
  'util-linux',
  'findutils',
  'diffutils',
  'libstdc++6',
]
const NOT_COPIED =
  /^\/(usr\/share\/(doc|man|locale|info|bash-completion|lintian|i18n)|var|dev|proc|sys)(\/|$)/

/** A folder with the few packages of this machine that installing needs, and commands run in it as in a machine of its own. */
export class SmallDebian {
  readonly path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hormiga-deb-test-'))

  constructor() {
    const packages = closure(readStatus(), [...BASE, ...MORE])
    const files = packages.flatMap(({ name }) => filesOf(name)).filter((path) => !NOT_COPIED.test(path))
    const list = join(this.path, 'list')
    const there = [...new Set(files.map(canonical))].filter((path) => path !== '/' && existsSync(path))
    writeFileSync(list, there.map((path) => path.slice(1)).join('\n'))
    must('sh', ['-c', `tar -C / --no-recursion -cf - -T ${list} | tar -C ${this.path} -xpf -`])
    rmSync(list)
    for (const folder of [
      'dev',
      'proc',
      'run',
      'tmp',
      'var/lib/dpkg/info',
      'var/lib/dpkg/updates',
      'var/log',
      'root',
    ]) {
      mkdirSync(join(this.path, folder), { recursive: true })
    }
    for (const link of ['bin', 'sbin', 'lib', 'lib64']) {
      if (!existsSync(join(this.path, link))) must('cp', ['-a', `/${link}`, join(this.path, link)])
    }
    writeFileSync(join(this.path, 'var/lib/dpkg/status'), packages.map(({ text }) => `${text}\n\n`).join(''))
    cpSync('/var/lib/dpkg/info/format', this.in('var/lib/dpkg/info/format'))
    for (const { name } of packages) {
      for (const path of listsOf(name)) cpSync(path, join(this.path, path))
    }
    for (const name of ['passwd', 'group']) {
      cpSync(`/usr/share/base-passwd/${name}.master`, join(this.path, 'etc', name))
    }
    chmodSync(this.path, 0o755)
    must('ldconfig', ['-r', this.path])
  }

  /** Runs a command as root of it, or as another user. */
  run(words: string[], how: How & { user?: string } = {}): Done {
    const enter = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot '
    const user = how.user ? `--userspec=${how.user} ` : ''
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      DEBIAN_FRONTEND: 'noninteractive',
      ...how.env,
    }
    const script = `${enter}${user}"$0" "$@"`
    return run('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, this.path, ...words], {
      ...how,
      env,
    })
  }

  /** @returns what it printed, on both ways. @throws {Error} when it fails */
  must(words: string[], how?: How & { user?: string }): string {
    const { code, out, err } = this.run(words, how)
    if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}:\n${out}${err}`)
    return out + err
  }

  /** Installs packages of this machine's. */
  install(...files: string[]): Done {
    for (const file of files) cpSync(file, join(this.path, 'tmp', basename(file)))
    return this.run([
      'dpkg',
      '--force-unsafe-io',
      '--force-confold',
      '-i',
      ...files.map((it) => `/tmp/${basename(it)}`),
    ])
  }

  in(path: string): string {
    return join(this.path, path)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

function closure(status: Map<string, Stanza>, names: string[]): Stanza[] {
  const found = new Map<string, Stanza>()
  const visit = (name: string) => {
    const it = status.get(name)
    if (!it || found.has(name)) return
    found.set(name, it)
    it.needs.forEach(visit)
  }
  names.forEach(visit)
  return [...found.values()]
}

const arch = must('dpkg', ['--print-architecture']).trim()

export const ARCH: string = arch

const SYSTEMS: Record<string, string> = { amd64: 'linux-x64', arm64: 'linux-arm64', armhf: 'linux-armv7l' }

/** How nodejs.org calls this machine. */
export const NODE_SYSTEM: string = SYSTEMS[arch] ?? ''

function listsOf(name: string): string[] {
  return [name, `${name}:${arch}`].map((it) => `/var/lib/dpkg/info/${it}.list`).filter(existsSync)
}

function filesOf(name: string): string[] {
  return listsOf(name).flatMap((list) => readFileSync(list, 'utf8').trim().split('\n'))
}

/** /bin/sh is /usr/bin/sh, where /bin is a link. */
function canonical(path: string): string {
  const folder = dirname(path)
  return existsSync(folder) ? join(realpathSync(folder), basename(path)) : path
}
