// needs dist
// alone
// time limit: 120 s
// HTTP against the built program: the recipes of the README as they stand, and hostile clients with an honest one beside them.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, Engine, endAll, makeFolder, Program } from './rig.ts'

const CAFETERA = { profile: 'delonghi-ecam', simulated: true }
/** Milliseconds: an honest client that waits longer was held up. */
const PROMPT = 1000

test.after(endAll)

test('the curl recipes of the README run as they stand', async () => {
  const demo = new Engine({}, ['--demo', '--port', '0', '--http-port', '0'])
  const port = await demo.says(/by WebSocket on http:\/\/127\.0\.0\.1:(\d+)/)
  for (let tries = 0; (await demo.get('cafetera')).state !== 'ready'; tries++) assert.ok(tries < 50)
  const section = /\n## With curl\n(.*?)\n## /s.exec(readFileSync('README.md', 'utf8'))?.[1]
  assert.ok(section, 'the README has recipes')
  const commands = recipesOf(section).map((text) => text.replaceAll('localhost:8080', `localhost:${port}`))
  assert.ok(commands.length >= 10, `${commands.length} commands`)
  const folder = makeFolder()
  const said: string[] = []
  for (const command of commands) {
    const goesOn = command.includes('text/event-stream')
    const shell = new Program('/bin/sh', ['-c', goesOn ? `exec ${command}` : command], folder)
    if (goesOn) {
      // The one of before may not be stopped yet.
      for (let code: number | null = 1, tries = 0; code !== 0 && tries < 30; tries++)
        code = (await demo.ask('post', 'cafetera/brew', '{"recipe":"espresso"}')).code
      await shell.says(/^data: \{.*"cafetera".*\}\n/m)
      await shell.end('SIGKILL')
    } else assert.is(await shell.end(), 0, `${command}\n${shell.err}`)
    assert.not.match(shell.out, /"message"/, `${command}\n${shell.out}`)
    said.push(shell.out)
  }
  assert.match(said[0] as string, /^\{.*"online":true/)
  assert.match(said[1] as string, /^\{"value":"/)
  assert.match(said.find((text) => text.includes('ANSWER')) as string, /"resource":\[200,"1"/)
  await demo.stop()
})

/** What is indented; a line that ends with \ or | goes on. */
function recipesOf(section: string): string[] {
  const lines = section.split('\n').filter((line) => line.startsWith('    '))
  const text = lines.map((line) => line.trim()).join('\n')
  return text.split(/(?<![\\|])\n/).filter((command) => command !== '')
}

interface Honest {
  stop(): Promise<number[]>
}

/** Asks one question after the other, over a connection that is kept; each must be answered 200. */
function honest(at: string): Honest {
  const [host, port] = at.split(':') as [string, string]
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  let isOver = false
  const run = async () => {
    while (!isOver) {
      const start = performance.now()
      const request = httpRequest({ host, port, path: '/cafetera/state', agent, timeout: 10_000 })
      request.on('timeout', () => request.destroy(new Error('the honest client was not answered'))).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      assert.is(response.statusCode, 200)
      await once(response.resume(), 'end')
      times.push(performance.now() - start)
      await pause(5)
    }
    agent.destroy()
    return times
  }
  const done = run()
  done.catch(() => {})
  return {
    stop() {
      isOver = true
      return done
    },
  }
}

function open(at: string): Socket {
  const [host, port] = at.split(':') as [string, string]
  return connect(Number(port), host).on('error', () => {})
}

/** What a connection has said in the end. */
async function said(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
  })
  await happens(socket, 'close')
  return text
}

/** Unlike `once` it does not mind errors: to be cut off is what is expected. */
async function happens(socket: Socket, event: 'close' | 'drain'): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once(event, () => resolve()))
}

const HOST = 'Host: localhost\r\n'

/** Writes as fast as it is taken, until it is closed; how many bytes that were. */
async function pour(socket: Socket, chunk: string, most: number): Promise<number> {
  let sent = 0
  while (sent < most && !socket.destroyed) {
    sent += chunk.length
    if (!socket.write(chunk)) await Promise.race([happens(socket, 'drain'), happens(socket, 'close')])
  }
  return sent
}

