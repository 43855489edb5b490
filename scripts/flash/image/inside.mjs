// The part of the work that is done as root of a namespace (namespace.sh): the base system becomes the tree of the appliance,
// and that the image. Its one argument is JSON, the options of `makeSystem`.

import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { assemble } from './assemble.mjs'
import { here, run } from './tools.mjs'

/** Of the other way to a card, and the same here. */
const greeting = join(here, '../card/hormiga-console.service')

/**
 * @param base the tarball that base.mjs has made
 * @param debs files: hormiga, and what else is to be installed
 * @param to the image
 * @param list where the names and versions of all packages are written
 */
function makeSystem({ base, debs, to, list, epoch }) {
  const tree = mkdtempSync(join(dirname(to), '.tree-'))
  try {
    chmodSync(tree, 0o755)
    // Devices are the kernel's to make, and nobody in a namespace can.
    run('tar', [
      '--extract',
      '--file',
      base,
      '--directory',
      tree,
      '--numeric-owner',
      '--preserve-permissions',
      '--exclude=./dev/*',
    ])
    for (const folder of ['../root', 'root']) lay(join(here, folder), tree)
    lay(greeting, join(tree, 'usr/lib/systemd/system/hormiga-console.service'))
    const folder = join(tree, 'tmp/debs')
    mkdirSync(folder)
    for (const deb of debs) copyFileSync(deb, join(folder, basename(deb)))
    writeFileSync(join(tree, 'usr/lib/clock-epoch'), '')
    utimesSync(join(tree, 'usr/lib/clock-epoch'), epoch, epoch)
    finish(tree, epoch)
    writeFileSync(list, run('dpkg-query', ['--admindir', join(tree, 'var/lib/dpkg'), '--show']))
    assemble({ tree, to, epoch })
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

/** The rights of a checkout's files depend on whose it is. */
function lay(from, to) {
  const facts = statSync(from)
  if (facts.isDirectory()) {
    mkdirSync(to, { recursive: true })
    for (const name of readdirSync(from)) lay(join(from, name), join(to, name))
  } else {
    copyFileSync(from, to)
    chmodSync(to, facts.mode & 0o100 ? 0o755 : 0o644)
  }
}

/** What is mounted for that is in a namespace of its own again: this one never sees it, least of all when it removes the tree. */
function finish(tree, epoch) {
  const script = join(tree, 'tmp/finish.sh')
  copyFileSync(join(here, 'finish.sh'), script)
  const inside = `
    mount -t tmpfs -o mode=755 none "$0/dev"
    for node in null zero full random urandom tty; do : > "$0/dev/$node"; mount --bind "/dev/$node" "$0/dev/$node"; done
    mount --rbind /proc "$0/proc"
    exec chroot "$0" sh /tmp/finish.sh`
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: `${epoch}` }
  const words = ['--mount', '--propagation', 'private', 'sh', '-e', '-c', inside, tree]
  run('unshare', words, { stdio: 'inherit', env })
  rmSync(script)
}

makeSystem(JSON.parse(process.argv[2]))
