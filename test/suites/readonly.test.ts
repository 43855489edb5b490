// needs dist
// The card becomes read-only while the engine runs, as the kernel does it after an error (issue 8): it serves on, ends as it
// should, starts again, and keys and trust are as they were.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { endAll, hormiga, makeFolder, Program } from './rig.ts'

const CONFIG = {
  listen: { tcp: '127.0.0.1:0', http: false },
  history: { save: true },
  devices: { cafetera: { profile: 'delonghi-ecam', simulated: true } },
}
const NOT_ALLOWED = 'no right to make mount namespaces on this machine'
/** $0: a folder that becomes a card of its own, which the first process holds. */
const HOLD = 'mount -t tmpfs card "$0" && echo mounted && exec cat'

test.after(endAll)

test('it serves on, ends, and starts again on a card that has become read-only', async () => {
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) {
    console.log(`skip: ${NOT_ALLOWED}`)
    return
  }
  const folder = makeFolder()
  const config = join(folder, 'hormiga.json')
  writeFileSync(config, JSON.stringify({ ...CONFIG, state: join(folder, 'state') }))
  const holder = new Program('unshare', ['--mount', 'sh', '-c', `mkdir "$0"; ${HOLD}`, join(folder, 'state')])
  await holder.says(/mounted/)
  const inside = ['-t', String(holder.process.pid), '--mount']
  const enter = (...words: string[]) => spawnSync('nsenter', [...inside, ...words], { encoding: 'utf8' })
  const key = () => enter('cat', join(folder, 'state/keys/identity.pem')).stdout
  const start = async () => {
    const program = new Program('nsenter', [
      ...inside,
      process.execPath,
      resolve('dist/hormiga.js'),
      'run',
      '--config',
      config,
    ])
    const at = await program.says(/listening on (\S+) by tcp/)
    await program.says(/cafetera: up/)
    return { program, ask: (...words: string[]) => hormiga([...words, '--engine', at]) }
  }

  const first = await start()
  const secret = key()
  assert.match(secret, /PRIVATE KEY/)
  assert.is(enter('mount', '-o', 'remount,ro', join(folder, 'state')).status, 0)
  assert.is.not(enter('touch', join(folder, 'state/x')).status, 0)
  assert.match((await first.ask('get', 'cafetera/state')).out, /^200 /)
  const put = await first.ask('put', 'cafetera/power', 'true')
  assert.match(put.out, /^200\b/m)
  // A reload reads everything anew.
  first.program.process.kill('SIGHUP')
  await first.program.says(/reloaded/)
  assert.match((await first.ask('get', 'engine/devices')).out, /"state":"up"/)
  assert.is(await first.program.end('SIGTERM', 8000), 0, first.program.err)
  assert.match(first.program.err, /the history is not saved: .*read-only/)

  const second = await start()
  assert.match(second.program.err, /"level":"warn".*the state folder .* can't be used: .*read-only/)
  assert.match((await second.ask('get', 'cafetera/state')).out, /^200 /)
  assert.is(await second.program.end('SIGTERM', 8000), 0)
  assert.is(key(), secret)

  // Writable again, the identity of before is back.
  assert.is(enter('mount', '-o', 'remount,rw', join(folder, 'state')).status, 0)
  const third = await start()
  assert.not.match(third.program.err, /can't be used/)
  assert.is(key(), secret)
  assert.is(await third.program.end('SIGTERM', 8000), 0)
})

test.run()
