// Topics and the ids made of what strangers call themselves.

/** Longest topic that is subscribed or published. */
const TOPIC = 512
const ID = 64

/** Whether it can be published to and subscribed as it is: no wildcard, no control letter, not the broker's own. */
export function isTopic(topic: string): boolean {
  if (topic === '' || topic.length > TOPIC || topic.startsWith('$')) return false
  return !/[+#\p{Cc}]/u.test(topic)
}

/** Whether a filter is well-formed: `+` alone in its level, `#` alone and last. */
export function isFilter(filter: string): boolean {
  if (filter === '' || filter.length > TOPIC || /\p{Cc}/u.test(filter)) return false
  const levels = filter.split('/')
  return levels.every(
    (level, i) => !/[+#]/.test(level) || level === '+' || (level === '#' && i === levels.length - 1),
  )
}

/** Whether a topic is matched by a filter. Wildcards don't match the broker's own topics (`$SYS`). */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true
    if (i >= levels.length) return false
    if (level !== '+' && level !== levels[i]) return false
  }
  return wanted.length === levels.length
}

/** What follows a prefix and its slash, or `undefined`. */
export function below(prefix: string, topic: string): string | undefined {
  return topic.startsWith(`${prefix}/`) ? topic.slice(prefix.length + 1) : undefined
}

/** A word for a property: lower-case letters, digits, hyphens and underscores. Empty when nothing is left. */
export function slug(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9-]+/g, '_')
    .replace(/^[_-]+|[_-]+$/g, '')
    .slice(0, ID)
}

const MAC = /^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^[0-9a-f]{12}$/i
const IEEE = /^(?:zigbee2mqtt_)?(0x[0-9a-f]{16})$/i

/**
 * The id of a device of all that identifies it: its hardware address if it names one, else the first. So it is the same
 * whichever family told of it first (C9.2). `exact`: what it was made of. `undefined` when none can be an id.
 */
export function identify(identities: string[]): { id: string; exact: string } | undefined {
  for (const identity of identities) {
    const address = hardware(identity)
    if (address) return { id: address, exact: address }
  }
  const exact = identities[0] ?? ''
  const id = exact.replace(/[^A-Za-z0-9_.-]+/g, '_').replace(/^[_.-]+|[_.-]+$/g, '')
  return id === '' || id.length > ID ? undefined : { id, exact }
}

function hardware(identity: string): string | undefined {
  if (MAC.test(identity)) return identity.replace(/[:-]/g, '').toLowerCase()
  return IEEE.exec(identity)?.[1]?.toLowerCase()
}
