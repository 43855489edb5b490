// Node, and the folder for state.

import { existsSync } from 'node:fs'
import { chooseDirectory, openStore, StoreError } from '../../host/store.ts'
import { nodeEnv } from '../../index.ts'
import { type Check, fault, ok } from './machine.ts'

/** The ABI of the native parts is that of Node 20. */
const MAJOR = 20

export const NODE: Check = {
  name: 'node',
  async look({ machine }) {
    if (!machine.isHere) return []
    const { version, execPath } = process
    const major = Number(process.versions.node.split('.')[0])
    if (major >= MAJOR) return [ok(`${execPath} is ${version}`)]
    return [
      fault(
        `${execPath} is ${version}: hormiga needs ${MAJOR} or newer`,
        'sudo apt install nodejs (Debian 13 has 20), or the package hormiga-node',
      ),
    ]
  },
}

export function stateCheck(argument: string | undefined): Check {
  return {
    name: 'state',
    async look({ machine, config }) {
      if (!config || !machine.isHere) return []
      const { clock, log, meters } = nodeEnv()
      try {
        const isRoot = process.getuid?.() === 0
        const directory = chooseDirectory({ argument, config: config.state, env: process.env, isRoot })
        // Made by the wrong user it would keep the engine out.
        if (!existsSync(directory)) return [ok(`${directory} is not there yet: the engine makes it`)]
        await openStore({ directory, clock, log, meters })
        return [ok(`${directory} can be written`)]
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        const [found = '', ...fix] = error.message.split('. ')
        return [fault(found, fix.join('. ') || 'give another with --state DIR')]
      }
    },
  }
}
