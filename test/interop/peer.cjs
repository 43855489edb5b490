// The reference implementation in a process of its own: it is one global object, and it talks to the console.
// argv: tcp port, http port. Does what it is told over IPC, and tells what its callbacks got.
const [tcpPort, httpPort] = process.argv.slice(2).map(Number)
console.log = () => {}
const jstp = require('jstp')
const server = require('node:http').createServer()

const answers = new Map()
const commands = {
  /** Binds here; with `answer` every dispatch is answered 200 with it. */
  bind({ endpoint, host, answer }) {
    jstp.bind(
      { endpoint, ...(host && { host }) },
      (engine, _answer, dispatch) => {
        if (!dispatch) return
        process.send({ event: 'dispatch', dispatch })
        if (answer !== undefined && dispatch.token[0]) engine.answer(dispatch, 200, answer)
      },
      { endpoint },
    )
  },
  ask({ dispatch, id }) {
    const context = { id }
    answers.set(id, context)
    jstp.dispatch(
      dispatch,
      (_engine, answer) => answer && process.send({ event: 'answer', id, answer }),
      context,
    )
  },
  send({ dispatch }) {
    jstp.dispatch(dispatch)
  },
}

process.on('message', ({ command, ...rest }) => commands[command](rest))
process.on('disconnect', () => process.exit())
server.listen(httpPort, '127.0.0.1', () => {
  jstp.listen({ tcp: tcpPort, ws: server })
  setTimeout(() => process.send({ event: 'ready' }), 100)
})
