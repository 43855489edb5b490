// What an issuer says to other engines about keys (spec B9): grants, revocations, and the rotation of its own key.

import { dirname, join } from 'node:path'
import { StartError } from '../app/failure.ts'
import { programName } from '../app/program.ts'
import type { Json } from '../core/dispatch.ts'
import { JstpError } from '../core/status.ts'
import { parseUri } from '../core/uri.ts'
import { didOf, kidOf } from '../identity/did.ts'
import { realKeyDisk } from '../identity/key-disk.ts'
import { makeKeyFile, readKeyFile } from '../identity/keystore.ts'
import { nodeProvider } from '../identity/provider-node.ts'
import { rotationInput } from '../identity/statements.ts'
import { readAllow } from './allow.ts'
import { type Arguments, readCount, UsageError } from './args.ts'
import { openCall } from './call.ts'
import { type Issued, readIssued, writeIssued } from './issued.ts'
import { type Own, openOwn, readOwnTrust, told } from './own.ts'
import { nameAndId } from './trust.ts'

const PATIENCE = 10_000

export async function grant({ options, lists, rest }: Arguments): Promise<number> {
  const { name, id } = nameAndId(rest, 'grant')
  const allow = (lists.allow ?? []).map(readAllow)
  if (allow.length === 0) throw new UsageError("say what it may do: --allow 'GET,BIND cafetera/...'")
  const to = targets(lists, 'grant')
  const own = openOwn(options.as as string | undefined, false)
  const issued = next(own, options)
  writeIssued(own, issued)
  const { serial, epoch } = issued
  const failed = await send(to, options, { sub: id, name, allow: allow as unknown as Json, epoch, serial })
  return failed.length > 0 ? 1 : 0
}

/** `trust revoke WHO --to ENGINE`: in the list of this key, which takes the place of its earlier one. */
export async function revokeAt({ options, lists, rest }: Arguments): Promise<number> {
  const [who, ...more] = rest
  if (who === undefined || more.length > 0) throw new UsageError('write: trust revoke DID --to ENGINE')
  const id = kidOf(who) ? who : readOwnTrust().keys.find(({ name }) => name === who)?.id
  if (!id) throw new UsageError(`"${who}" is no did:key, and no name in this command line's trust file`)
  const to = targets(lists, 'revoke')
  const own = openOwn(options.as as string | undefined, false)
  const issued = next(own, options)
  issued.revoked = [...new Set([...issued.revoked, id])]
  writeIssued(own, issued)
  const { serial, epoch, revoked } = issued
  return (await send(to, options, { revoked, epoch, serial })).length > 0 ? 1 : 0
}

/** A new key for this command line: the engines take it for the old one, whose rights it inherits. */
export async function rotate({ options, lists, rest }: Arguments): Promise<number> {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is too much`)
  const known = readOwnTrust().keys.filter(({ at }) => at)
  const to = lists.to ?? known.map(({ name }) => name)
  if (to.length === 0) throw new UsageError('no engine is known that could be told: --to NAME')
  const as = options.as as string | undefined
  const own = openOwn(as, true)
  try {
    const path = as ?? join(own.from, 'identity.pem')
    const fresh = `${path}.next`
    const signer = told(() => (realKeyDisk.look(fresh) ? readKeyFile(fresh) : makeKeyFile(fresh)))
    const issued = readIssued(own)
    const done = issued.rotation?.done ?? []
    // The same once more does no harm where it was taken and the answer was lost; it must be the latest for that.
    if (issued.rotation?.body.serial !== issued.serial) {
      const serial = ++issued.serial
      const proof = signer.sign(rotationInput(own.signer.kid, signer.kid, serial)) as Uint8Array
      const body = { old: own.id, new: didOf(signer.kid), proof: nodeProvider.toText(proof), serial }
      issued.rotation = { body, done }
      writeIssued(own, issued)
    }
    const { body } = issued.rotation
    const open = to.filter((name) => !done.includes(name))
    const failed = await send(open, options, body, 'The key of an issuer is rotated by another issuer only')
    if (failed.length > 0) {
      issued.rotation.done = to.filter((name) => !failed.includes(name))
      writeIssued(own, issued)
      throw new StartError(
        `the key stays as it was: not all have taken the new one. ${programName()} trust rotate goes on where it stopped`,
      )
    }
    told(() => {
      if (realKeyDisk.look(`${path}.old`)) realKeyDisk.remove(`${path}.old`)
      realKeyDisk.link(path, `${path}.old`)
      realKeyDisk.rename(fresh, path)
      realKeyDisk.syncFolder(dirname(path))
    })
    // What the old key has revoked stays revoked in what the new one says.
    const { epoch, revoked } = issued
    writeIssued({ ...own, id: didOf(signer.kid) }, { serial: 0, epoch, revoked })
    process.stdout.write(`${didOf(signer.kid)}\n`)
    process.stderr.write(
      `hormiga: the key before it, ${own.id}, is valid there for 30 more days of uptime: ${path}.old\n`,
    )
    return 0
  } finally {
    own.release()
  }
}

/** The next serial of this key. */
function next(own: Own, { epoch }: Arguments['options']): Issued {
  const issued = readIssued(own)
  const raised = typeof epoch === 'string' ? readCount(epoch, '--epoch', 0, 1_000_000_000) : 0
  return { ...issued, serial: issued.serial + 1, epoch: Math.max(issued.epoch, raised) }
}

function targets({ to = [] }: Arguments['lists'], verb: string): string[] {
  if (to.length > 0) return to
  throw new UsageError(`say which engine is told: trust ${verb} … --to NAME (several times for several)`)
}

/** To all of them; what each says is a line. @returns those that have not taken it */
async function send(
  to: string[],
  options: Arguments['options'],
  body: Json,
  hint = 'Is this key an issuer there, with at least these rights?',
): Promise<string[]> {
  const failed: string[] = []
  for (const name of to) {
    const said = await tell(name, options, body, hint)
    if (said !== undefined) failed.push(name)
    const text = said === undefined ? 'has taken it over' : `has not: ${said}`
    process.stderr.write(`hormiga: ${name} ${text}\n`)
  }
  return failed
}

/** `undefined`: it is done, else why not. */
async function tell(
  name: string,
  { as }: Arguments['options'],
  body: Json,
  hint: string,
): Promise<string | undefined> {
  const call = await openCall({
    uri: `${name}//sec/trust`,
    method: 'PUT',
    as: as as string | undefined,
    patience: PATIENCE,
  })
  try {
    const { target } = call
    if (!target)
      return `its key is not known here: ${programName()} trust add ${name} did:key:… --at HOST:PORT`
    const { status, body: said } = await target.guard.state(body, {
      key: target.key,
      to: parseUri(call.at).to,
    })
    if (status < 400) return undefined
    return `${status} ${JSON.stringify(said)}. ${hint}`
  } catch (error) {
    if (error instanceof JstpError) return call.failure ?? `${error.status} ${error.message}`
    throw error
  } finally {
    await call.close()
  }
}
