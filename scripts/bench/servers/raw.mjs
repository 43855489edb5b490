// The least that a server in Node can do. argv: port, "lines" (whole lines go to every subscriber, nothing is parsed)
// or "echo" (every chunk goes back).

import { createServer } from 'node:net'
import { serve } from './serve.cjs'

const [port, mode] = process.argv.slice(2)
const LINE_END = 10
const subscribers = new Set()

function lines(socket) {
  let rest
  return (chunk) => {
    if (rest) chunk = Buffer.concat([rest, chunk])
    const end = chunk.lastIndexOf(LINE_END) + 1
    rest = end < chunk.length ? chunk.subarray(end) : undefined
    if (chunk.includes('"method":"BIND"')) subscribers.add(socket)
    else if (end > 0) for (const subscriber of subscribers) subscriber.write(chunk.subarray(0, end))
  }
}

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {})
  socket.on('close', () => subscribers.delete(socket))
  socket.on('data', mode === 'echo' ? (chunk) => socket.write(chunk) : lines(socket))
}).listen(Number(port), '127.0.0.1', () => serve({}))
