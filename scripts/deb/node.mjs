// The package hormiga-node: a Node of our own beside the system's, for systems whose Node is too old. Made from the tarball of
// nodejs.org; only the program itself is taken.

import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { strip } from './carried.mjs'
import { pack } from './pack.mjs'
import { architectures, DebError, elfMachine, run } from './tools.mjs'

const FETCH = 600_000
const MOST = 200_000_000

const description = `Node.js 20 for the hormiga engine
Only for hormiga, in a folder of its own: the system's Node, if there is
one, stays as it is. Needed where that is older than 20 or newer.`

const overrides = `# Node's own build holds its libraries inside, and its licence file holds theirs; both are as nodejs.org publishes them.
hormiga-node: copyright-file-contains-full-apache-2-license
hormiga-node: copyright-not-using-common-license-for-gpl
hormiga-node: embedded-library *
hormiga-node: hardening-no-pie *
hormiga-node: old-fsf-address-in-copyright-file
`

/**
 * Makes hormiga-node_VERSION_ARCH.deb in `out`.
 * @param node a file or https URL: node-vVERSION-linux-….tar.xz or .tar.gz
 * @param sha256 of it, as SHASUMS256.txt beside it says
 * @returns `{file, bytes, sha256}`
 */
export async function buildNodePackage({ node, sha256, out, arch, epoch, compression }) {
  const { version, folder } = readName(node, arch)
  const work = mkdtempSync(join(tmpdir(), 'hormiga-node-'))
  try {
    const tarball = await obtain(node, sha256, work)
    const stage = join(work, 'stage')
    const program = join(stage, 'usr/lib/hormiga-node/bin/node')
    const docs = join(stage, 'usr/share/doc/hormiga-node')
    for (const path of [join(program, '..'), docs, join(stage, 'usr/share/lintian/overrides')]) {
      mkdirSync(path, { recursive: true })
    }
    run('tar', ['-xf', tarball, '-C', work, '--no-same-owner', `${folder}/bin/node`, `${folder}/LICENSE`])
    const machine = elfMachine(readFileSync(join(work, folder, 'bin/node')))
    if (machine !== architectures[arch].elf)
      throw new DebError(`the node in ${node} is not for ${arch} (ELF machine ${machine}).`)
    renameSync(join(work, folder, 'bin/node'), program)
    renameSync(join(work, folder, 'LICENSE'), join(docs, 'copyright'))
    chmodSync(program, 0o755)
    strip(program, arch)
    writeFileSync(join(stage, 'usr/share/lintian/overrides/hormiga-node'), overrides)
    const fields = {
      Package: 'hormiga-node',
      Version: `${version}-1`,
      Architecture: arch,
      Section: 'net',
      Priority: 'optional',
      Depends: 'libc6 (>= 2.28), libstdc++6',
      Homepage: 'https://nodejs.org',
      Description: description,
    }
    const changes = `Node.js ${version} as published, stripped.`
    return pack({ stage, out, fields, changes, epoch, compression })
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** `node-v20.20.2-linux-arm64.tar.xz` */
function readName(node, arch) {
  const name = basename(node)
  const [, version, major, system] = /^node-v((\d+)\.\d+\.\d+)-(linux-\w+)\.tar\.[gx]z$/.exec(name) ?? []
  const { tarball } = architectures[arch]
  if (version === undefined || major !== '20' || system !== tarball) {
    throw new DebError(
      `${name}: for ${arch} it must be a node-v20.….….-${tarball}.tar.xz, named as nodejs.org names it.`,
    )
  }
  return { version, folder: `node-v${version}-${system}` }
}

async function obtain(node, sha256, work) {
  const bytes = /^https:\/\//.test(node) ? await download(node) : readFile(node)
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found !== sha256?.toLowerCase()) {
    throw new DebError(`${node} has the SHA-256 ${found}, not ${sha256 ?? 'known: give it with --sha256'}.`)
  }
  const file = join(work, basename(node))
  writeFileSync(file, bytes)
  return file
}

function readFile(path) {
  if (!existsSync(path))
    throw new DebError(`${path}: no such file. Fetch it from nodejs.org/dist, with its SHASUMS256.txt.`)
  return readFileSync(path)
}

async function download(url) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(FETCH) })
    if (!answer.ok) throw new Error(`it answered ${answer.status}`)
    if (Number(answer.headers.get('content-length')) > MOST)
      throw new Error(`it is larger than ${MOST} bytes`)
    return Buffer.from(await answer.arrayBuffer())
  } catch (error) {
    throw new DebError(`${url} can't be fetched: ${error.cause?.message ?? error.message}.`)
  }
}