/** What hostile clients do; each returns what it has seen. */
const attacks: [title: string, attack: (at: string) => Promise<void>][] = [
  [
    '100 slow connections are let go within the time for a head',
    async (at) => {
      const sockets = Array.from({ length: 100 }, () => open(at))
      const ends = sockets.map(said)
      let isOver = false
      const drip = async () => {
        for (const socket of sockets) socket.write(`GET /engine HTTP/1.1\r\n${HOST}X: `)
        for (; !isOver; await pause(200)) for (const socket of sockets) if (socket.writable) socket.write('x')
      }
      const dripping = drip()
      for (const end of await Promise.all(ends)) assert.match(end, /^HTTP\/1\.1 408 /)
      isOver = true
      await dripping
    },
  ],
  [
    'a body of 1 GB is refused early: with a length, and in chunks',
    async (at) => {
      const head = `POST /cafetera/brew HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`
      for (const [length, chunk] of [
        ['Content-Length: 1073741824', 'x'.repeat(1 << 20)],
        ['Transfer-Encoding: chunked', `100000\r\n${'x'.repeat(1 << 20)}\r\n`],
      ]) {
        const socket = open(at)
        const end = said(socket)
        socket.write(`${head}${length}\r\n\r\n`)
        const sent = await pour(socket, chunk as string, 2 ** 30)
        assert.match(await end, /^HTTP\/1\.1 413 /)
        assert.ok(sent < 64 << 20, `${sent} bytes were taken`)
      }
    },
  ],
  [
    'a flood of headers is a 431',
    async (at) => {
      const ends = await Promise.all(
        Array.from({ length: 500 }, async (_, i) => {
          await pause(4 * i)
          const socket = open(at)
          const end = said(socket)
          socket.write(`GET /engine HTTP/1.1\r\n${HOST}`)
          await pour(socket, (i % 2 ? 'a: b\r\n' : 'x').repeat(1000), 1 << 20)
          return end
        }),
      )
      for (const end of ends) assert.match(end, /^(HTTP\/1\.1 431 |$)/)
      assert.ok(ends.some((end) => end !== ''))
    },
  ],
  [
    'tricks with paths reach nothing',
    async (at) => {
      for (const [path, status] of [
        ['/..%2f..%2f..%2fetc/passwd', 404],
        ['/../../etc/passwd', 404],
        ['/.hormiga/..%2f..%2fetc%2fpasswd', 404],
        ['/.hormiga/../../package.json', 404],
        ['//cafetera', 400],
        ['/cafetera//state', 400],
        ['/cafetera%00/state', 400],
        ['/%c0%ae%c0%ae/', 400],
        ['/%zz', 400],
        [`/${'a'.repeat(9000)}`, 414],
        [`/${'a/'.repeat(3000)}a`, 400],
        ['http://evil.example/cafetera', 400],
        ['/cafetera#x', 400],
        ['/__proto__/toString', 404],
      ] as const) {
        const socket = open(at)
        const end = said(socket)
        socket.write(`GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
        assert.match(await end, new RegExp(`^HTTP/1\\.1 ${status} `), path.slice(0, 60))
      }
    },
  ],
  [
    'a page of another site, and one behind a name that was bound to us, switch nothing on',
    async (at) => {
      for (const headers of [
        { Origin: 'http://evil.example' },
        { Origin: 'null' },
        { Host: 'evil.example:8080' },
        { Host: 'evil.example', Origin: 'http://evil.example' },
        { 'Sec-Fetch-Site': 'cross-site' },
      ]) {
        const [host, port] = at.split(':')
        const all = { 'Content-Type': 'application/json', ...headers }
        const request = httpRequest({ host, port, method: 'PUT', path: '/cafetera/power', headers: all })
        request.end('true')
        const [response] = (await once(request, 'response')) as [IncomingMessage]
        assert.is(response.statusCode, 403, JSON.stringify(headers))
        response.resume()
      }
    },
  ],
]

for (const [title, attack] of attacks) {
  test(`${title}; who is honest is served beside`, async () => {
    const engine = await new Engine(config({ devices: { cafetera: CAFETERA } })).runs()
    try {
      const at = await engine.at('http')
      const before = memoryOf(engine)
      const client = honest(at)
      await attack(at)
      const times = (await client.stop()).sort((one, other) => one - other)
      const growth = memoryOf(engine) - before
      console.log(
        `note: ${title}: ${times.length} honest questions, slowest ${times.at(-1)?.toFixed(0)} ms, memory ${(growth / 2 ** 20).toFixed(0)} MiB more`,
      )
      assert.ok(times.length > 0)
      assert.ok((times.at(-1) as number) < PROMPT, `an honest question took ${times.at(-1)} ms`)
      assert.ok(growth < 64 << 20, `${growth} bytes`)
      assert.is((await engine.get('cafetera')).state, 'off', 'nothing has reached the machine')
      const { sizes } = await engine.get('engine/counters')
      assert.ok(sizes.channels <= 2, JSON.stringify(sizes))
    } finally {
      await engine.stop()
    }
  })
}

function memoryOf({ process: { pid } }: Engine): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) * 1024
}

test.run()
