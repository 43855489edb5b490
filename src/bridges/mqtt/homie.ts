// Homie (C7). Version 5 tells everything of a device in one `$description`; versions 3 and 4 in one topic for each
// attribute, which homie-tree.ts gathers into the same form.

import { DISCOVERY, type Family } from './declaration.ts'
import { HOMIE_ID, homieProperties, stateGate } from './homie-property.ts'
import { HomieTree } from './homie-tree.ts'
import { type Message, type Payload, text } from './payload.ts'
import type { Registry } from './registry.ts'
import { below } from './topics.ts'

export function homie(registry: Registry, domain = 'homie'): Family {
  const five = `${domain}/5`
  const tree = new HomieTree(registry, domain)

  const readDescription = (message: Message, payload: Payload) => {
    const { topic, retained } = message
    const id = below(five, topic)?.split('/')[0] ?? ''
    registry.refusals.clear(topic)
    if (payload.bytes.length === 0) return registry.withdraw(topic)
    const description = payload.object
    if (!description || !HOMIE_ID.test(id))
      return registry.refusals.add('json', topic, 'no JSON object, or too deep')
    const root = text(description.root, 64)
    const parents = root && HOMIE_ID.test(root) ? [root] : []
    registry.declare({
      source: 'homie',
      key: topic,
      identities: [id],
      about: { name: text(description.name) ?? id, version: text(description.homie) },
      // A root that is lost takes its children with it.
      availability: [
        { mode: 'all', gates: [id, ...parents].map((device) => stateGate(`${five}/${device}/$state`)) },
      ],
      properties: homieProperties(`${five}/${id}`, description.nodes),
      retained,
    })
  }

  return {
    filters: [`${five}/+/$state`, `${five}/+/$description`, ...tree.filters],
    claims(topic) {
      const rest = below(five, topic)
      if (rest !== undefined) return /^[^/]+\/\$description$/.test(rest) ? DISCOVERY : 0
      return tree.claims(topic)
    },
    read(message, payload) {
      if (message.topic.startsWith(`${five}/`)) readDescription(message, payload)
      else tree.read(message, payload)
    },
  }
}
