// The reference implementation jstp@1.1.5 as a server, silent: what it logs would be most of its cost.

const net = require('node:net')
const { cpuOfEach, serve } = require('./serve.cjs')

console.log = () => {}

// It listens on every address; here only on loopback.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, done) {
  return listen.call(this, port, '127.0.0.1', done)
}

const jstp = require('jstp')
jstp.listen({ tcp: Number(process.argv[2]) })
const cafetera = { endpoint: { method: 'GET', resource: ['cafetera'] } }
jstp.bind(
  cafetera,
  (engine, _answer, dispatch) => {
    if (dispatch?.method === 'GET') engine.answer(dispatch, 200, { temp: 92.5 })
  },
  { name: 'cafetera' },
)

/** Puts subscriptions in place directly: binding many takes it a time that grows with their square. */
function fill(total) {
  for (let i = jstp.bound.length; i < total; i++) {
    jstp.bound.push({
      endpoint: { method: 'POST', resource: ['a', '*', `n${i}`] },
      callback: () => {},
      context: { i },
      host: [],
      transactionID: `x${i}`,
    })
  }
}

let hits = 0
let isBound = false

setTimeout(() => {
  serve({
    fill,
    /** In process: one of `total` subscriptions matches. */
    local({ total, body }) {
      fill(total - 1)
      if (!isBound) {
        const match = { endpoint: { method: 'POST', resource: ['a', '*', 'match'] } }
        jstp.bind(match, () => hits++, { name: 'match' })
        isBound = true
      }
      const dispatch = { method: 'POST', resource: ['a', 'x', 'match'], referer: ['bench'], token: [], body }
      return cpuOfEach({
        run: () => jstp.dispatch({ ...dispatch }),
        count: () => hits,
        batch: Math.max(1, Math.min(200, Math.floor(20_000 / total))),
      })
    },
  })
}, 100)
