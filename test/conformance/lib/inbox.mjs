/** What a peer has received and no step has looked at yet. */
export class Inbox {
  #items = []
  #waiting = []
  closed = false

  push(item) {
    const waiter = this.#waiting.shift()
    if (waiter) waiter(item)
    else this.#items.push(item)
  }

  close() {
    this.closed = true
    for (const waiter of this.#waiting.splice(0)) waiter(undefined)
  }

  /** The next item, or undefined when none comes in time. */
  next(ms) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift())
    if (this.closed) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const settle = (item) => {
        clearTimeout(timer)
        resolve(item)
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1)
        resolve(undefined)
      }, ms)
      this.#waiting.push(settle)
    })
  }
}
