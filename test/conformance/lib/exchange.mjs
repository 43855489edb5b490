// One HTTP request and what comes back: a response, or a stream of events.
import { request as httpRequest } from 'node:http'
import { Inbox } from './inbox.mjs'

export class HttpExchange {
  #request
  #responses = new Inbox()
  #events = new Inbox()

  constructor(base, { method, path, headers, body }) {
    const { hostname, port } = new URL(base)
    this.#request = httpRequest({ hostname, port, method, path, headers, agent: false })
    this.#request.on('response', (response) => this.#read(response))
    this.#request.on('error', (error) => this.#fail(error))
    this.#request.end(body)
  }

  response(ms) {
    return this.#responses.next(ms)
  }

  event(ms) {
    return this.#events.next(ms)
  }

  abort() {
    this.#request.destroy()
  }

  #fail(error) {
    this.#responses.push({ error: error.message })
    this.#events.close()
  }

  #read(response) {
    const isStream = String(response.headers['content-type']).startsWith('text/event-stream')
    const head = { status: response.statusCode, headers: response.headers }
    response.setEncoding('utf8')
    response.on('error', () => this.#events.close())
    if (isStream) this.#readEvents(response, head)
    else this.#readBody(response, head)
  }

  #readBody(response, head) {
    let text = ''
    response.on('data', (part) => {
      text += part
    })
    response.on('end', () => this.#responses.push({ ...head, text, json: parsed(text) }))
  }

  #readEvents(response, head) {
    this.#responses.push(head)
    let rest = ''
    response.on('data', (part) => {
      const blocks = (rest + part).split(/\r?\n\r?\n/)
      rest = blocks.pop()
      for (const block of blocks) this.#pushEvent(block)
    })
    response.on('end', () => this.#events.close())
  }

  #pushEvent(block) {
    const data = block
      .split(/\r?\n/)
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(5).trimStart())
    if (data.length > 0) this.#events.push({ dispatch: parsed(data.join('\n')) })
  }
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
