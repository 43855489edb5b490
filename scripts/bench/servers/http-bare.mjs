// The least that a JSON server on node:http can do. argv: port, what every request is answered with.

import { createServer } from 'node:http'

const [port, text] = process.argv.slice(2)
const state = JSON.parse(text)

createServer((_request, response) => {
  const body = JSON.stringify(state)
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}).listen(Number(port), '127.0.0.1')
